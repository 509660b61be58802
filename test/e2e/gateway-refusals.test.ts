// What `run` says of refusals at its end: the same with a gateway elsewhere as with its own.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { initUpstreamProxy } from '../../src/agent/init.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { launcher } from '../support/program.ts';
import { skipWithout } from '../support/tools.ts';

const rules = [
  { name: 'closed', hosts: 'closed.test', deny: 'It is closed.' },
  { name: 'open', hosts: 'open.test' },
];
const asked = ['https://asked.test/a?token=1', 'https://asked.test/a?token=2', 'http://closed.test/b'];
const script = `for url in ${asked.join(' ')}; do curl -sS "$url" >/dev/null; done`;

/** The end of what it said, with the audit's place left out. */
function told(stderr: string): readonly string[] {
  const [, list = ''] = stderr.split('upstreamproxy: refused in this run (all of it: ');
  const [place = '', ...lines] = list.split('\n');
  assert.match(place, /\):$/, stderr);
  return lines;
}

test(
  'a run behind a gateway elsewhere ends with the list that one with its own gateway ends with',
  { skip: skipWithout('curl') },
  async () => {
    await using set = await deploy({ rules });
    const env = { ...process.env, XDG_STATE_HOME: join(set.directory, 'state') };
    const command = ['--', 'sh', '-c', script];
    const own = await runCommand(
      launcher,
      ['run', '--policy', join(set.directory, 'policy.yaml'), ...command],
      { env },
    );
    const options = set.agentOptions(await set.issueToken());
    const other = await runCommand(launcher, ['run', ...options, ...command], { env });
    assert.deepEqual(told(other.stderr), told(own.stderr));
    assert.deepEqual(told(other.stderr), [
      '  GET https://asked.test/a: policy_denied, rule default-deny (2 times)',
      '  GET http://closed.test/b: policy_denied, rule closed',
      '',
    ]);
    assert.match(other.stderr, new RegExp(`\\(all of it: the audit of ${set.gateway.url}\\):`));

    const quiet = ['run', '--quiet', ...set.agentOptions(await set.issueToken()), ...command];
    assert.doesNotMatch((await runCommand(launcher, quiet, { env })).stderr, /refused in this run/);
    const nothing = ['run', ...set.agentOptions(await set.issueToken()), '--', 'true'];
    assert.doesNotMatch((await runCommand(launcher, nothing, { env })).stderr, /refus/);
  },
);

test('each session is told its own refusals, from a thread of its own too, by a gateway of two processes', async () => {
  await using set = await deploy({ rules, config: { workers: 2 } });
  for (const ownThread of [false, true]) {
    await using proxy = await initUpstreamProxy({
      gatewayUrl: set.gateway.url,
      gatewayCa: set.gatewayCaFile,
      tokenFile: await set.issueToken(),
      environment: {},
      logger: silentLogger,
      ownThread,
      onFailure: 'throw',
    });
    assert.deepEqual(await proxy.refusals(), { refusals: [], others: 0, isWhole: true });
    const { status } = await proxy.fetch('http://closed.test/b?secret');
    assert.equal(status, 403);
    const refusal = { kind: 'exchange', method: 'GET', scheme: 'http', host: 'closed.test', port: 80 };
    assert.deepEqual((await proxy.refusals())?.refusals, [
      { ...refusal, path: '/b', code: 'policy_denied', rule: 'closed', count: 1 },
    ]);
    await proxy.close();
    await assert.rejects(proxy.refusals());
  }
});
