import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CutTunnels } from '../../../src/agent/uplink/cut-tunnels.ts';
import type { AgentSession } from '../../../src/agent/uplink/enrol.ts';
import type { TunnelLink } from '../../../src/net/tunnel-link.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { patienceMs } from '../../support/patience.ts';
import { eventually, MemoryLogger } from '../support/enrolled.ts';

const longMs = 10 * patienceMs;

interface Scene {
  attempts: number;
  readonly codes: string[];
  readonly abort: AbortController;
  readonly tunnels: CutTunnels;
  readonly link: TunnelLink;
}

/** A tunnel whose attempts come to nothing: there is no network. */
function scene(failure: ProxyError, delayMs: number): Scene {
  // What an attempt asks for first.
  const session = {
    get gateway(): never {
      state.attempts += 1;
      throw failure;
    },
  } as unknown as AgentSession;
  const abort = new AbortController();
  const tunnels = new CutTunnels({
    session,
    limits: { ...defaultLimits, reconnectDelayMsInitial: delayMs, reconnectDelayMsMax: delayMs },
    logger: new MemoryLogger(),
    random: () => 0,
    asksForModes: false,
    signal: abort.signal,
    agreeOn: () => assert.fail('nothing is reached'),
    onResumed: () => undefined,
  });
  const codes: string[] = [];
  // Of a tunnel, this is what is looked at.
  const link = {
    isOver: false,
    state: { isSettled: false },
    destroy: ({ code }: ProxyError) => codes.push(code),
  } as unknown as TunnelLink;
  tunnels.learn(link, {
    type: 'resumable',
    tunnelId: new Uint8Array(32),
    secret: new Uint8Array(32),
    windowMs: 10 * longMs,
  } as Parameters<CutTunnels['learn']>[1]);
  const state: Scene = { attempts: 0, codes, abort, tunnels, link };
  return state;
}

test('a tunnel that waits for its next attempt is tried as soon as another tunnel has come up', async () => {
  const one = scene(new ProxyError('gateway_unreachable', 'away'), longMs);
  const { tunnels, link, abort, codes } = one;
  const goesOn = tunnels.cut(link);
  assert.equal(one.attempts, 0);
  for (const count of [1, 2]) {
    tunnels.hurry();
    await eventually(() => one.attempts === count, `attempt ${count}`);
  }
  assert.deepEqual(codes, []);
  abort.abort();
  assert.equal(await goesOn, false);
  assert.deepEqual(codes, ['cancelled']);
});

test('and not sooner than a gateway asks for', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const one = scene(new ProxyError('peer_unreachable', 'away', { retryAfterSeconds: 5 }), 6000);
  const { tunnels, link, abort } = one;
  const goesOn = tunnels.cut(link);
  for (const [ms, expected] of [
    [0, 1],
    [4999, 1],
    [1, 2],
  ] as const) {
    context.mock.timers.tick(ms);
    await nextTurn();
    tunnels.hurry();
    await nextTurn();
    assert.equal(one.attempts, expected);
  }
  abort.abort();
  assert.equal(await goesOn, false);
});
