// Several gateways as one service: processes on one database, a balancer that knows nothing of them, agents, and exchanges that run while
// gateways and connections go. `npm run test:cluster` has more of everything, and prints the figures.

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { mustRun } from '../support/command.ts';
import { drainTimeoutMs, type Fleet, openFleet } from '../support/gateway-fleet.ts';
import { keepAsking, startExchanges } from '../support/long-exchanges.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { launcher, waitUntil } from '../support/program.ts';
import type { ProxyTarget } from '../support/proxy-client.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
/** Of downloads, uploads, WebSockets, event streams and calls of gRPC each. */
const each = Number(process.env['UPSTREAMPROXY_CLUSTER_EACH'] ?? 3);
const bodyBytes = Number(process.env['UPSTREAMPROXY_CLUSTER_BODY_BYTES'] ?? 1_000_000);
const outageMs = 1000 * Number(process.env['UPSTREAMPROXY_CLUSTER_OUTAGE_SECONDS'] ?? 1);
/** What takes long is for `npm run test:cluster`. */
const isWhole = process.env['UPSTREAMPROXY_CLUSTER_EACH'] !== undefined;

/** Of the scenarios that `npm run test:cluster` alone has. */
const gatewayCount = 3;

/** One whose tunnel is at each gateway. */
async function agentsOf(fleet: Fleet): Promise<readonly ProxyTarget[]> {
  const targets: ProxyTarget[] = [];
  for (const number of fleet.gateways.keys()) targets.push((await fleet.startAgent(number)).target);
  return targets;
}

/** Has a gateway end while exchanges run through it. Gives what the command said, and how it ended. */
async function drain(
  fleet: Fleet,
  number: number,
  how: 'signal' | 'command',
): Promise<{ readonly ended: Promise<readonly [said: unknown, code: unknown]> }> {
  const gateway = fleet.gateways[number];
  assert.ok(gateway !== undefined);
  const said =
    how === 'signal'
      ? process.kill(gateway.pid, 'SIGTERM')
      : mustRun(launcher, ['gateway', 'drain', '--config', fleet.configFiles[number] ?? ''], {
          timeoutMs: drainTimeoutMs,
        });
  await waitUntil('it is not ready any more', async () => (await fleet.readiness(number))?.status === 503);
  return { ended: Promise.all([said, gateway.ended]) };
}

function tell(t: TestContext, figures: string): void {
  t.diagnostic(figures);
}

const whole = skip === false && !isWhole ? 'of npm run test:cluster' : skip;

test(
  'scenario a: gateways are replaced one after the other, and no request fails',
  { skip: whole },
  async (t) => {
    await using fleet = await openFleet(gatewayCount);
    const targets = await agentsOf(fleet);
    const stop = new AbortController();
    // Whatever fails: who asks again and again would never end.
    using _ = { [Symbol.dispose]: () => stop.abort() };
    const asking = targets.map((target) => keepAsking(target, stop.signal, fleet.history));
    const failed: string[] = [];
    let count = 0;
    let running = startExchanges(targets, fleet.origin, { each, bodyBytes, history: fleet.history });
    await running.batch.halfway(running.count);
    const finish = async (): Promise<void> => {
      running.batch.release();
      failed.push(...(await running.failed));
      count += running.count;
    };
    for (const [number, how] of [
      [0, 'signal'],
      [1, 'command'],
      [2, 'signal'],
    ] as const) {
      const { ended } = await drain(fleet, number, how);
      // What begins now is not for the gateway that ends, which still has the ones before.
      const next = startExchanges(targets, fleet.origin, { each, bodyBytes, history: fleet.history });
      await next.batch.halfway(next.count);
      await finish();
      const [said, code] = await ended;
      assert.equal(code, 0);
      if (how === 'command') assert.equal(said, 'the gateway has ended\n');
      await fleet.restart(number);
      running = next;
    }
    await finish();
    stop.abort();
    const asked = await Promise.all(asking);
    failed.push(...asked.flatMap((one) => one.failed));
    const short = asked.reduce((sum, one) => sum + one.asked, 0);
    const slowestMs = Math.round(Math.max(...asked.map((one) => one.slowestMs)));
    tell(
      t,
      `a: ${count} long exchanges and ${short} short requests while ${gatewayCount} gateways were replaced, ${failed.length} failed; the slowest short one took ${slowestMs} ms`,
    );
    assert.deepEqual(failed, []);
    assert.deepEqual(await fleet.check(), []);
  },
);

test('scenario b: a gateway that is killed takes only what ran through it', { skip: whole }, async (t) => {
  await using fleet = await openFleet(gatewayCount);
  const targets = await agentsOf(fleet);
  const running = startExchanges(targets, fleet.origin, { each, bodyBytes, history: fleet.history });
  await running.batch.halfway(running.count);
  const gateway = fleet.gateways[0];
  assert.ok(gateway !== undefined);
  process.kill(gateway.pid, 'SIGKILL');
  await gateway.ended;
  const fromMs = performance.now();
  // The session whose tunnel was there.
  const once = new AbortController();
  const asking = keepAsking(targets[0] ?? assert.fail(), once.signal, fleet.history);
  once.abort();
  const asked = await asking;
  const backMs = Math.round(performance.now() - fromMs);
  assert.deepEqual(asked.failed, []);
  running.batch.release();
  const failed = await running.failed;
  tell(
    t,
    `b: of ${running.count} exchanges ${failed.length} failed, all of the killed gateway; its session went on after ${backMs} ms`,
  );
  // Of each kind those of the first agent, from the first on.
  assert.equal(failed.length, (running.count / each) * Math.ceil(each / gatewayCount));
  assert.ok(failed.every((one) => Number(/ (\d+):/.exec(one)?.[1]) % gatewayCount === 0));
  // Its next process tells what it left open.
  await fleet.restart(0);
  assert.equal((await fleet.check()).length, failed.length);
});

test('scenario c: connections that find nobody for a while lose nothing', { skip: whole }, async (t) => {
  await using fleet = await openFleet(gatewayCount);
  const targets = await agentsOf(fleet);
  const running = startExchanges(targets, fleet.origin, { each, bodyBytes, history: fleet.history });
  await running.batch.halfway(running.count);
  fleet.balancer.close();
  running.batch.release();
  await wait(outageMs);
  fleet.balancer.open();
  const fromMs = performance.now();
  const failed = await running.failed;
  const lateMs = Math.round(performance.now() - fromMs);
  tell(
    t,
    `c: ${running.count} exchanges without any connection for ${outageMs / 1000} s, ${failed.length} failed; all were over ${lateMs} ms after it`,
  );
  assert.deepEqual(failed, []);
  assert.deepEqual(await fleet.check(), []);
});
