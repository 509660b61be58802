import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CutTunnels } from '../../../src/agent/uplink/cut-tunnels.ts';
import type { AgentSession } from '../../../src/agent/uplink/enrol.ts';
import type { TunnelLink } from '../../../src/net/tunnel-link.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { patienceMs } from '../../support/patience.ts';
import { eventually, MemoryLogger } from '../support/enrolled.ts';

test('a tunnel that waits for its next attempt is tried as soon as another tunnel has come up', async () => {
  const longMs = 10 * patienceMs;
  let attempts = 0;
  // What an attempt asks for first: there is no network.
  const session = {
    get gateway(): never {
      attempts += 1;
      throw new ProxyError('gateway_unreachable', 'away');
    },
  } as unknown as AgentSession;
  const abort = new AbortController();
  const tunnels = new CutTunnels({
    session,
    limits: { ...defaultLimits, reconnectDelayMsInitial: longMs, reconnectDelayMsMax: longMs },
    logger: new MemoryLogger(),
    random: () => 0.5,
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
  const goesOn = tunnels.cut(link);
  assert.equal(attempts, 0);
  for (const count of [1, 2]) {
    tunnels.hurry();
    await eventually(() => attempts === count, `attempt ${count}`);
  }
  assert.deepEqual(codes, []);
  abort.abort();
  assert.equal(await goesOn, false);
  assert.deepEqual(codes, ['cancelled']);
});
