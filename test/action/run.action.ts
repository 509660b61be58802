// The input `run`: commands in the jail, which give the runner no orders and find no other way out.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { deployElsewhere, openActionStage } from '../support/action-stage.ts';
import { waitUntil } from '../support/program.ts';

const policy = 'rules:\n  - name: api\n    hosts: api.example.com\n';

test('commands of run have no way out but the proxy, give no orders, and get no token of the job', async () => {
  await using stage = await openActionStage();
  const { runner, api } = stage;
  await stage.write('policy.yaml', policy);
  const result = await runner.use(
    {
      ...stage.inputs,
      policy: 'policy.yaml',
      'fail-on-denial': 'false',
      run: `curl -sS https://api.example.com/hello
echo "::error::forged"; echo "##[add-mask]hello"; echo "::set-env name=X::y"
echo "::error::forged too" >&2; echo "##[add-mask]hello" >&2; echo "::set-env name=X::y" >&2
env | grep -c '^ACTIONS_\\|^GITHUB_ENV=\\|^INPUT_' || true
if curl -sS --noproxy '*' -m 5 -k https://127.0.0.1:${api.port}/hello; then echo OUT; fi
if echo x=y >> "$RUNNER_TEMP"/_runner_file_commands/set_env_1; then echo WROTE; fi
printf 'rules:\\n  - name: all\\n    hosts: [api.example.com, other.example.com]\\n' > policy.yaml
for i in $(seq 25); do sleep 0.1; curl -s -o /dev/null -w '%{http_code}\\n' https://other.example.com/hello; done | sort -u
echo written > "$GITHUB_WORKSPACE/made"; echo t > "$TMPDIR/t"
if mkdir -p ~/.npm/_cacache; then echo SHARED; fi
test "$(npm config get cache)" = "$TMPDIR/npm" && echo own cache
mkdir "$TMPDIR/closed"; touch "$TMPDIR/closed/file"; chmod 0555 "$TMPDIR/closed"`,
    },
    { ...stage.idToken, ACTIONS_RUNTIME_TOKEN: 'secret' },
  );
  assert.equal(result.code, 0, result.log + JSON.stringify(result.annotations));
  assert.match(result.log, /^hello$/m);
  assert.match(result.log, /^::error::forged$/m);
  assert.match(result.log, /^::error::forged too$/m);
  assert.match(result.log, /^0$/m);
  assert.match(result.log, /^own cache$/m);
  // It could write the policy, which is followed no more.
  assert.match(result.log, /^403$/m);
  assert.doesNotMatch(result.log, /^200$/m);
  assert.doesNotMatch(result.log, /^OUT$|^WROTE$|^SHARED$/m);
  assert.ok(
    result.annotations.every(({ text }) =>
      text.startsWith('GET https://other.example.com/hello: policy_denied'),
    ),
  );
  assert.deepEqual(result.orders, ['stop-commands']);
  assert.deepEqual(runner.environment, {});
  assert.match(result.summary, /^## upstreamproxy: 26 requests, 25 refused$/m);
  for (const post of await runner.finish()) assert.equal(post.code, 0, post.log);
  assert.deepEqual(await stage.leftFiles(), []);
});

test('a step of run fails with its commands, and by a refusal that the commands hide', async () => {
  await using stage = await openActionStage();
  const { runner } = stage;
  await stage.write('policy.yaml', policy);
  const inputs = { ...stage.inputs, policy: 'policy.yaml' };
  const failed = await runner.use({ ...inputs, run: 'exit 7' });
  assert.deepEqual(
    [failed.code, failed.annotations.map(({ text }) => text)],
    [1, ['the commands ended with 7']],
  );
  const hidden = await runner.use({ ...inputs, run: 'curl -s https://other.example.com/ || true' });
  assert.equal(hidden.code, 1);
  assert.match(hidden.annotations[0]?.text ?? '', /^GET https:\/\/other\.example\.com\/: policy_denied/);
  await runner.finish();
  assert.deepEqual(await stage.leftFiles(), []);
});

test('commands of run end with a step that is cancelled, and with one that is killed', async () => {
  for (const [intMs, termMs] of [
    // As the runner does: bash heeds SIGINT only if what it waits for ends by it.
    [7_500, 2_500],
    [10, 10],
  ] as const) {
    await using stage = await openActionStage();
    const { runner } = stage;
    await stage.write('policy.yaml', policy);
    const trap = intMs === 10 ? 'trap "" INT TERM; ' : '';
    const run = `${trap}echo "begun $$"; while :; do sleep 0.1; done`;
    const step = await runner.startUse({ ...stage.inputs, policy: 'policy.yaml', run });
    await waitUntil('the commands run', () => /^begun /m.test(step.said()));
    step.cancel(intMs, termMs);
    await step.ended;
    await runner.finish();
    await waitUntil('nothing runs any more', () => stage.leftProcesses().length === 0);
    assert.deepEqual(await stage.leftFiles(), []);
  }
});

test('commands of run with a gateway elsewhere are told of as others are', async () => {
  await using stage = await openActionStage();
  const { runner } = stage;
  await using deployment = await deployElsewhere(stage);
  const inputs = {
    program: stage.inputs['program']!,
    gateway: deployment.gateway.url,
    'gateway-ca': deployment.gatewayCaFile,
  };
  const run = 'curl -sS https://api.example.com/hello; curl -s https://other.example.com/ || true';
  const refused = await runner.use({ ...inputs, run }, stage.idToken);
  assert.equal(refused.code, 1);
  assert.match(refused.log, /^hello$/m);
  assert.match(refused.annotations[0]?.text ?? '', /^GET https:\/\/other\.example\.com\/: policy_denied/);
  assert.match(refused.summary, /decided, and has the audit/);
  const good = await runner.use({ ...inputs, run: 'curl -sS https://api.example.com/hello' }, stage.idToken);
  assert.deepEqual([good.code, good.annotations], [0, []]);
  await runner.finish();
  assert.deepEqual(await stage.leftFiles(), []);
});

test('what run cannot start it does not start, and the annotation says why', async () => {
  await using stage = await openActionStage();
  const { runner } = stage;
  await stage.write('policy.yaml', policy);
  const inputs = { ...stage.inputs, policy: 'policy.yaml', run: 'echo STARTED', write: 'nowhere' };
  const result = await runner.use(inputs);
  assert.equal(result.code, 1);
  assert.doesNotMatch(result.log, /STARTED/);
  assert.match(result.annotations.at(-1)?.text ?? '', /^upstreamproxy: --fs-write .*nowhere: .* \[usage\]$/);
  await runner.finish();
  assert.deepEqual(await stage.leftFiles(), []);
});
