// The action in whole jobs: what is refused and how that is told, faults, ends of every kind, and what is left.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { deployElsewhere, openActionStage } from '../support/action-stage.ts';
import { waitUntil } from '../support/program.ts';

const policy = `rules:
  - name: api
    hosts: api.example.com
    methods: GET
  - name: no-registry
    hosts: registry.example.com
    deny: not in this job
`;

describe('a job with the action', () => {
  test('is refused what no rule allows: an annotation, a row, a finding, and the job fails at its end', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    await stage.write('policy.yaml', policy);
    const files = { sarif: 'out.sarif', audit: 'audit.jsonl' };
    const main = await runner.use({ ...stage.inputs, ...files, policy: 'policy.yaml' });
    assert.equal(main.code, 0, main.log);
    const step = await runner.run(
      'curl -sS https://api.example.com/hello; curl -s -o /dev/null -w "%{http_code}\\n" "https://other.example.com/|::error::x"',
    );
    assert.match(step.log, /^hello\n403$/m);
    const [post] = await runner.finish();
    assert.equal(post?.code, 1);
    const [first] = post?.annotations ?? [];
    assert.equal(first?.level, 'error');
    assert.equal(first?.properties['file'], 'policy.yaml');
    assert.match(
      first?.text ?? '',
      /^GET https:\/\/other\.example\.com\/.*: policy_denied, rule default-deny$/,
    );
    assert.match(post?.summary ?? '', /^### Refused: no rule allows it$/m);
    assert.match(post?.summary ?? '', /^\| <code>GET https&#58;&#47;&#47;other/m);
    const sarif = JSON.parse(await readFile(join(runner.workspace, 'out.sarif'), 'utf8')) as {
      readonly runs: readonly { readonly results: readonly { readonly ruleId: string }[] }[];
    };
    assert.deepEqual(
      sarif.runs[0]?.results.map(({ ruleId }) => ruleId),
      ['refused'],
    );
    assert.match(
      await readFile(join(runner.workspace, 'audit.jsonl'), 'utf8'),
      /"host":"other\.example\.com"/,
    );
    assert.deepEqual(await stage.leftFiles(), []);
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
  });

  test('is warned of what a rule denies, and does not fail by it', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    await stage.write('policy.yaml', policy);
    await runner.use({ ...stage.inputs, policy: 'policy.yaml' });
    await runner.run('curl -s https://registry.example.com/greeting');
    const [post] = await runner.finish();
    assert.equal(post?.code, 0, String(post?.log));
    assert.deepEqual(
      post?.annotations.map(({ level, text }) => [level, text.replace(/^\S+ \S+ /, '')]),
      [['warning', 'policy_denied, rule no-registry']],
    );
  });

  test('tries a policy while it observes', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    await stage.write('policy.yaml', policy);
    await runner.use({ ...stage.inputs, policy: 'policy.yaml', mode: 'observe' });
    const clone = `git clone -q https://git.example.com${new URL(stage.git.url('git.example.com')).pathname} copy`;
    const step = await runner.run(`${clone} || true; curl -sS https://other.example.com/hello`);
    assert.match(step.log, /^hello$/m);
    const [post] = await runner.finish();
    assert.equal(post?.code, 0, String(post?.log));
    assert.match(post?.summary ?? '', /^### The policy would have refused$/m);
    assert.ok(post?.annotations.every(({ level }) => level === 'warning'));
    assert.ok((post?.annotations.length ?? 0) >= 1);
  });

  test('says in one annotation what is wrong with its inputs, and leaves nothing', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    await stage.write('bad.yaml', 'rules:\n  - name: a b\n    host: x\n');
    await stage.write('policy.yaml', policy);
    const away = { gateway: 'https://127.0.0.1:9', program: stage.inputs['program']! };
    for (const [inputs, message, more] of [
      [{ policy: 'none.yaml' }, /none\.yaml is not there; has actions\/checkout run before this step\?/],
      [{ policy: 'bad.yaml' }, /bad\.yaml:\d+:\d+.*/],
      [{ policy: 'bad.yaml', mode: 'observe' }, /bad\.yaml:\d+:\d+.*/],
      [{ mode: 'strict' }, /^mode is observe or enforce, not "strict"$/],
      [{ mode: 'enforce', config: '' }, /^mode enforce needs a policy, or a gateway$/],
      [{ summary: 'yes' }, /^summary is true or false, not "yes"$/],
      [{ program: '/nowhere' }, /^there is no program at \/nowhere$/],
      [{ version: '1; rm' }, /^version is one of the npm package/],
      [{ write: 'x' }, /^write is for the commands of run$/],
      [{ ...away, config: '' }, /^the job may not ask for a token .*id-token: write/],
      [{ ...away, config: '' }, /gateway_unreachable|cannot be reached|nothing listens/, stage.idToken],
      [{ ...away, policy: 'policy.yaml' }, /^policy and config are for a gateway of the job/],
    ] as const) {
      const main = await runner.use({ ...stage.inputs, ...inputs }, more ?? {});
      assert.equal(main.code, 1, `${String(message)}: ${main.log}`);
      assert.equal(main.annotations.length, 1, JSON.stringify(main.annotations));
      assert.match(main.annotations[0]!.text, message);
      assert.deepEqual(runner.environment, {});
    }
    for (const post of await runner.finish()) assert.equal(post.code, 0, post.log);
    assert.deepEqual(await stage.leftFiles(), []);
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
  });

  test('shows a gateway elsewhere who it is, and is told what that refused', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    await using deployment = await deployElsewhere(stage);
    await stage.write('gateway-ca.pem', await readFile(deployment.gatewayCaFile, 'utf8'));
    const inputs = {
      program: stage.inputs['program']!,
      gateway: deployment.gateway.url,
      'gateway-ca': 'gateway-ca.pem',
    };
    const main = await runner.use(inputs, stage.idToken);
    assert.equal(main.code, 0, main.log + JSON.stringify(main.annotations));
    assert.deepEqual(main.orders, ['add-mask']);
    assert.match(runner.masks[0] ?? '', /^[\w-]+\.[\w-]+\.[\w-]+$/);
    const step = await runner.run(
      'curl -sS https://api.example.com/hello; curl -s -o /dev/null https://other.example.com/',
    );
    assert.match(step.log, /^hello$/m);
    const [post] = await runner.finish();
    assert.equal(post?.code, 1);
    assert.match(post?.annotations[0]?.text ?? '', /^GET https:\/\/other\.example\.com\/: policy_denied/);
    assert.match(post?.summary ?? '', /decided, and has the audit/);
    assert.deepEqual(await stage.leftFiles(), []);
  });
});

test('the program of the action comes by npm in the version of the action, without scripts, and goes with the job', async () => {
  await using stage = await openActionStage();
  const { runner } = stage;
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  const npm = join(runner.workspace, 'npm');
  const lines = [
    'echo "$@" >&2',
    'mkdir -p node_modules/.bin',
    `ln -s "${stage.inputs['program']}" node_modules/.bin/upstreamproxy`,
  ];
  await writeFile(npm, `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
  const PATH = `${runner.workspace}:${runner.base['PATH']}`;
  const main = await runner.use({ config: 'gateway.yaml' }, { PATH });
  assert.equal(main.code, 0, main.log);
  assert.match(
    main.log,
    new RegExp(`^install .*upstreamproxy@${version.replaceAll('.', '\\.')} .*--ignore-scripts`, 'm'),
  );
  const [post] = await runner.finish();
  assert.equal(post?.code, 0, String(post?.log));
  await writeFile(npm, '#!/bin/sh\necho "404 Not Found" >&2\nexit 1\n', { mode: 0o755 });
  const failed = await runner.use({ version: '9.9.9' }, { PATH });
  assert.deepEqual(
    [failed.code, failed.annotations.map(({ text }) => text)],
    [1, ['npm could not install upstreamproxy@9.9.9; the log says why']],
  );
  const without = await runner.use({}, { PATH: '/nowhere' });
  assert.match(without.annotations[0]?.text ?? '', /^there is no npm on the PATH/);
  await runner.finish();
  assert.deepEqual(await stage.leftFiles(), []);
});

describe('a job that ends otherwise', () => {
  test('whose session a step killed fails, and says so', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    await stage.write('policy.yaml', policy);
    await runner.use({ ...stage.inputs, policy: 'policy.yaml' });
    const kill =
      'for p in /proc/[0-9]*; do if tr "\\0" " " < $p/cmdline | grep -q "job-session .*$RUNNER_TEMP"; then kill -9 "${p#/proc/}"; fi; done 2>/dev/null || true';
    await runner.run(kill);
    const [post] = await runner.finish();
    assert.equal(post?.code, 1, String(post?.log));
    assert.deepEqual(
      post?.annotations.map(({ text }) => text.slice(0, 50)),
      ['its process was killed', 'the job fails because fail-on-denial is true: see the other'.slice(0, 50)],
    );
    assert.deepEqual(await stage.leftFiles(), []);
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
  });

  for (const [what, script] of [
    ['folder', 'rm -rf "$RUNNER_TEMP"/upstreamproxy-*-job'],
    ['record', 'cd "$RUNNER_TEMP"/upstreamproxy-*-job; rm -r session.json runs; mkfifo session.json'],
  ] as const)
    test(`whose ${what} a step removed fails, says so, and leaves no process`, async () => {
      await using stage = await openActionStage();
      const { runner } = stage;
      await stage.write('policy.yaml', policy);
      await runner.use({ ...stage.inputs, policy: 'policy.yaml' });
      await runner.run(script);
      const [post] = await runner.finish();
      assert.equal(post?.code, 1, String(post?.log));
      assert.match(post?.annotations[0]?.text ?? '', /^what the session kept is gone: a step removed it/);
      assert.deepEqual(await stage.leftFiles(), []);
      await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
    });

  test('which is cancelled while it starts leaves nothing', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    const step = await runner.startUse(stage.inputs);
    await waitUntil('the session is on its way', () =>
      stage.leftProcesses().some((one) => one.includes('job-session')),
    );
    step.cancel(60_000);
    assert.notEqual((await step.ended).code, 0);
    await runner.finish();
    assert.deepEqual(await stage.leftFiles(), []);
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
  });

  test('which is cancelled, and whose program heeds no signal, leaves nothing either', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    const hangs = join(runner.workspace, 'hangs');
    const lines = ['trap "" INT TERM', 'echo started >&2', 'while :; do sleep 0.1; done'];
    await writeFile(hangs, `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
    const step = await runner.startUse({ ...stage.inputs, program: hangs });
    await waitUntil('it has started', () => step.said().includes('started'));
    step.cancel(50, 50);
    assert.notEqual((await step.ended).code, 0);
    await runner.finish();
    assert.deepEqual(await stage.leftFiles(), []);
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
  });

  test('whose first step is killed once the session stands is ended by its last', async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    const step = await runner.startUse(stage.inputs);
    await waitUntil('the session stands', () => step.said().includes('the session stands'));
    process.kill(step.pid, 'SIGKILL');
    await step.ended;
    const [post] = await runner.finish();
    assert.equal(post?.code, 0, String(post?.log));
    assert.deepEqual(await stage.leftFiles(), []);
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
  });
});
