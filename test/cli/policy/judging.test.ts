// `policy explain`, `check`, `diff` and `replay` by the admin API and in the store of this machine: one question gets one response, and nothing of a
// server acts on the terminal.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { keepFiles } from '../../../src/gateway/policies/kept-policies.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { type AdminScene, event, openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { startMs } from '../../gateway/session-fixture.ts';
import { type CommandProcess, startCommands } from '../../support/command-process.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';

let folder: TemporaryDirectory;
let scene: AdminScene;
let commands: CommandProcess;
const file = (name: string): string => join(folder.path, name);
const anyToken = `upadm_${'A'.repeat(43)}`;

before(async () => {
  folder = await temporaryDirectory();
  commands = startCommands({ ...process.env, HOME: folder.path });
  scene = await openAdminScene(new Map(), { address: '127.0.0.1', port: 0, names: [] });
  await writeFile(file('viewer'), await scene.token('viewer'));
  await writeFile(file('blue'), await scene.token('viewer', { sees: { team: 'blue' } }));
  await writeFile(file('any'), anyToken);
  // What the gateway of the scene has in force.
  await writeFile(file('same.yaml'), 'rules:\n  - { name: read, hosts: api.example.com, methods: [GET] }\n');
  await writeFile(
    file('new.yaml'),
    'rules:\n  - { name: write, hosts: api.example.com, methods: [POST] }\n' +
      '  - { name: agents, hosts: git.example.com, git: { repository: acme/app, operations: push, refs: refs/heads/agent/** } }\n',
  );
  await writeFile(file('bad.yaml'), 'rules:\n  - { name: bad, hosts: 7 }\n');
});
after(async () => {
  await commands?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const policy = (...args: readonly string[]) => commands.run(['policy', ...args]);
const at = (port: number, who = 'viewer'): readonly string[] => [
  '--server',
  `http://127.0.0.1:${port}`,
  '--token-file',
  file(who),
];
const there = (who = 'viewer'): readonly string[] => at(scene.port, who);

test('a request is explained by what is in force there, or by files that are sent, as here by files', async () => {
  for (const [args, code] of [
    [['GET', 'https://api.example.com/x?y=1'], 0],
    [['POST', 'https://api.example.com/x', '--header', 'Content-Type: text/plain'], 77],
    [['CONNECT', 'api.example.com:443'], 0],
    [['CONNECT', 'other.example.com:22'], 77],
  ] as const) {
    const own = await policy('explain', ...args, '--policy', file('same.yaml'));
    const theirs = await policy('explain', ...args, ...there());
    assert.deepEqual([own.code, theirs.code], [code, code], theirs.stderr);
    // Places have the names of files, which differ.
    const plain = (text: string): string => text.replaceAll(/ \([^()]*\.yaml[^()]*\)| \(policy[^()]*\)/g, '');
    assert.equal(plain(theirs.stdout), plain(own.stdout), args.join(' '));
    const json = JSON.parse((await policy('explain', ...args, '--json', ...there())).stdout) as {
      readonly decision: { readonly effect: string };
    };
    assert.equal(json.decision.effect, code === 0 ? 'allow' : 'deny');
  }
  const sent = await policy(
    'explain',
    'POST',
    'https://api.example.com/',
    '--policy',
    file('new.yaml'),
    ...there(),
  );
  assert.match(sent.stdout, /^ALLOW POST https:\/\/api\.example\.com\/\n {2}decided by: write /, sent.stderr);
});

test('a body is looked into by the rules of the question, here and there alike', async () => {
  await writeFile(
    file('mcp.yaml'),
    'rules:\n  - { name: guarded, hosts: mcp.example.com, paths: /mcp, mcp: { tools: search } }\n',
  );
  const call = (name: string): string =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });
  await writeFile(file('search.json'), call('search'));
  await writeFile(file('delete.json'), call('delete'));
  await writeFile(file('twice.json'), '{"jsonrpc":"2.0","jsonrpc":"2.0"}');
  const asked = ['explain', 'post', 'https://mcp.example.com/mcp', '--policy', file('mcp.yaml')] as const;
  for (const [name, code, told] of [
    [
      'search.json',
      0,
      /^ALLOW a call of the tool "search" .*\n {2}body: JSON that all parsers read alike, 73 octets/,
    ],
    [
      'delete.json',
      77,
      /^DENY a call of the tool "delete" [^]*does not match: guarded .* is for other messages of MCP/,
    ],
    ['twice.json', 77, /^DENY POST [^]*body: not read: it .* a second time/],
  ] as const) {
    const own = await policy(...asked, '--body', file(name));
    assert.equal(own.code, code, own.stderr);
    assert.match(own.stdout, told);
    const theirs = await policy(...asked, '--body', file(name), ...there());
    assert.equal(theirs.code, code, theirs.stderr);
    assert.match(theirs.stdout, told);
  }
  const json = await policy(...asked, '--body', file('search.json'), '--json');
  assert.equal(
    (JSON.parse(json.stdout) as { body: string }).body,
    'JSON that all parsers read alike, 73 octets',
  );
  // Without one it is not known, and awaited.
  assert.match((await policy(...asked)).stdout, /^ALLOW POST [^]*then decided again by the body/);
  const git = await policy(
    'explain',
    'git',
    'fetch',
    'https://git.example.com/a',
    '--body',
    file('search.json'),
  );
  assert.match(git.stderr, /--body is that of a request/);
  assert.equal((await policy(...asked, '--body', file('nothing'))).code, 78);
  const token = await scene.token('viewer');
  const question = { method: 'POST', url: 'https://mcp.example.com/mcp', body: '1', bodyBase64: 'MQ==' };
  const response = await scene.call('POST', '/v1/policy/explain', { token, body: question });
  assert.equal(response.status, 400, response.text);
});

test('operations of GraphQL are read from a body, here and there alike', async () => {
  await writeFile(
    file('graphql.yaml'),
    'rules:\n  - { name: guarded, hosts: api.example.com, paths: /graphql, graphql: { queries: viewer } }\n',
  );
  await writeFile(file('viewer.json'), '{"query":"{ viewer { login } }"}');
  await writeFile(file('merge.json'), '{"query":"mutation { mergePullRequest }"}');
  await writeFile(file('other.json'), '{"id":"x"}');
  const asked = [
    'explain',
    'post',
    'https://api.example.com/graphql',
    '--policy',
    file('graphql.yaml'),
  ] as const;
  for (const [name, code, told] of [
    ['viewer.json', 0, /^ALLOW the query viewer /],
    [
      'merge.json',
      77,
      /^DENY the mutation mergePullRequest [^]*is for other operations of GraphQL \(queries viewer\)/,
    ],
    ['other.json', 77, /^DENY POST [^]*looks at the operations of the request, which has "id"/],
  ] as const) {
    const own = await policy(...asked, '--body', file(name));
    assert.equal(own.code, code, own.stderr);
    assert.match(own.stdout, told);
    const theirs = await policy(...asked, '--body', file(name), ...there());
    assert.equal(theirs.code, code, theirs.stderr);
    assert.match(theirs.stdout, told);
  }
  assert.match(
    (await policy(...asked)).stdout,
    /^ALLOW POST [^]*then decided again by the operations of GraphQL/,
  );
});

test('a push is explained there with its refs, and what is no ref is refused', async () => {
  const push = ['explain', 'git', 'push', 'https://git.example.com/acme/app'] as const;
  const files = ['--policy', file('new.yaml'), ...there()] as const;
  const allowed = await policy(...push, 'refs/heads/agent/x', ...files);
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.match(
    allowed.stdout,
    /ALLOW a push of refs\/heads\/agent\/x to https:\/\/git\.example\.com\/acme\/app/,
  );
  const denied = await policy(...push, 'refs/heads/agent/x', 'refs/heads/main', ...files);
  assert.equal(denied.code, 77);
  assert.match(denied.stdout, /DENY a push of refs\/heads\/agent\/x, refs\/heads\/main/);
  const token = await scene.token('viewer');
  for (const [body, status, told] of [
    [
      {
        method: 'POST',
        url: 'https://git.example.com/a/b/git-receive-pack',
        pushed: [{ ref: 'main\n', change: 'update' }],
      },
      400,
      /ref/,
    ],
    [
      {
        method: 'GET',
        url: 'https://git.example.com/a/b',
        pushed: [{ ref: 'refs/heads/x', change: 'update' }],
      },
      400,
      /git-receive-pack/,
    ],
  ] as const) {
    const response = await scene.call('POST', '/v1/policy/explain', { token, body });
    assert.equal(response.status, status, response.text);
    assert.match(response.text, told);
  }
});

test('an exchange is explained by its id or its trace, by the policy and session of then, and says what is not known', async () => {
  const kept = [
    { file: 'old.yaml', text: 'rules:\n  - { name: old, hosts: api.example.com, deny: closed then }\n' },
  ];
  const version = versionOf(kept);
  await keepFiles({ store: scene.store.policies, version, nowMs: startMs }, kept);
  const asked = {
    scheme: 'https',
    port: 443,
    verdict: 'deny',
    rule: 'old',
    errorCode: 'policy_denied',
  } as const;
  await scene.append([
    event('of-then', { ...asked, policyVersion: version, traceId: 'aaaabbbbccccddddaaaabbbbccccdddd' }),
    event('of-now', {
      ...asked,
      rule: 'read',
      verdict: 'allow',
      policyVersion: 'gone',
      sessionId: 'forgotten',
    }),
    event('a-step', { kind: 'session', action: 'enrolled', verdict: 'info' }),
    event('cut', { ...asked, cut: { path: { bytes: 9000, sha256: 'x' } } }),
    event('of-blue', { ...asked, sessionId: 'blue' }),
  ]);
  for (const id of ['of-then', 'aaaabbbbcccc']) {
    const { code, stdout, stderr } = await policy('explain', 'exchange', id, ...there());
    assert.equal(code, 77, stderr);
    assert.match(stdout, new RegExp(`^event of-then of \\S+: deny by old, policy ${version}\\n`));
    assert.match(
      stdout,
      /DENY GET https:\/\/api\.example\.com\/v1\/items\n {2}decided by: old \(old\.yaml:2\)/,
    );
    assert.match(stdout, /note: its header fields are not recorded/);
    assert.doesNotMatch(stdout, /is not kept/);
  }
  const now = await policy('explain', 'exchange', 'of-now', ...there());
  assert.equal(now.code, 0, now.stderr);
  assert.match(now.stdout, /note: its session is not kept any more/);
  assert.match(now.stdout, /note: the policy that decided is not kept: \S+ is asked/);
  const json = JSON.parse(
    (await policy('explain', 'exchange', 'of-then', '--json', ...there())).stdout,
  ) as object;
  assert.deepEqual(Object.keys(json), ['event', 'notes', 'request', 'decision', 'steps']);
  for (const [args, told] of [
    [['a-step'], /nothing was decided of it: it is no exchange \[usage\]/],
    [['cut'], /only the beginning of its path is recorded/],
    [['absent'], /there is no event of that id/],
    [['eeeeeeee'], /the audit has no event "eeeeeeee"/],
    [['of-then', 'more'], /name one exchange/],
    [['of-then', '--policy', file('new.yaml')], /leave --policy out/],
  ] as const) {
    const { code, stdout, stderr } = await policy('explain', 'exchange', ...args, ...there());
    assert.notEqual(code, 0);
    assert.equal(stdout, '');
    assert.match(stderr, told);
  }
  // Who sees only some sessions explains theirs.
  assert.equal((await policy('explain', 'exchange', 'of-blue', ...there('blue'))).code, 0);
  assert.match(
    (await policy('explain', 'exchange', 'of-then', ...there('blue'))).stderr,
    /no event of that id/,
  );
});

test('an exchange of a session that the store has forgotten is explained by the claims of its enrolment, to whose it is too', async () => {
  const files = [
    {
      file: 'blue.yaml',
      text: 'for: { team: blue }\nrules:\n  - { name: of-blue, hosts: api.example.com }\n',
    },
  ];
  const version = versionOf(files);
  await keepFiles({ store: scene.store.policies, version, nowMs: startMs }, files);
  const sessionId = 'blue of old';
  await scene.append([
    event('blue-enrolled', {
      kind: 'session',
      action: 'enrolled',
      verdict: 'info',
      sessionId,
      details: { claims: { team: 'blue' }, posture: {} },
    }),
    event('blue-asked', { scheme: 'https', port: 443, rule: 'of-blue', policyVersion: version, sessionId }),
  ]);
  for (const who of ['viewer', 'blue']) {
    const { code, stdout, stderr } = await policy('explain', 'exchange', 'blue-asked', ...there(who));
    assert.equal(code, 0, `${who}: ${stderr}${stdout}`);
    assert.match(stdout, /decided by: of-blue/, who);
    assert.doesNotMatch(stdout, /is not kept/, who);
  }
  const body = { method: 'GET', url: 'https://api.example.com/', session: sessionId };
  const token = await scene.token('viewer', { sees: { team: 'red' } });
  assert.equal((await scene.call('POST', '/v1/policy/explain', { token, body })).status, 404);
});

test('files are checked with what the gateway there knows, compared with what is published, and replayed', async () => {
  const good = await policy('check', file('new.yaml'), ...there());
  assert.match(good.stdout, /^good: 2 rules, version [0-9a-f]{12}\n$/, good.stderr);
  assert.equal(good.stdout, (await policy('check', file('new.yaml'))).stdout);
  const bad = await policy('check', file('bad.yaml'), ...there());
  const badHere = await policy('check', file('bad.yaml'));
  assert.equal(bad.code, badHere.code);
  assert.match(bad.stderr, /bad\.yaml:2:\d+: error: .* \[config_invalid\]/);
  const badJson = JSON.parse((await policy('check', file('bad.yaml'), '--json', ...there())).stdout) as {
    ok: boolean;
  };
  assert.equal(badJson.ok, false);
  await scene.store.policies.publish(
    {
      policy: 'main',
      files: [
        { name: 'p.yaml', text: 'rules:\n  - { name: read, hosts: api.example.com, methods: [GET] }\n' },
      ],
      version: 'v',
      publishedMs: startMs,
      publishedBy: 'ada',
    },
    0,
    { policiesMax: 10, policyVersionsMax: 10 },
  );
  for (const old of ['@1', '@']) {
    const diff = await policy('diff', old, file('new.yaml'), ...there());
    assert.match(
      diff.stdout,
      /^opened:\n {2}https:\/\/git\.example\.com\n[^]*rules removed:\n {2}allow read /,
      diff.stderr,
    );
  }
  await scene.append([event('seen', { scheme: 'https', port: 443, rule: 'read' })]);
  const same = await policy('replay', file('same.yaml'), '--fail-on-flip', ...there());
  assert.equal(same.code, 0, same.stdout + same.stderr);
  const flips = await policy('replay', file('new.yaml'), '--fail-on-flip', ...there());
  assert.equal(flips.code, 1, flips.stderr);
  assert.match(flips.stdout, /allow → deny: GET https:\/\/api\.example\.com\/v1\/items/);
  for (const named of [['@1'], []]) {
    const replayed = await policy('replay', ...named, '--json', ...there());
    assert.equal((JSON.parse(replayed.stdout) as { replayed: number }).replayed > 0, true, replayed.stderr);
  }
  const refused = await policy('replay', file('same.yaml'), ...there('blue'));
  assert.deepEqual([refused.code, refused.stdout], [77, '']);
  for (const [args, told] of [
    [['replay', file('same.yaml'), '--audit', file('a'), ...there()], /give --audit or --server, not both/],
    [['check', file('same.yaml'), '--config', file('c'), ...there()], /give --server or --config, not both/],
    [['replay', '@x', ...there()], /versions are numbers/],
    [['replay', '@1', '@2', ...there()], /stands alone/],
  ] as const) {
    const { code, stderr } = await policy(...args);
    assert.equal(code, 64, stderr);
    assert.match(stderr, told);
  }
});

test('nothing that a server says acts on the terminal', async () => {
  const evil = 'evil\u001b[2J\u202e\u0007\u2028';
  const outcome = { effect: 'allow', rule: evil, injected: [evil] };
  const change = { change: evil, request: evil, was: outcome, would: outcome, count: 1, traceId: evil };
  const responses: Readonly<Record<string, object>> = {
    '/v1/policy/explain': {
      request: evil,
      policy: evil,
      effect: 'deny',
      rule: evil,
      inject: [],
      steps: [],
      text: `a\n${evil}\n`,
    },
    '/v1/policy/check': {
      ok: true,
      version: evil,
      rules: 1,
      problems: [{ severity: 'warning', message: evil, file: evil }],
    },
    '/v1/policy/diff': {
      opened: [evil],
      closed: [],
      added: [],
      removed: [],
      changed: [],
      text: `${evil}\nb\n`,
    },
    '/v1/policy/replay/whole': {
      policy: evil,
      replayed: 1,
      unchanged: 0,
      flipped: 300,
      flips: [change],
      others: [change, { ...change, change: 'rule' }],
      unsure: [{ request: evil, reason: evil, count: 1 }],
      notReplayed: [{ reason: evil, count: 1 }],
      fieldsUnseen: 0,
    },
    '/v1/exchanges/e': event('e', { scheme: 'https', port: 443, rule: evil, principal: evil }),
  };
  const server = createServer((request, response) => {
    request.resume();
    const said = responses[request.url ?? ''] ?? {};
    const isStream = request.url?.endsWith('/whole') === true;
    if (isStream) response.setHeader('content-type', 'text/event-stream');
    const told = JSON.stringify({ looked: 1, result: said });
    response.end(
      isStream
        ? `: follows\n\ndata: {"looked":0,"searchedTo":"2026-01-01T00:00:00.000Z"}\n\ndata: ${told}\n\n`
        : JSON.stringify(said),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using stack = new AsyncDisposableStack();
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const hostile = at((server.address() as AddressInfo).port, 'any');
  for (const args of [
    ['explain', 'GET', 'https://a.test/'],
    ['explain', 'exchange', 'e'],
    ['check', file('same.yaml')],
    ['diff', '@', file('new.yaml')],
    ['replay', file('same.yaml')],
  ])
    for (const json of [[], ['--json']]) {
      const { stdout, stderr } = await policy(...args, ...json, ...hostile);
      assert.ok(stdout.includes('evil'), `${args.join(' ')}: ${stderr}`);
      // eslint-disable-next-line no-control-regex -- these are what must not come
      assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f\u202e\u2028]/, args.join(' '));
    }
  const { stdout } = await policy('replay', file('same.yaml'), ...hostile);
  assert.match(stdout, /, 300 flip\n/);
  assert.match(stdout, /and 299 more, which are not listed/);
});

test('where files or a configuration are named the current context is not asked, nor its file read', async () => {
  const home = file('home');
  await mkdir(join(home, '.config', 'upstreamproxy'), { recursive: true });
  // Others may read it, so that whoever reads it fails.
  await writeFile(join(home, '.config', 'upstreamproxy', 'contexts.json'), '{}', { mode: 0o644 });
  await using other = startCommands({ ...process.env, HOME: home });
  const run = (...args: readonly string[]) => other.run(['policy', ...args]);
  assert.equal((await run('check', file('same.yaml'))).code, 0);
  assert.equal((await run('diff', file('same.yaml'), file('new.yaml'))).code, 0);
  assert.equal(
    (await run('explain', 'GET', 'https://api.example.com/', '--policy', file('same.yaml'))).code,
    0,
  );
  const config = file('here.yaml');
  await writeFile(config, `stateDirectory: ${file('state-of-here')}\npolicy: ${file('same.yaml')}\n`);
  for (const args of [
    ['check'],
    ['diff', file('same.yaml'), file('new.yaml')],
    ['explain', 'GET', 'https://api.example.com/'],
  ]) {
    const { code, stderr } = await run(...args, '--config', config);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
  }
  for (const args of [
    ['explain', 'GET', 'https://api.example.com/'],
    ['replay', file('same.yaml')],
  ])
    assert.match((await run(...args)).stderr, /others may read it/, args.join(' '));
  const { code, stderr } = await run('explain', 'GET', 'https://api.example.com/', '--state', file('none'));
  assert.equal(code, 64);
  assert.match(stderr, /--state is for an exchange alone; say which policy: --policy FILE or --config FILE/);
});

test('a policy that is published in the store is asked here too: with its ceiling, replayed, and as of an exchange', async () => {
  const state = file('state-of-store');
  const config = file('store.yaml');
  await writeFile(config, `stateDirectory: ${state}\npolicy: store\n`);
  const here = (...args: readonly string[]) => policy(...args, '--config', config);
  await writeFile(file('ceiling.yaml'), 'rules:\n  - { name: some, hosts: "*.example.com" }\n');
  await writeFile(file('main.yaml'), 'rules:\n  - { name: any, hosts: ["a.example.com", "b.test"] }\n');
  const nothing = await here('explain', 'GET', 'https://a.example.com/');
  assert.equal(nothing.code, 77, nothing.stderr);
  await here('publish', file('main.yaml'));
  const alone = await here('explain', 'GET', 'https://b.test/');
  assert.match(
    alone.stdout,
    /^ALLOW GET https:\/\/b\.test\/\n {2}decided by: any \(main@1\/main\.yaml:2\)/,
    alone.stderr,
  );
  await here('publish', file('ceiling.yaml'), '--name', 'ceiling');
  const under = await here('explain', 'GET', 'https://b.test/');
  assert.equal(under.code, 77);
  assert.match(
    under.stdout,
    /^DENY GET https:\/\/b\.test\/\n {2}decided by: ceiling-deny, of the policy ceiling\n/,
  );
  assert.match(under.stdout, /\npolicy ceiling:\n[^]*\npolicy main:\nALLOW /);
  {
    await using store = await openStore(`sqlite:${join(state, 'state.db')}`);
    await store.sessions.enrol(newSession('s', { claims: {} }), { enrolmentsPerTokenMax: 10 });
    // It was only looked at: no gateway has taken anything.
    assert.deepEqual(await store.policies.outcomes('main', 1), []);
    const [main] = await store.policies.published();
    const recorded = { scheme: 'https', port: 443, host: 'b.test', rule: 'any', sessionId: 's' } as const;
    const json = event('here', { ...recorded, policyVersion: main?.version ?? '' });
    await store.audit.append([
      {
        id: json.id,
        verdict: json.verdict,
        kind: json.kind,
        timeMs: startMs,
        sessionId: 's',
        json: JSON.stringify(json),
      },
    ]);
  }
  const replayed = await here('replay', '--fail-on-flip');
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.match(replayed.stdout, /1 decisions replayed, 1 unchanged, 0 flip/);
  const other = await here('replay', '--name', 'ceiling', '--fail-on-flip');
  assert.equal(other.code, 1, other.stderr);
  const exchange = await here('explain', 'exchange', 'here');
  assert.match(exchange.stdout, /^event here of /, exchange.stderr);
  assert.match(exchange.stdout, /note: the policy that decided is not kept/);
});

test('what a session that another one made asked for is explained and replayed here by what it was narrowed by too', async () => {
  const state = file('state-of-narrowed');
  const config = file('narrowed.yaml');
  const rules = file('narrowed-rules.yaml');
  await writeFile(rules, 'rules:\n  - { name: any, hosts: a.test, methods: [GET, POST] }\n');
  await writeFile(config, `stateDirectory: ${state}\npolicy: ${rules}\n`);
  const recorded = { scheme: 'https', port: 443, host: 'a.test' } as const;
  const refused = {
    ...recorded,
    method: 'POST',
    verdict: 'deny',
    errorCode: 'policy_denied',
    status: 403,
  } as const;
  const details = { parent: 'root', above: ['root'] };
  const events = [
    event('began', { kind: 'session', action: 'narrowed', verdict: 'info', sessionId: 'old', details }),
    event('got', { ...recorded, method: 'GET', rule: 'any', sessionId: 'kid' }),
    event('posted', { ...refused, rule: 'narrowed-deny', sessionId: 'kid' }),
    event('of-old', { ...refused, rule: 'narrowed-deny', sessionId: 'old' }),
  ];
  {
    await using store = await openStore(`sqlite:${join(state, 'state.db')}`);
    await store.sessions.enrol(newSession('root', { claims: {} }), { enrolmentsPerTokenMax: 10 });
    await store.sessions.commit('root', 2000);
    const child = {
      id: 'kid',
      parentId: 'root',
      keyThumbprint: 'k',
      agentVersion: '0.1.0',
      isConfined: true,
    };
    const narrowing = 'rules: [{ name: look, hosts: a.test, methods: GET }]';
    const { kind } = await store.sessions.narrow(
      { ...child, policy: narrowing, nowMs: 3000, endsMs: 90_000 },
      { livingMax: 10, storedMax: 10, depthMax: 4 },
    );
    assert.equal(kind, 'narrowed');
    await store.audit.append(
      events.map((one) => ({
        id: one.id,
        verdict: one.verdict,
        kind: one.kind,
        timeMs: startMs,
        sessionId: one.sessionId ?? '',
        json: JSON.stringify(one),
      })),
    );
  }
  const here = (...args: readonly string[]) => policy(...args, '--config', config);
  const explained = async (id: string, code: number): Promise<string> => {
    const told = await here('explain', 'exchange', id);
    assert.equal(told.code, code, told.stderr + told.stdout);
    return told.stdout;
  };
  assert.match(await explained('got', 0), /\nALLOW GET [^]*\npolicy of session kid:\nALLOW /);
  const denied = await explained('posted', 77);
  assert.match(denied, /\nDENY POST [^]*decided by: narrowed-deny[^]*\npolicy of session kid:\nDENY /);
  const gone = await explained('of-old', 77);
  assert.match(gone, /note: the policy that its session was narrowed by is not kept/);
  assert.match(gone, /DENY POST [^]*decided by: narrowing-gone/);
  const replayed = await here('replay', rules, '--fail-on-flip');
  assert.equal(replayed.code, 0, replayed.stdout + replayed.stderr);
  assert.match(replayed.stdout, /2 unchanged, 0 flip/);
  assert.match(replayed.stdout, /depends on the policy that its session was narrowed by/);
  // An export has no policies of sessions.
  const audit = file('narrowed.jsonl');
  const began = { ...event('kid-began', { kind: 'session', action: 'narrowed', sessionId: 'kid', details }) };
  await writeFile(audit, [began, ...events].map((one) => `${JSON.stringify(one)}\n`).join(''));
  const ofFile = await policy('replay', rules, '--audit', audit, '--fail-on-flip');
  assert.equal(ofFile.code, 0, ofFile.stdout + ofFile.stderr);
  assert.match(ofFile.stdout, /0 unchanged, 0 flip[^]*narrowed by, which is not kept/);
});
