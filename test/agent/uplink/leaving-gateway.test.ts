import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beyondLeaving } from '../../../src/agent/uplink/leaving-gateway.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const waiting = { limits: defaultLimits, random: () => 0, signal: new AbortController().signal };

test('a first tunnel that a gateway refuses for now is tried again when it says, and no longer than a tunnel is waited for', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const refusals = [
    new ProxyError('store_unavailable', 'away', { retryAfterSeconds: 5 }),
    new ProxyError('limit_exceeded', 'too many', { retryAfterSeconds: 1 }),
  ];
  let attempts = 0;
  const connect = async (): Promise<string> => {
    attempts += 1;
    const refusal = refusals.shift();
    if (refusal !== undefined) throw refusal;
    return 'up';
  };
  const up = beyondLeaving(connect, waiting);
  for (const [ms, expected] of [
    [4999, 1],
    [1, 2],
    [999, 2],
    [1, 3],
  ] as const) {
    await nextTurn();
    context.mock.timers.tick(ms);
    await nextTurn();
    assert.equal(attempts, expected);
  }
  assert.equal(await up, 'up');
  for (const error of [
    new ProxyError('store_unavailable', 'away'),
    new ProxyError('store_unavailable', 'away', { retryAfterSeconds: 11 }),
    new ProxyError('session_revoked', 'over', { retryAfterSeconds: 1 }),
  ])
    await assert.rejects(
      beyondLeaving(() => Promise.reject(error), waiting),
      error,
    );
});
