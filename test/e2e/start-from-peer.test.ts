// Gateways that are restarted while their database is away: each goes on with what another one hands it, and what was revoked stays out; where
// all are restarted nobody serves until it is back.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { asProxyError } from '../../src/protocol/error.ts';
import { reasonOf } from '../../src/agent/uplink/session-over.ts';
import { mustRunShared } from '../support/command-process.ts';
import { freePort } from '../support/free-port.ts';
import { openFleet } from '../support/gateway-fleet.ts';
import { gatewayPair } from '../support/gateway-pair.ts';
import { askOn, GatewaySession } from '../support/gateway-session.ts';
import { load, targetsAt } from '../support/fleet-load.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { endChild, isRunning, launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { workersOf } from '../support/worker-processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

/** One that need not serve soon. */
function begin(configFile: string, options: readonly string[] = []) {
  const words = ['gateway', '--config', configFile, ...options];
  const child = spawn(launcher, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  return {
    pid: child.pid ?? 0,
    ended,
    end: () => child.kill('SIGTERM'),
    log: () => said.join('\n'),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    [Symbol.asyncDispose]: () => endChild(child),
  };
}

/** What `/readyz` says; undefined where nobody listens. */
function readyz(port: number): Promise<string | undefined> {
  return askAt(port, '/readyz');
}

function askAt(port: number, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = https.get({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      rejectUnauthorized: false,
    });
    request.on('error', () => resolve(undefined));
    request.on('response', (response) => void text(response).then(resolve, () => resolve(undefined)));
  });
}

/** Why the gateway refuses the session. */
async function refusalOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
    return 'served';
  } catch (error) {
    return reasonOf(asProxyError(error));
  }
}

async function scene(stack: AsyncDisposableStack) {
  const folder = stack.use(await temporaryDirectory()).path;
  const keyFile = join(folder, 'identity-key');
  await writeFile(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const [first, other, firstPeer, otherPeer] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  // That of a second worker is the next one.
  await freePort();
  const pair = stack.use(
    await gatewayPair(
      { rules: [], config: { identity: { store: true, keyEncryptionKey: { file: keyFile } } } },
      (which) => {
        const [port, peer] = which === 'first' ? [first, firstPeer] : [other, otherPeer];
        return {
          listen: { address: '127.0.0.1', port },
          peers: { listen: { address: '127.0.0.1', port: peer } },
        };
      },
    ),
  );
  const enrol = (): Promise<GatewaySession> =>
    GatewaySession.enrol({
      gatewayCaFile: pair.set.gatewayCaFile,
      issueToken: () => pair.set.issueToken(),
      gateway: { url: pair.balancerUrl },
    });
  const seen = (folderName: string) =>
    readFile(join(pair.set.directory, folderName, 'peers-seen.json'), 'utf8');
  return { pair, enrol, first, other, firstPeer, otherPeer, seen };
}

test(
  'revoked, the database stopped, every gateway restarted one by one: the session stays out and the others go on; all at once: nobody serves',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { pair, enrol, first, other, firstPeer, otherPeer, seen } = await scene(stack);
    const { set, database, balancer } = pair;
    const [revoked, living] = [await enrol(), await enrol()];
    const said = await mustRunShared(['session', 'revoke', revoked.id, '--config', set.configFile]);
    assert.match(said, /confirmed by 2 of 2 gateways/);
    // Each knows where the other one is, and how far both are, before anything happens.
    await waitUntil('both have kept it', async () =>
      [
        [await seen('state').catch(() => ''), otherPeer],
        [await seen('other-state').catch(() => ''), firstPeer],
      ].every(([kept, peer]) => String(kept).includes(`127.0.0.1:${peer}`)),
    );
    process.kill(database.pid, 'SIGKILL');
    await waitUntil('the database is gone', () => !isRunning(database.pid));
    await waitUntil('both notice', () =>
      [set.gateway, pair.other].every((one) => one.log().includes('the store is away')),
    );

    const check = async (port: number): Promise<void> => {
      balancer.leadTo(port);
      balancer.cut();
      assert.equal(await readyz(port), 'ready, degraded: the store is away\n');
      assert.equal(await refusalOf(revoked.session.renew()), 'session_revoked');
      assert.equal(await refusalOf(revoked.openTunnel()), 'session_revoked');
      await living.session.renew();
      const link = await living.openTunnel();
      // The policy is that of the others too: it is decided, not refused for want of one.
      const { status } = await askOn(link, 'http://nowhere.test/');
      assert.equal(status, 403);
      link.destroy(asProxyError(new Error('enough')));
      assert.equal(await refusalOf(enrol()), 'store_unavailable');
    };

    await set.gateway.close();
    const firstAgain = stack.use(await startGatewayProcess(set.configFile));
    assert.match(firstAgain.log(), /handed over what it knows up to change \d+: 1 sessions that ended/);
    await check(first);
    await waitUntil('the other one knows where it is', async () =>
      (await seen('other-state')).includes(`127.0.0.1:${firstPeer}`),
    );
    await pair.other.close();
    const otherAgain = stack.use(await startGatewayProcess(pair.otherConfigFile));
    await check(other);
    // Since when it is away is handed on: one gateway after the other does not go on for ever.
    assert.match(otherAgain.log(), /its store has been away for \d+\.\d s/);

    await Promise.all([firstAgain.close(), otherAgain.close()]);
    const late = [stack.use(begin(set.configFile)), stack.use(begin(pair.otherConfigFile))] as const;
    await waitUntil('both wait', () =>
      late.every(({ log }) => /no other gateway could hand it over/.test(log())),
    );
    const waiting = 'waiting for the store, or for another gateway\n';
    assert.deepEqual([await readyz(first), await readyz(other)], [waiting, waiting]);
    assert.equal(await askAt(first, '/healthz'), 'ok\n');
    balancer.leadTo(first);
    assert.equal(await refusalOf(living.session.renew()), 'store_unavailable');
    assert.equal(await refusalOf(living.openTunnel()), 'store_unavailable');
    assert.equal(await refusalOf(revoked.openTunnel()), 'store_unavailable');
    assert.ok(late.every((one) => one.isRunning()));

    await database.start();
    for (const port of [first, other])
      await waitUntil('it serves', async () => (await readyz(port)) === 'ready\n');
    balancer.leadTo(first);
    balancer.cut();
    assert.equal(await refusalOf(revoked.session.renew()), 'session_revoked');
    await living.session.renew();
    await enrol();
  },
);

for (const workers of [1, 2])
  test(`a signal while it waits for its store ends a gateway of ${workers}, as it is asked to`, async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryDirectory()).path;
    await writeFile(join(folder, 'policy.yaml'), 'rules: []\n');
    const [port, peer, nobody] = [await freePort(), await freePort(), await freePort()];
    const configFile = join(folder, 'gateway.yaml');
    const config = {
      publicNames: ['127.0.0.1'],
      stateDirectory: 'state',
      policy: 'policy.yaml',
      listen: { address: '127.0.0.1', port },
    };
    await writeFile(configFile, JSON.stringify(config));
    // Its keys are there, as of a gateway that has served before.
    await mustRunShared(['ca', 'show', '--server', '--config', configFile]);
    await mustRunShared(['ca', 'show', '--config', configFile]);
    const peers = { listen: { address: '127.0.0.1', port: peer } };
    const store = { url: `postgres://someone@127.0.0.1:${nobody}/none` };
    await writeFile(configFile, JSON.stringify({ ...config, peers, store }));
    const gateway = stack.use(begin(configFile, ['--workers', String(workers)]));
    await waitUntil('it waits', () => /no other gateway could hand it over/.test(gateway.log()));
    const started = workersOf(gateway.pid);
    assert.equal(started.length, workers === 1 ? 0 : 1);
    gateway.end();
    assert.equal(await gateway.ended, 0, gateway.log());
    assert.doesNotMatch(gateway.log(), /\[internal\]/);
    assert.deepEqual(started.filter(isRunning), []);
  });

const each = process.env['UPSTREAMPROXY_CLUSTER_EACH'];
const whole = skip === false && each === undefined ? 'of npm run test:cluster' : skip;

test(
  'scenario s: a gateway that starts from another one takes the store when that is back, and its audit is whole',
  { skip: whole },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { pair, enrol, other, firstPeer, seen } = await scene(stack);
    const { set, database, balancer } = pair;
    const living = await enrol();
    await waitUntil('it has kept where the first one is', async () =>
      (await seen('other-state').catch(() => '')).includes(`127.0.0.1:${firstPeer}`),
    );
    process.kill(database.pid, 'SIGKILL');
    await waitUntil('the database is gone', () => !isRunning(database.pid));
    await pair.other.close();
    const again = stack.use(await startGatewayProcess(pair.otherConfigFile));
    balancer.leadTo(other);
    balancer.cut();
    await living.session.renew();
    await database.start();
    await waitUntil('it is back', () => again.log().includes('the store is back'));
    await waitUntil('it is ready', async () => (await readyz(other)) === 'ready\n');
    await enrol();
    await waitUntil('the audit has it', async () =>
      (await set.audit()).some(({ action, sessionId }) => action === 'renewed' && sessionId === living.id),
    );
    await mustRunShared(['audit', 'verify', '--config', set.configFile]);
  },
);

test(
  'scenario s: a gateway of several workers starts from another one too, and what a killed worker served goes on',
  { skip: whole },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { pair, enrol, other, firstPeer, seen } = await scene(stack);
    const { set, database, balancer } = pair;
    const [revoked, living] = [await enrol(), await enrol()];
    await mustRunShared(['session', 'revoke', revoked.id, '--config', set.configFile]);
    await waitUntil('it has kept where the first one is', async () =>
      (await seen('other-state').catch(() => '')).includes(`127.0.0.1:${firstPeer}`),
    );
    process.kill(database.pid, 'SIGKILL');
    await waitUntil('the database is gone', () => !isRunning(database.pid));
    await pair.other.close();
    const again = stack.use(await startGatewayProcess(pair.otherConfigFile, {}, ['--workers', '2']));
    balancer.leadTo(other);
    balancer.cut();
    for (let n = 0; n < 4; n += 1) {
      assert.equal(await refusalOf(revoked.session.renew()), 'session_revoked');
      await living.session.renew();
    }
    const [worker] = workersOf(again.pid);
    assert.ok(worker !== undefined);
    process.kill(worker, 'SIGKILL');
    await waitUntil('it serves again', () => again.log().includes('serves again'));
    assert.equal(await refusalOf(revoked.session.renew()), 'session_revoked');
    await living.session.renew();
    await database.start();
    await waitUntil('it is ready', async () => (await readyz(other)) === 'ready\n');
    await enrol();
  },
);

const bodyBytes = 300_000;

test(
  'scenario s: while the database is away each of three gateways is replaced, and no request fails',
  { skip: whole },
  async (t) => {
    await using fleet = await openFleet(3, { hasPeers: true });
    const targets = await targetsAt(fleet, 0, 1, 2);
    const { agent: stolen } = await fleet.startAgent(0);
    const [{ id = '' } = {}] = (await fleet.command(0, 'session', 'list', '--json'))
      .split('\n')
      .filter((line) => line !== '')
      // Printed by our own command: newest first.
      .map((line) => JSON.parse(line) as { readonly id?: string });
    await fleet.command(0, 'session', 'revoke', id);
    await waitUntil('the agent is told', () => stolen.said().includes('session_revoked'));
    const beganMs = performance.now();
    process.kill(fleet.database.pid, 'SIGKILL');
    await waitUntil('it is noticed', async () =>
      (await Promise.all([0, 1, 2].map((number) => fleet.readiness(number)))).every((one) =>
        one?.text.includes('degraded'),
      ),
    );
    using running = await load(fleet, targets, { each: Number(each), bodyBytes });
    const replaced: string[] = [];
    for (const number of [0, 1, 2]) {
      const gateway = fleet.gateways[number] ?? assert.fail('there is none');
      process.kill(gateway.pid, 'SIGTERM');
      // Long exchanges hold it: it goes on beside the next load.
      await waitUntil('it drains', async () => (await fleet.readiness(number))?.status !== 200);
      running.release();
      await gateway.ended;
      await fleet.restart(number);
      replaced.push(
        /handed over.*/.exec(fleet.gateways[number]?.log() ?? '')?.[0] ?? 'nobody handed anything over',
      );
      assert.match((await fleet.readiness(number))?.text ?? '', /degraded/);
    }
    const { asked, failed, slowestMs } = await running.stop();
    const awayMs = performance.now() - beganMs;
    await fleet.database.start();
    for (const number of [0, 1, 2])
      await waitUntil('it is back', async () => (await fleet.readiness(number))?.text === 'ready\n');
    t.diagnostic(
      `s: ${asked} exchanges while three gateways were replaced without a database for ${Math.round(awayMs / 1000)} s, ${failed.length} failed; the slowest short one took ${slowestMs} ms. ${replaced.at(-1)}`,
    );
    assert.deepEqual(failed, []);
    assert.deepEqual(await fleet.check(), []);
  },
);
