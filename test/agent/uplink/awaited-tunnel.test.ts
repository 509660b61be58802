import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { AwaitedTunnel } from '../../../src/agent/uplink/awaited-tunnel.ts';
import { attemptDelayAfter } from '../../../src/agent/uplink/leaving-gateway.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';

const longMs = 3_600_000;
const lost = new ProxyError('tunnel_lost', 'the connection was lost');

/** Whether it has come to its end, once every timer of no length is over. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  const set = (): void => {
    over = true;
  };
  promise.then(set, set);
  await wait(5);
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  return over;
}

test('an attempt that nobody waits for is put off, and comes when somebody does', async () => {
  const baseline = resourceBaseline();
  const tunnel = new AwaitedTunnel(defaultLimits);
  const { signal } = new AbortController();
  const attempt = tunnel.untilAttempt({ atMostMs: longMs, awaitedMs: 0 }, signal);
  assert.equal(await isOver(attempt), false);
  const up = tunnel.whenUp();
  await attempt;
  // As long as it waits, so does each attempt after that.
  await tunnel.untilAttempt({ atMostMs: longMs, awaitedMs: 0 }, signal);
  tunnel.found();
  await up;
  tunnel.lost();
  assert.equal(
    await isOver(tunnel.untilAttempt({ atMostMs: longMs, awaitedMs: 0 }, AbortSignal.abort())),
    true,
  );
  await resourcesSettled(baseline);
});

test('however many wait, no attempt comes before its least time', async () => {
  const baseline = resourceBaseline();
  const tunnel = new AwaitedTunnel(defaultLimits);
  const abort = new AbortController();
  const attempt = tunnel.untilAttempt({ atMostMs: 2 * longMs, awaitedMs: longMs }, abort.signal);
  const waiting = Array.from({ length: 100 }, () => tunnel.whenUp());
  assert.equal(await isOver(attempt), false);
  abort.abort();
  await assert.rejects(attempt, { code: 'cancelled' });
  tunnel.end(lost);
  for (const { status } of await Promise.allSettled(waiting)) assert.equal(status, 'rejected');
  await resourcesSettled(baseline);
});

test('the end of the agent ends a wait that is put off', async () => {
  const baseline = resourceBaseline();
  const tunnel = new AwaitedTunnel(defaultLimits);
  const abort = new AbortController();
  const attempt = tunnel.untilAttempt({ atMostMs: longMs, awaitedMs: 0 }, abort.signal);
  assert.equal(await isOver(attempt), false);
  abort.abort();
  await assert.rejects(attempt, { code: 'cancelled' });
  await resourcesSettled(baseline);
});

test('awaited attempts grow further apart, are spread, and find a gateway that is back within three seconds', () => {
  const { reconnectAwaitedDelayMsMax, reconnectDelayMsMax, tunnelWaitTimeoutMs } = defaultLimits;
  assert.equal(reconnectAwaitedDelayMsMax, 3000);
  const at = (attempt: number, random: number): number =>
    attemptDelayAfter(lost, attempt, { limits: defaultLimits, random: () => random }).awaitedMs;
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const [least, most] = [at(attempt, 0), at(attempt, 0.999_999)];
    assert.ok(most >= 1.9 * least, 'all agents wait for a gateway at the same time');
    assert.ok(least >= (attempt === 0 ? 0 : at(attempt - 1, 0)), 'they grow');
    assert.ok(most <= reconnectAwaitedDelayMsMax && 3 * most < tunnelWaitTimeoutMs);
    if (attempt >= 5) assert.equal(least, reconnectAwaitedDelayMsMax / 2);
  }
  const unawaited = attemptDelayAfter(lost, 40, { limits: defaultLimits, random: () => 0.5 });
  assert.equal(unawaited.atMostMs, reconnectDelayMsMax);
});

test('no attempt comes sooner than a gateway asks for, and none is put off for longer than its own wait may grow', () => {
  const asking = (retryAfterSeconds: number): ProxyError =>
    new ProxyError('limit_exceeded', 'too many', { retryAfterSeconds });
  for (const [seconds, leastMs] of [
    [0, 1000],
    [5, 5000],
    [1_000_000_000, 15_000],
  ] as const)
    for (const random of [0, 0.5, 0.999_999]) {
      const delays = attemptDelayAfter(asking(seconds), 0, { limits: defaultLimits, random: () => random });
      for (const one of [delays.atMostMs, delays.awaitedMs])
        assert.ok(one >= leastMs && one <= 1.25 * leastMs, `${seconds} s asked for: ${one} ms`);
    }
});
