// What waits for others to leave with leaves by itself where there are none.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, mock, test } from 'node:test';

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
  try {
    await resourcesSettled(baseline);
  } finally {
    destroySockets();
  }
});

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

test('short exchanges on streams of their own take two messages of each end', async () => {
  await using pair = await tunnelPair();
  const count = 40;
  const writes = mock.method(pair.gatewaySocket, 'write');
  for (let i = 0; i < count; i += 1) {
    const { near, far } = await pair.open(plain);
    far.accept();
    near.write('ask');
    await once(far, 'data');
    far.write('told');
    await once(near, 'data');
    near.end();
    far.once('end', () => far.end());
  }
  // A response each; credit, acceptances and ends with them, but where the next exchange was later than what waited.
  assert.ok(writes.mock.callCount() < 2 * count, `${writes.mock.callCount()} messages`);
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
