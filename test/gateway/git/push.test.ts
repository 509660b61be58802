// A real git client and a real git server: what is allowed arrives, what is refused is said in git's own output.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { policyOf } from '../../policy/fixture.ts';
import { mustRun } from '../../support/command.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { findCanary } from '../../support/canary.ts';
import { openGitScene } from '../support/git-scene.ts';
import type { GitScene } from '../support/git-scene.ts';
import { skipWithout } from '../../support/tools.ts';
import { sendRaw } from '../support/raw-http.ts';
import { proposePolicy, replay } from '../../cli/policy-learning.ts';

const agentRule = `
  - { name: agent-branches, HOST, ADDRESSES, inject: token, git: { repository: acme/project, operations: [fetch, push], refs: refs/heads/agent/** } }`;

async function commit(scene: GitScene, message = 'second'): Promise<string> {
  await scene.mustGit('commit', '--quiet', '--allow-empty', '-m', message);
  return (await scene.mustGit('rev-parse', 'HEAD')).trim();
}

/** Requests that the server got, as `POST receive-pack`. */
function requestsOf({ server }: GitScene): readonly string[] {
  return server.requests.map(
    ({ method, target }) => `${method} ${/(?:upload|receive)-pack$/.exec(target)?.[0]}`,
  );
}

describe('a branch that a rule names is pushed, another is refused before anything goes out', () => {
  for (const [version, http, spoken] of [
    ['0', 'HTTP/1.1', 'http/1.1'],
    ['1', 'HTTP/2', 'h2'],
    ['2', 'HTTP/1.1', 'http/1.1'],
    ['2', 'HTTP/2', 'h2'],
  ] as const) {
    test(`protocol ${version} over ${http}`, async () => {
      await using scene = await openGitScene(agentRule);
      const id = await commit(scene);
      const push = ['-c', `protocol.version=${version}`, '-c', `http.version=${http}`, 'push', 'origin'];
      const allowed = await scene.git(...push, 'HEAD:refs/heads/agent/work');
      assert.equal(allowed.code, 0, allowed.stderr);
      assert.equal(await scene.remote('refs/heads/agent/work'), id);
      const refused = await scene.git(...push, 'HEAD:main');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^remote: upstreamproxy: No rule allows a push of refs\/heads\/main to /m);
      assert.match(
        refused.stderr,
        /^ ! \[remote rejected\] HEAD -> main \(upstreamproxy: .* The rule agent-branches allows pushes that create or update refs\/heads\/agent\/\*\*, and nothing else\.\)$/m,
      );
      assert.match(refused.stderr, /^remote: trace: [0-9a-f]{32}/m);
      assert.equal(await scene.remote('refs/heads/main'), scene.server.commit);
      assert.deepEqual([...new Set(scene.path.audit.map(({ protocol }) => protocol))], [spoken]);
      // The commands of the refused push reached nobody.
      assert.deepEqual(requestsOf(scene), ['GET receive-pack', 'POST receive-pack', 'GET receive-pack']);
    });
  }
});

test('the audit has repository, operation and refs; the credential is on what was admitted, and nowhere else', async () => {
  await using scene = await openGitScene(agentRule);
  await commit(scene);
  const allowed = await scene.git('push', 'origin', 'HEAD:refs/heads/agent/work');
  const refused = await scene.git('push', 'origin', 'HEAD:main');
  const said = scene.path.audit.map(({ verdict, status, rule, injected, git }) => ({
    verdict,
    status,
    rule,
    injected,
    git,
  }));
  const git = { repository: 'acme/project', operation: 'push' };
  const asked = { verdict: 'allow', status: 200, rule: 'agent-branches', injected: ['token'], git };
  assert.deepEqual(said, [
    asked,
    { ...asked, git: { ...git, refs: [{ ref: 'refs/heads/agent/work', change: 'create' }] } },
    asked,
    {
      verdict: 'deny',
      status: 200,
      rule: 'default-deny',
      injected: undefined,
      git: { ...git, refs: [{ ref: 'refs/heads/main', change: 'update' }] },
    },
  ]);
  assert.match(scene.path.audit.at(-1)?.message ?? '', /agent-branches .* is for pushes of other refs/);
  assert.notDeepEqual(findCanary(JSON.stringify(scene.server.requests), scene.secret), []);
  for (const text of [JSON.stringify(scene.path.audit), allowed.stderr, refused.stderr])
    assert.deepEqual(findCanary(text, scene.secret), []);
});

test('a push of several refs is judged as a whole, and git says which of them were the reason', async () => {
  await using scene = await openGitScene(agentRule);
  await commit(scene);
  const mixed = await scene.git('push', 'origin', 'HEAD:refs/heads/agent/a', 'HEAD:main');
  assert.equal(mixed.code, 1);
  assert.match(
    mixed.stderr,
    /HEAD -> agent\/a \(upstreamproxy: refused together with the other refs of this push\)/,
  );
  assert.match(mixed.stderr, /HEAD -> main \(upstreamproxy: No rule allows/);
  assert.equal(await scene.remote('refs/heads/agent/a'), '');
  const both = await scene.git('push', 'origin', 'HEAD:refs/heads/agent/a', 'HEAD:refs/heads/agent/b');
  assert.equal(both.code, 0, both.stderr);
});

test('what may be done to a ref is bounded: branches are not deleted, tags not moved', async () => {
  await using scene = await openGitScene(`${agentRule}
  - { name: tags, HOST, ADDRESSES, git: { repository: acme/*, operations: push, refs: refs/tags/*, changes: create } }`);
  await commit(scene);
  await scene.mustGit('push', '--quiet', 'origin', 'HEAD:refs/heads/agent/a');
  const gone = await scene.git('push', 'origin', ':refs/heads/agent/a');
  assert.match(gone.stderr, /! \[remote rejected\] agent\/a \(upstreamproxy: .*\(delete\)/);
  assert.notEqual(await scene.remote('refs/heads/agent/a'), '');
  const forced = await scene.git('push', '--force', 'origin', `${scene.server.commit}:refs/heads/agent/a`);
  assert.equal(forced.code, 0, forced.stderr);
  const tagged = await scene.git('push', 'origin', 'HEAD:refs/tags/v1');
  assert.equal(tagged.code, 0, tagged.stderr);
  const tag = await scene.remote('refs/tags/v1');
  const moved = await scene.git('push', '--force', 'origin', `${scene.server.commit}:refs/tags/v1`);
  assert.match(moved.stderr, /! \[remote rejected\] .* -> v1 \(upstreamproxy: /);
  assert.equal(await scene.remote('refs/tags/v1'), tag);
  scene.setPolicy(`
  - { name: all, HOST, ADDRESSES, git: { repository: acme/project, operations: push, changes: [create, update, delete] } }`);
  const deleted = await scene.git('push', 'origin', ':refs/tags/v1', ':refs/heads/agent/a');
  assert.equal(deleted.code, 0, deleted.stderr);
  assert.equal((await scene.remote('refs/tags/v1')) + (await scene.remote('refs/heads/agent/a')), '');
});

test('a repository that may be fetched only is fetched and cloned; a push ends where git asks for the refs', async () => {
  await using scene = await openGitScene(`
  - { name: read, HOST, ADDRESSES, inject: token, git: { repository: acme/**, operations: fetch } }`);
  for (const version of ['0', '1', '2']) {
    const protocol = ['-c', `protocol.version=${version}`];
    const fetched = await scene.git(...protocol, 'fetch', 'origin');
    assert.equal(fetched.code, 0, fetched.stderr);
    const cloned = await scene.git(...protocol, 'clone', '--quiet', scene.url, join(scene.work, version));
    assert.equal(cloned.code, 0, cloned.stderr);
  }
  await commit(scene);
  const pushed = await scene.git('push', 'origin', 'HEAD:main');
  assert.equal(pushed.code, 128);
  assert.match(
    pushed.stderr,
    /^remote: upstreamproxy: No rule allows GET .*git: \{ repository: acme\/project, operations: push \}/m,
  );
  assert.match(pushed.stderr, /returned error: 403/);
  assert.ok(!requestsOf(scene).some((one) => one.includes('receive')));
});

test('dumb HTTP is not what a rule about git allows', async () => {
  await using scene = await openGitScene(agentRule);
  assert.equal((await scene.git('ls-remote', 'origin')).code, 0);
  const dumb = await scene.gitWith({ GIT_SMART_HTTP: '0' }, 'ls-remote', 'origin');
  assert.equal(dumb.code, 128);
  assert.match(dumb.stderr, /^remote: upstreamproxy: No rule allows GET /m);
});

describe('a rule that denies refs wins over one that allows more', () => {
  const rules = `
  - { name: all, HOST, ADDRESSES }
  - name: protected
    hosts: git.test
    git: { operations: push, refs: [refs/heads/main, refs/heads/release/*] }
    deny: { reason: main is changed by pull requests., operator: Branch protection. }`;
  for (const [what, refspec, isAllowed] of [
    ['another branch', 'HEAD:refs/heads/other', true],
    ['the branch', 'HEAD:main', false],
    ['the branch in capital letters', 'HEAD:refs/heads/MAIN', false],
    ['its deletion', ':main', false],
    ['one beside another', 'HEAD:refs/heads/other HEAD:refs/heads/release/1', false],
  ] as const) {
    test(what, async () => {
      await using scene = await openGitScene(rules);
      await commit(scene);
      const pushed = await scene.git('push', 'origin', ...refspec.split(' '));
      assert.equal(pushed.code === 0, isAllowed, pushed.stderr);
      assert.equal(await scene.remote('refs/heads/main'), scene.server.commit);
      if (isAllowed) return;
      assert.match(pushed.stderr, /\(upstreamproxy: main is changed by pull requests\.\)/);
      assert.equal(scene.path.audit.at(-1)?.message, 'Branch protection.');
      assert.equal(await scene.remote('refs/heads/other'), '');
    });
  }
});

describe('a push that is larger than the client holds in memory', () => {
  for (const http of ['HTTP/1.1', 'HTTP/2']) {
    test(http, async () => {
      await using scene = await openGitScene(agentRule);
      await writeFile(join(scene.work, 'large'), randomBytes(2 * 1024 * 1024));
      await scene.mustGit('add', 'large');
      const id = await commit(scene, 'large');
      // git asks first whether it may, with an empty list of commands, and then sends in chunks.
      const push = ['-c', `http.version=${http}`, '-c', 'http.postBuffer=65536', 'push', 'origin'];
      const refused = await scene.git(...push, 'HEAD:main');
      assert.match(refused.stderr, /! \[remote rejected\] HEAD -> main \(upstreamproxy: No rule allows/);
      const allowed = await scene.git(...push, 'HEAD:refs/heads/agent/large');
      assert.equal(allowed.code, 0, allowed.stderr);
      assert.equal(await scene.remote('refs/heads/agent/large'), id);
    });
  }
});

test('a rule in observe mode records what it would have refused', async () => {
  await using scene = await openGitScene(`
  - { name: all, HOST, ADDRESSES }
  - { name: trial, HOST, mode: observe, deny: true, git: { operations: push, refs: refs/heads/main } }`);
  await commit(scene);
  const pushed = await scene.git('push', 'origin', 'HEAD:main');
  assert.equal(pushed.code, 0, pushed.stderr);
  const { observed, git } = scene.path.audit.at(-1) ?? {};
  assert.deepEqual([observed, git?.refs], ['trial', [{ ref: 'refs/heads/main', change: 'update' }]]);
});

test('what is observed is learnt with its refs, passes the check, replays without a flip, and admits no more', async () => {
  await using scene = await openGitScene(`
  - { name: all, HOST, ADDRESSES }
  - { name: trial, HOST, mode: observe, deny: true, git: { operations: push } }`);
  await commit(scene);
  await scene.mustGit('fetch', 'origin');
  await scene.mustGit('push', 'origin', 'HEAD:refs/heads/agent/work');
  const events = [...scene.path.audit];
  const learned = proposePolicy(events);
  assert.match(learned, /repository: \[acme\/project\]\n {6}operations: fetch\n/);
  assert.match(learned, /operations: push\n {6}refs: \[refs\/heads\/agent\/work\]\n/);
  const { flips, unsure } = replay(events, policyOf(learned), new Map());
  assert.deepEqual({ flips, unsure }, { flips: [], unsure: [] });
  scene.setPolicy(learned.slice(learned.indexOf('rules:\n') + 'rules:\n'.length));
  const id = await commit(scene, 'third');
  await scene.mustGit('push', 'origin', 'HEAD:refs/heads/agent/work');
  assert.equal(await scene.remote('refs/heads/agent/work'), id);
  assert.equal((await scene.git('push', 'origin', 'HEAD:main')).code, 1);
});

test('a push that is observed and cannot be read goes on as it is', async () => {
  await using scene = await openGitScene(
    `
  - { name: all, HOST, ADDRESSES }
  - { name: trial, HOST, mode: observe, deny: true, git: { operations: push } }`,
    { limits: { pushCommandsBytesMax: 16 } },
  );
  const id = await commit(scene);
  // More than one read of the body holds.
  const refs = Array.from({ length: 1500 }, (_, i) => `HEAD:refs/heads/a-branch-with-a-long-name/${i}`);
  await scene.mustGit('push', '--quiet', 'origin', ...refs);
  assert.equal(await scene.remote('refs/heads/a-branch-with-a-long-name/1499'), id);
  const { verdict, git } = scene.path.audit.at(-1) ?? {};
  assert.deepEqual([verdict, git], ['allow', { repository: 'acme/project', operation: 'push' }]);
});

test(
  'a signed push is judged by the commands in its certificate',
  { skip: skipWithout('ssh-keygen') },
  async () => {
    await using scene = await openGitScene(agentRule);
    const key = join(scene.work, '.git', 'key');
    await mustRun('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const served = join(scene.server.root, scene.server.repositoryPath);
    await scene.mustGit('-C', served, 'config', 'receive.certNonceSeed', 'seed');
    const id = await commit(scene);
    const push = ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${key}`, 'push', '--signed', 'origin'];
    const refused = await scene.git(...push, 'HEAD:main');
    assert.match(refused.stderr, /! \[remote rejected\] HEAD -> main \(upstreamproxy: No rule allows/);
    const allowed = await scene.git(...push, 'HEAD:refs/heads/agent/signed');
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.equal(await scene.remote('refs/heads/agent/signed'), id);
  },
);

describe('a push by hand', () => {
  const commands = (ref: string): string => {
    const line = `${'0'.repeat(40)} ${'1'.repeat(40)} ${ref}\0report-status`;
    return `${(line.length + 4).toString(16).padStart(4, '0')}${line}0000`;
  };
  const head = ({ server }: GitScene, ...fields: readonly string[]): string =>
    [
      `POST ${server.repositoryPath}/git-receive-pack HTTP/1.1`,
      `Host: git.test:${server.port}`,
      'Connection: close',
      'Content-Type: application/x-git-receive-pack-request',
      ...fields,
      '',
      '',
    ].join('\r\n');
  const length = (text: string): string => `Content-Length: ${text.length}`;

  test('that is not allowed gets a report, also for a client without side bands', async () => {
    await using scene = await openGitScene(agentRule);
    const body = commands('refs/heads/main');
    const response = await sendRaw(
      await scene.path.tls(`git.test:${scene.server.port}`),
      head(scene, length(body)) + body,
    );
    assert.equal(response.headers.get('content-type'), 'application/x-git-receive-pack-result');
    assert.match(
      response.body,
      /^000eunpack ok\n[0-9a-f]{4}ng refs\/heads\/main upstreamproxy: No rule allows .*\n0000$/,
    );
    assert.equal(scene.server.connections(), 0);
  });

  test('of a client that knows no reports is refused with 403', async () => {
    await using scene = await openGitScene(agentRule);
    const sent = commands('refs/heads/main').replace('report-status', 'push-options!');
    const response = await sendRaw(
      await scene.path.tls(`git.test:${scene.server.port}`),
      head(scene, length(sent)) + sent,
    );
    assert.equal(response.status, 403, response.body);
    assert.equal(scene.server.connections(), 0);
  });

  test('that cannot be judged reaches nobody', async () => {
    await using scene = await openGitScene(agentRule);
    const long = commands('refs/heads/a').slice(0, -4).replace('\0', '-').repeat(2000);
    const rows: readonly [body: string, status: number, ...fields: string[]][] = [
      ['0009hello0000', 400],
      [commands('refs/heads/agent/../main'), 400],
      [commands('refs/heads/agent/a'), 400, 'Content-Encoding: br'],
      [long, 413],
      ['', 400],
    ];
    for (const [body, status, ...fields] of rows) {
      const socket = await scene.path.tls(`git.test:${scene.server.port}`);
      const response = await sendRaw(socket, head(scene, length(body), ...fields) + body);
      assert.equal(response.status, status, response.body);
    }
    assert.equal(scene.server.connections(), 0);
    assert.ok(scene.path.audit.every(({ verdict }) => verdict === 'deny'));
  });

  const hourMs = 3_600_000;
  const bounds: readonly [string, Partial<Limits>, number][] = [
    ['bytes', { refusedPushBytesMax: 65_536, refusedPushTimeoutMs: hourMs }, 100_000],
    ['time', { refusedPushBytesMax: 1_000_000, refusedPushTimeoutMs: 50 }, 0],
  ];
  for (const [bound, limits, more] of bounds) {
    test(`gets a response at the bound of ${bound}, though more of it is to come`, async () => {
      await using scene = await openGitScene(agentRule, { limits });
      const body = commands('refs/heads/main') + 'x'.repeat(more);
      const socket = await scene.path.tls(`git.test:${scene.server.port}`);
      const response = await sendRaw(
        socket,
        head(scene, `Content-Length: ${body.length + 1_000_000}`) + body,
      );
      assert.match(response.body, /ng refs\/heads\/main upstreamproxy: No rule allows/);
      assert.equal(scene.server.connections(), 0);
    });
  }

  test('ends when a change of the policy takes its ref away', async () => {
    await using scene = await openGitScene(agentRule);
    const socket = await scene.path.tls(`git.test:${scene.server.port}`);
    const body = commands('refs/heads/agent/a');
    const { promise: ended, resolve } = Promise.withResolvers<undefined>();
    socket.once('close', () => resolve(undefined));
    socket.write(head(scene, `Content-Length: ${body.length + 1000}`) + body);
    // The origin has the head once the exchange is under way.
    while (scene.server.requests.length === 0) await new Promise(setImmediate);
    scene.setPolicy(agentRule.replace('agent/**', 'agent/b'));
    await ended;
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'policy_denied']);
  });
});

test('a refused push of more than is taken fails, and changes nothing', async () => {
  await using scene = await openGitScene(agentRule, { limits: { refusedPushBytesMax: 65_536 } });
  await writeFile(join(scene.work, 'large'), randomBytes(4 * 1024 * 1024));
  await scene.mustGit('add', 'large');
  await commit(scene, 'large');
  const refused = await scene.git('-c', 'http.version=HTTP/1.1', 'push', 'origin', 'HEAD:main');
  assert.notEqual(refused.code, 0);
  assert.equal(await scene.remote('refs/heads/main'), scene.server.commit);
  const event = scene.path.audit.at(-1);
  assert.deepEqual(
    [event?.verdict, event?.rule, event?.errorCode],
    ['deny', 'default-deny', 'policy_denied'],
  );
});

test('options of a push are judged and in the audit; what a rule names arrives at the server', async () => {
  await using scene = await openGitScene(`
  - { name: mine, HOST, ADDRESSES, inject: token, git: { repository: acme/project, operations: [fetch, push], refs: refs/heads/agent/**, options: ['ci.*'] } }`);
  const served = join(scene.server.root, 'acme', 'project.git');
  await mustRun('git', ['-C', served, 'config', 'receive.advertisePushOptions', 'true']);
  await writeFile(
    join(served, 'hooks', 'pre-receive'),
    '#!/bin/sh\necho "options: $GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0" >&2\n',
    { mode: 0o755 },
  );
  await commit(scene);
  for (const http of ['HTTP/1.1', 'HTTP/2']) {
    const push = ['-c', `http.version=${http}`, 'push'];
    const allowed = await scene.git(
      ...push,
      '-o',
      'ci.skip',
      'origin',
      `HEAD:refs/heads/agent/${http.at(-1)}`,
    );
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.match(allowed.stderr, /options: 1 ci\.skip/);
    const refused = await scene.git(
      ...push,
      '-o',
      'ci.skip',
      '-o',
      'merge_request.create',
      'origin',
      'HEAD:refs/heads/agent/b',
    );
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /with the options ci\.skip, merge_request\.create .*allows this push with the options ci\.\* \(git push -o\)/,
    );
  }
  assert.equal(await scene.remote('refs/heads/agent/b'), '');
  const seen = scene.path.audit.flatMap(({ verdict, git }) =>
    git?.options === undefined ? [] : [[verdict, ...git.options]],
  );
  const pair = [
    ['allow', 'ci.skip'],
    ['deny', 'ci.skip', 'merge_request.create'],
  ];
  assert.deepEqual(seen, [...pair, ...pair]);
  const learned = proposePolicy(scene.path.audit.filter(({ verdict }) => verdict === 'allow'));
  assert.match(learned, /options: \[ci\.skip\]/);
  const replayed = replay(
    scene.path.audit,
    policyOf(learned),
    new Map([[scene.path.audit[0]?.sessionId ?? '', { claims: {}, posture: [] }]]),
  );
  assert.deepEqual(replayed.flips, []);
});
