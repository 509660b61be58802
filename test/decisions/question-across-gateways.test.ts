// A request that is held while its gateway restarts, or while somebody decides at another gateway; and two who decide at once.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Approver } from '../support/approver.ts';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy } from '../support/deployment.ts';
import { type EndlessOrigin, endlessOrigin } from '../support/endless-origin.ts';
import { freePort } from '../support/free-port.ts';
import { type GatewayPair, gatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { startGatewayProcess, waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const rules = [{ name: 'ask', hosts: ['api.test'], ask: true }];
const configOf = (origin: EndlessOrigin) => ({
  admin: {},
  limits: { drainTimeoutMs: 2000 },
  upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
});

const curl = (agent: AgentProcess, path: string): Promise<CommandResult> =>
  runCommand('curl', ['-sS', '-i', '--data', 'x', `https://api.test${path}`], {
    env: { ...process.env, ...agent.env },
  });

/** Gateways that start and end take their time. */
const isLong = process.env['DECISIONS_RUNS'] !== undefined;
const elsewhere = 'npm run test:decisions runs it';

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  test(
    `a gateway that ends by ${signal} while a request is held sends nothing, and the question outlives it`,
    { skip: isLong ? false : elsewhere },
    async () => {
      await using stack = new AsyncDisposableStack();
      const authority = createTestAuthority();
      const origin = stack.use(await endlessOrigin(authority));
      const listen = { address: '127.0.0.1', port: await freePort() };
      const set = stack.use(await deploy({ rules, authority, config: { ...configOf(origin), listen } }));
      const approver = await Approver.of({ ...set, stateDirectory: join(set.directory, 'state') });
      const agent = stack.use(await set.startAgent());
      await approver.look();
      const held = curl(agent, '/restart');
      const { id } = await approver.open();
      process.kill(set.gateway.pid, signal);
      await set.gateway.ended;
      stack.use(await startGatewayProcess(set.configFile));
      // Its agent keeps its streams until a gateway is there and says that it does not know them.
      assert.doesNotMatch((await held).stdout, /^hello$/m);
      assert.deepEqual(origin.requests, []);
      assert.equal((await approver.open()).id, id);
      assert.equal((await approver.decide(id, 'once')).status, 200);
      assert.deepEqual(origin.requests, []);
      // The agent comes back by itself; until then its clients are told so.
      await waitUntil('the request', async () => /^hello$/m.test((await curl(agent, '/restart')).stdout));
      assert.deepEqual(origin.requests, ['POST api.test /restart']);
      assert.deepEqual(await approver.look(), []);
    },
  );

const binaries = postgresBinaries();
const skip = !isLong ? elsewhere : 'missing' in binaries ? binaries.missing : false;

describe('one question at two gateways', { skip }, () => {
  const stack = new AsyncDisposableStack();
  let origin: EndlessOrigin;
  let pair: GatewayPair;
  let agent: AgentProcess;
  let here: Approver;
  let there: Approver;

  before(async () => {
    const authority = createTestAuthority();
    origin = stack.use(await endlessOrigin(authority));
    pair = stack.use(await gatewayPair({ rules, authority, config: configOf(origin) }));
    const { directory, configFile } = pair.set;
    here = await Approver.of({ configFile, stateDirectory: join(directory, 'state') });
    there = await Approver.of({ configFile, stateDirectory: join(directory, 'other-state'), name: 'bob' });
    agent = stack.use(await pair.set.startAgent({ gatewayUrl: pair.balancerUrl }));
  });
  after(() => stack.disposeAsync());

  test('an approver who looks at the other one alone is asked, and a yes there lets it go on', async () => {
    await there.look();
    const held = curl(agent, '/allowed-there');
    const { id } = await there.open();
    assert.equal((await there.decide(id, 'once')).status, 200);
    assert.match((await held).stdout, /^HTTP\/[12.]+ 200/m);
    assert.equal((await here.decide(id, 'deny')).status, 409);
    assert.deepEqual(origin.requests, ['POST api.test /allowed-there']);
  });

  test('of two who decide at once, one has decided, and the client sees that decision', async () => {
    for (let round = 0; round < 6; round += 1) {
      const path = `/at-once-${round}`;
      await there.look();
      const held = curl(agent, path);
      const { id } = await there.open();
      const decisions = [here.decide(id, 'once'), there.decide(id, 'deny')];
      const said = await Promise.all(round % 2 === 0 ? decisions : decisions.toReversed());
      const statuses = said.map(({ status }) => status);
      const [allowed, denied] = round % 2 === 0 ? statuses : statuses.toReversed();
      assert.deepEqual([allowed, denied].toSorted(), [200, 409]);
      const { stdout } = await held;
      assert.match(stdout, allowed === 200 ? /^HTTP\/[12.]+ 200/m : /said no \(question/);
      assert.equal(origin.requests.includes(`POST api.test ${path}`), allowed === 200);
    }
    // What came second has no event, or one more that says that it does not count.
    const told = (await pair.set.audit()).map(({ action }) => action);
    const count = (action: string): number => told.filter((one) => one === action).length;
    assert.equal(count('question_answered') - count('question_overtaken'), 7);
  });
});
