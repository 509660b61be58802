// A database that dies while a standby takes its place: with one that had all, and with one that had not. Of `npm run test:cluster`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { cuttingRelay, type CuttingRelay } from '../support/cutting-relay.ts';
import { askUntil, load, targetsAt } from '../support/fleet-load.ts';
import { type Fleet, openFleet } from '../support/gateway-fleet.ts';
import { debianPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { isRunning, waitUntil } from '../support/program.ts';

const debian = debianPostgres();
const isWhole = process.env['UPSTREAMPROXY_CLUSTER_EACH'] !== undefined;
const skip = 'missing' in debian ? debian.missing : isWhole ? false : 'of npm run test:cluster';
const each = Number(process.env['UPSTREAMPROXY_CLUSTER_EACH'] ?? 1);
const faultMs = 1000 * Number(process.env['UPSTREAMPROXY_CLUSTER_OUTAGE_SECONDS'] ?? 1);
const standbyName = 'standby';

interface Scene extends AsyncDisposable {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Between gateways and the database. */
  readonly way: CuttingRelay;
  /** Between the servers. */
  readonly replication: CuttingRelay;
  readonly fleet: Fleet;
}

async function openScene(): Promise<Scene> {
  if ('missing' in debian) throw new Error(debian.missing);
  await using stack = new AsyncDisposableStack();
  const access = ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'];
  const primary = stack.use(await startPostgres({ binaries: debian.folder, access }));
  const [way, replication] = [stack.use(await cuttingRelay()), stack.use(await cuttingRelay())];
  for (const relay of [way, replication]) relay.leadTo(primary.port);
  const standby = stack.use(
    await startPostgres({
      binaries: debian.folder,
      standbyOf: { port: replication.port, name: standbyName },
    }),
  );
  const url = `postgres://postgres@127.0.0.1:${way.port}/state`;
  const fleet = stack.use(await openFleet(2, { hasPeers: true, database: primary, storeUrl: () => url }));
  const owned = stack.move();
  return { primary, standby, way, replication, fleet, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function setSynchronous({ primary }: Scene): Promise<void> {
  await primary.run(`ALTER SYSTEM SET synchronous_standby_names = '${standbyName}'`);
  await primary.run('SELECT pg_reload_conf()');
  await waitUntil('it waits for the standby', async () => {
    const { rows } = await primary.run('SELECT sync_state FROM pg_stat_replication');
    return rows[0]?.['sync_state'] === 'sync';
  });
}

/** The primary is killed, and the standby takes its place at the address of the database. */
async function failOver({ primary, standby, way, fleet }: Scene): Promise<void> {
  const { pid } = primary;
  process.kill(pid, 'SIGKILL');
  await waitUntil('the primary is gone', () => !isRunning(pid));
  way.cut(Number.POSITIVE_INFINITY);
  await wait(faultMs / 4);
  await standby.run('SELECT pg_promote(true)');
  await waitUntil(
    'it is the primary',
    async () => (await standby.run('SELECT pg_is_in_recovery()')).rows[0]?.['pg_is_in_recovery'] === false,
  );
  fleet.database = standby;
  way.leadTo(standby.port);
  way.cut(0);
  for (const number of [0, 1])
    await waitUntil(
      'the gateway has its store',
      async () => (await fleet.readiness(number))?.text === 'ready\n',
    );
}

test(
  'scenario d, a synchronous standby takes over: no request fails, nothing is lost, and nothing comes twice',
  { skip },
  async (t) => {
    await using scene = await openScene();
    const { fleet } = scene;
    await setSynchronous(scene);
    const targets = await targetsAt(fleet, 0, 1);
    using running = await load(fleet, targets, { each, bodyBytes: 300_000 });
    // Enrolled as late as can be.
    const [last] = await targetsAt(fleet, 1);
    await failOver(scene);
    // Each comes back by another connection, to whichever gateway.
    fleet.balancer.close();
    fleet.balancer.open();
    const { asked, failed, slowestMs } = await running.stop();
    const late = await askUntil(fleet, last ?? assert.fail(), () => true);
    const next = await askUntil(fleet, (await fleet.startAgent(0)).target, () => true);
    t.diagnostic(
      `d, synchronous: ${asked} exchanges over a failover, ${failed.length} failed; the slowest short one took ${slowestMs} ms`,
    );
    assert.deepEqual([...failed, ...late.failed, ...next.failed], []);
    assert.deepEqual(await fleet.check(), []);
  },
);

test(
  'scenario d, an asynchronous standby takes over that was behind: it is told again what it never heard of, and the audit is whole',
  { skip },
  async (t) => {
    await using scene = await openScene();
    const { fleet, primary, standby } = scene;
    const targets = await targetsAt(fleet, 0, 1);
    using running = await load(fleet, targets, { each, bodyBytes: 300_000 });
    scene.replication.cut(Number.POSITIVE_INFINITY);
    const sessions = async (server: PostgresServer): Promise<number> =>
      (await server.run('SELECT 1 FROM session', 'state')).rows.length;
    const before = await sessions(standby);
    // The standby never hears of it.
    const [lost] = await targetsAt(fleet, 0);
    const lostAsked = await askUntil(fleet, lost ?? assert.fail(), () => true);
    assert.equal(await sessions(primary), before + 1);
    const delivered = async (server: PostgresServer): Promise<number> =>
      (await server.run('SELECT 1 FROM audit', 'state')).rows.length;
    const known = await delivered(standby);
    await waitUntil('events are delivered that the standby never gets', async () => {
      return (await delivered(primary)) > known + 10;
    });
    assert.equal(await delivered(standby), known);
    await wait(faultMs / 4);
    await failOver(scene);
    await waitUntil('the session is told again', async () => (await sessions(standby)) === before + 1);
    // Each comes back by another connection, to whichever gateway.
    fleet.balancer.close();
    fleet.balancer.open();
    const { asked, failed, slowestMs } = await running.stop();
    const lostAgain = await askUntil(fleet, lost ?? assert.fail(), () => true);
    const next = await askUntil(fleet, (await fleet.startAgent(0)).target, () => true);
    t.diagnostic(
      `d, asynchronous: ${asked} exchanges over a failover to a standby that was behind, ${failed.length} failed, the slowest short one took ${slowestMs} ms; a session that it never heard of was told again, and its events were delivered again`,
    );
    assert.deepEqual([...failed, ...lostAsked.failed, ...lostAgain.failed, ...next.failed], []);
    assert.deepEqual(await fleet.check(), []);
  },
);
