import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { HeldOctets, type Reservation } from '../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

const limits = { ...defaultLimits, heldOctetsPerSessionMax: 100, heldOctetsMax: 250 };

test('a session has its own bound, and what is released can be had again, once', () => {
  const held = new HeldOctets(limits);
  const first = held.reserve('a', 60);
  assert.throws(() => held.reserve('a', 41), { code: 'limit_exceeded', limit: 'heldOctetsPerSessionMax' });
  held.reserve('a', 40);
  first.release();
  first.release();
  assert.equal(held.ofSession('a'), 40);
  assert.equal(held.all, 40);
  held.reserve('a', 60);
});

test('many sessions that take all they can leave as much for the next', () => {
  const held = new HeldOctets(limits);
  for (const greedy of ['a', 'b', 'c', 'd', 'e', 'f']) {
    let limit: unknown;
    while (limit === undefined) {
      try {
        held.reserve(greedy, 1);
      } catch (error) {
        ({ limit } = error as { limit?: unknown });
      }
    }
    assert.match(String(limit), /^heldOctets/);
    assert.ok(held.ofSession(greedy) > 0, `${greedy} found room`);
  }
  assert.ok(held.all < limits.heldOctetsMax);
});

test('what could do with less gets half of the room, so that what cannot finds some', () => {
  const held = new HeldOctets(limits);
  assert.equal(held.reserveSpare('a', 51), undefined);
  const spare = held.reserveSpare('a', 50);
  assert.equal(spare?.octets, 50);
  assert.equal(held.spare('a').free, 0);
  held.reserve('a', 50);
  spare?.release();
  assert.equal(held.spare('a').free, 0);
  held.spare('b').change(30);
  assert.equal(held.spare('b').free, 20);
  held.spare('b').change(-30);
  assert.equal(held.ofSession('b'), 0);
});

test('a part of a wider budget takes from both, and is told which leaves no room', () => {
  const whole = new HeldOctets(limits);
  const bounds = { perSession: 'heldBodiesPerSessionBytesMax', all: 'heldBodiesBytesMax' } as const;
  const part = new HeldOctets(
    { ...limits, heldBodiesPerSessionBytesMax: 200, heldBodiesBytesMax: 200 },
    bounds,
    whole,
  );
  const one = part.reserve('a', 80);
  assert.equal(whole.ofSession('a'), 80);
  assert.throws(() => part.reserve('a', 30), { limit: 'heldOctetsPerSessionMax' });
  assert.equal(part.ofSession('a'), 80);
  assert.throws(() => part.reserve('b', 201), { limit: 'heldBodiesPerSessionBytesMax' });
  one.release();
  assert.deepEqual([part.all, whole.all], [0, 0]);
});

test('whatever is reserved and released, the sums hold and no bound is passed', () => {
  const step = fc.record({
    session: fc.constantFrom('a', 'b', 'c', 'd'),
    octets: fc.integer({ min: 0, max: 120 }),
    releases: fc.boolean(),
  });
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const held = new HeldOctets(limits);
    const open: { readonly session: string; readonly room: Reservation }[] = [];
    for (const { session, octets, releases } of steps) {
      if (releases) open.shift()?.room.release();
      else {
        try {
          open.push({ session, room: held.reserve(session, octets) });
        } catch {
          assert.ok(
            held.ofSession(session) + octets > limits.heldOctetsPerSessionMax ||
              held.ofSession(session) + octets > limits.heldOctetsMax - held.all,
          );
        }
      }
      assert.equal(
        held.all,
        open.reduce((sum, { room }) => sum + room.octets, 0),
      );
      for (const session of ['a', 'b', 'c', 'd'])
        assert.ok(held.ofSession(session) <= limits.heldOctetsPerSessionMax);
      assert.ok(held.all <= limits.heldOctetsMax);
    }
    for (const { room } of open) room.release();
    assert.equal(held.all, 0);
  });
  fc.assert(property, { seed: 20, numRuns: 500 });
});
