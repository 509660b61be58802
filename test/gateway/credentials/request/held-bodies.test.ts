import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import type { BodyFacts } from '../../../../src/gateway/credentials/request/body-rewrite.ts';
import { HeldBodies } from '../../../../src/gateway/credentials/request/held-bodies.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';

test('bodies that are held of one session leave room for others, and the room is free again', async () => {
  const held = new HeldBodies(defaultLimits);
  const bodies: PassThrough[] = [];
  const facts = (sessionId: string): BodyFacts => ({
    length: undefined,
    sessionId,
    isRewritten: false,
    keep: () => undefined,
    open: () => {
      const body = new PassThrough();
      bodies.push(body);
      return body;
    },
  });
  const { heldBodiesPerSessionBytesMax, signedBodyBytesMax: bytesMax } = defaultLimits;
  const room = heldBodiesPerSessionBytesMax / bytesMax;
  const waiting = Array.from({ length: room }, () => held.hold(facts('greedy'), bytesMax));
  await assert.rejects(held.hold(facts('greedy'), bytesMax), { code: 'limit_exceeded' });
  const other = held.hold(facts('other'), bytesMax);
  bodies.at(-1)?.end('x');
  assert.equal(String((await other).bytes), 'x');
  // One is used to its end, one is dropped: there is room for two, and for no third.
  for (const body of bodies.slice(0, room)) body.end('x');
  const [used, dropped] = await Promise.all(waiting);
  assert.ok(used !== undefined && dropped !== undefined);
  assert.equal(await text(used.sendOn(used.bytes).rewrite(new PassThrough())), 'x');
  dropped.sendOn(dropped.bytes).drop?.();
  const again = [held.hold(facts('greedy'), bytesMax), held.hold(facts('greedy'), bytesMax)];
  await assert.rejects(held.hold(facts('greedy'), bytesMax), { code: 'limit_exceeded' });
  for (const body of bodies) body.end();
  await Promise.all(again);
});

test('the bounds are those of the configuration', async () => {
  const held = new HeldBodies({ ...defaultLimits, heldBodiesBytesMax: 10 });
  const facts: BodyFacts = {
    length: 11,
    sessionId: 'one',
    isRewritten: false,
    keep: () => undefined,
    open: () => new PassThrough(),
  };
  await assert.rejects(held.hold(facts, 100), { code: 'limit_exceeded', limit: 'heldBodiesBytesMax' });
});
