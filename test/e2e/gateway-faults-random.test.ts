// Three gateways, and one fault after the other in an order by a seed, while clients ask: `npm run test:cluster -- --minutes N --seed S`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { type CuttingRelay, cuttingRelay } from '../support/cutting-relay.ts';
import { load, targetsAt } from '../support/fleet-load.ts';
import { type Fleet, openFleet } from '../support/gateway-fleet.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { isRunning, waitUntil } from '../support/program.ts';
import { seededBelow } from '../support/seeded.ts';

const binaries = postgresBinaries();
const minutes = Number(process.env['UPSTREAMPROXY_CLUSTER_MINUTES'] ?? 0);
const seed = Number(process.env['UPSTREAMPROXY_CLUSTER_SEED'] ?? 1);
const skip =
  'missing' in binaries ? binaries.missing : minutes > 0 ? false : 'of npm run test:cluster --minutes';
const each = Math.min(Number(process.env['UPSTREAMPROXY_CLUSTER_EACH'] ?? 1), 4);
const count = 3;

interface Place {
  readonly fleet: Fleet;
  /** Between each gateway and the database. */
  readonly ways: readonly CuttingRelay[];
  readonly random: (below: number) => number;
}

type Fault = (place: Place) => Promise<string>;

async function allReady({ fleet }: Place): Promise<void> {
  for (let number = 0; number < count; number += 1)
    await waitUntil(
      `gateway ${number} is ready`,
      async () => (await fleet.readiness(number))?.text === 'ready\n',
    );
}

const aMoment = ({ random }: Place): Promise<void> => wait(500 + random(4000));

const faults: Readonly<Record<string, Fault>> = {
  kill: async ({ fleet, random }) => {
    const number = random(count);
    const gateway = fleet.gateways[number] ?? assert.fail();
    process.kill(gateway.pid, 'SIGKILL');
    await gateway.ended;
    await fleet.restart(number);
    return `gateway ${number} killed`;
  },
  drain: async ({ fleet, random }) => {
    const number = random(count);
    const gateway = fleet.gateways[number] ?? assert.fail();
    process.kill(gateway.pid, 'SIGTERM');
    assert.equal(await gateway.ended, 0);
    await fleet.restart(number);
    return `gateway ${number} replaced`;
  },
  cut: async (place) => {
    place.fleet.balancer.close();
    // Who asks anew waits ten seconds for a tunnel (tunnelWaitTimeoutMs); attempts come four seconds apart then at the most.
    await wait(200 + place.random(4800));
    place.fleet.balancer.open();
    return 'no connection of agents';
  },
  split: async (place) => {
    const number = place.random(count);
    place.ways[number]?.cut(Number.POSITIVE_INFINITY);
    await aMoment(place);
    place.ways[number]?.cut(0);
    return `gateway ${number} without the database`;
  },
  freeze: async (place) => {
    const number = place.random(count);
    const { pid } = place.fleet.gateways[number] ?? assert.fail();
    process.kill(pid, 'SIGSTOP');
    await aMoment(place);
    process.kill(pid, 'SIGCONT');
    return `gateway ${number} stood still`;
  },
  database: async (place) => {
    const { database } = place.fleet;
    const { pid } = database;
    process.kill(pid, 'SIGKILL');
    await waitUntil('the database is gone', () => !isRunning(pid));
    await aMoment(place);
    await waitUntil('the database starts', () =>
      database.start().then(
        () => true,
        () => false,
      ),
    );
    return 'database killed';
  },
};

test(
  'scenario r: whatever fails in whatever order, only what ran through a killed gateway does',
  { skip },
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const database = stack.use(await startPostgres({ access: ['host all all 127.0.0.1/32 trust'] }));
    const ways: CuttingRelay[] = [];
    for (let number = 0; number < count; number += 1) {
      const way = stack.use(await cuttingRelay());
      way.leadTo(database.port);
      ways.push(way);
    }
    const fleet = stack.use(
      await openFleet(count, {
        hasPeers: true,
        database,
        storeUrl: (number) => `postgres://postgres@127.0.0.1:${ways[number]?.port}/state`,
      }),
    );
    const place = { fleet, ways, random: seededBelow(seed) };
    const targets = await targetsAt(fleet, 0, 1, 2);
    const names = Object.keys(faults);
    const untilMs = performance.now() + minutes * 60_000;
    let [asked, failedOfKills] = [0, 0];
    while (performance.now() < untilMs) {
      const name = names[place.random(names.length)] ?? 'cut';
      using running = await load(fleet, targets, { each, bodyBytes: 300_000 });
      // A drain waits for what runs.
      const faulted = faults[name]?.(place) ?? assert.fail();
      faulted.catch(() => undefined);
      if (name !== 'drain') await faulted;
      else await wait(1000);
      const result = await running.stop();
      const what = await faulted;
      await allReady(place);
      asked += result.asked;
      t.diagnostic(`r: ${what}: ${result.asked} exchanges, ${result.failed.length} failed`);
      if (name === 'kill') failedOfKills += result.failed.length;
      else assert.deepEqual(result.failed, [], `${what} (seed ${seed})`);
    }
    await fleet.check();
    t.diagnostic(
      `r: ${asked} exchanges in ${minutes} minutes with the seed ${seed}, ${failedOfKills} failed, all of gateways that were killed`,
    );
  },
);
