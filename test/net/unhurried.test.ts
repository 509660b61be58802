// What waits for others to leave with leaves by itself where there are none.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, mock, test } from 'node:test';

import type { TunnelStream } from '../../src/net/tunnel-stream.ts';
import type { OpenFields } from '../../src/protocol/frame.ts';
import { resourceBaseline, type ResourceBaseline, resourcesSettled } from '../support/resources.ts';
import { closed, readAll, tunnelPair } from './tunnel-pair.ts';
import { destroySockets } from './websocket-pair.ts';

const plain: OpenFields = { authority: 'origin.test:443', mode: 'http1', tlsVersion: 'TLSv1.3' };

let baseline: ResourceBaseline;
beforeEach(() => {
  baseline = resourceBaseline();
});
afterEach(async () => {
  mock.reset();
  try {
    await resourcesSettled(baseline);
  } finally {
    destroySockets();
  }
});

/** Responds to the first that comes, and ends behind its peer. */
function respond(stream: TunnelStream): void {
  stream.accept();
  stream.once('data', () => stream.write('told'));
  stream.once('end', () => stream.end());
}

test('an acceptance without a response comes, and so do both ends', async () => {
  await using pair = await tunnelPair();
  const { near, far } = await pair.open(plain);
  far.accept();
  await once(near, 'accept');
  near.end();
  far.resume();
  await once(far, 'end');
  far.end();
  near.resume();
  await Promise.all([closed(near), closed(far)]);
});

for (const [mode, messages] of [
  ['http1', 1],
  ['raw', 2],
] as const)
  test(`a short exchange on a stream of mode ${mode} takes ${messages} of the gateway’s messages`, async () => {
    await using pair = await tunnelPair({ onStream: respond });
    const count = 40;
    // Nothing leaves late: what a busy machine would make of the time is no matter here.
    mock.timers.enable({ apis: ['setTimeout'] });
    const writes = mock.method(pair.gatewaySocket, 'write');
    for (let i = 0; i < count; i += 1) {
      const near = pair.agent.openStream({ ...plain, mode });
      near.write('ask');
      await once(near, 'data');
      near.end();
      // Of a stream of requests the end comes with what is next.
      if (mode === 'raw') await once(near.resume(), 'end');
    }
    const found = writes.mock.callCount();
    mock.timers.reset();
    // The first data has the round trip measured, which is a message more.
    assert.ok(Math.abs(found - messages * count) <= 1, `${found} messages`);
  });

test('what waits when a tunnel is closed leaves first', async () => {
  const pair = await tunnelPair();
  const { near, far } = await pair.open(plain);
  far.end('told');
  const told = readAll(near);
  assert.equal((await told).toString(), 'told');
  near.end();
  await pair.agent[Symbol.asyncDispose]();
  far.resume();
  await closed(far);
  assert.equal(far.errored, null);
  await pair[Symbol.asyncDispose]();
});
