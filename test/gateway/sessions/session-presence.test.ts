import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionPresenceWriter } from '../../../src/gateway/sessions/session-presence.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { SessionPresence } from '../../../src/store/store.ts';

function openWriter() {
  const written: (readonly SessionPresence[])[] = [];
  const faults: ProxyError[] = [];
  const state = { nowMs: 10_000, tunnels: new Map([['a', 1]]), fails: false };
  const writer = new SessionPresenceWriter({
    store: {
      note: async (presences) => {
        if (state.fails) throw new ProxyError('store_unavailable', 'gone for now');
        written.push(presences);
      },
      of: async () => [],
    },
    tunnels: () => new Map(state.tunnels),
    policyVersion: () => 'v1',
    clock: () => state.nowMs,
    onFault: (error) => faults.push(error),
  });
  const counts = (): readonly (readonly [string, number])[] =>
    (written.at(-1) ?? []).map(({ sessionId, tunnels }) => [sessionId, tunnels] as const);
  return { writer, state, written, faults, counts };
}

test('what changed is written at once, what did not every five seconds', async () => {
  const { writer, state, written, counts } = openWriter();
  await using _ = writer;
  await writer.look();
  assert.deepEqual(counts(), [['a', 1]]);
  assert.equal(written[0]?.[0]?.policyVersion, 'v1');
  await writer.look();
  assert.equal(written.length, 1);
  state.tunnels.set('a', 2);
  await writer.look();
  assert.deepEqual(counts(), [['a', 2]]);
  state.nowMs += 5000;
  await writer.look();
  assert.equal(written.length, 3);
});

test('a session whose last tunnel went is told once with none, and so is every session at the end', async () => {
  const { writer, state, written, counts } = openWriter();
  await writer.look();
  state.tunnels = new Map([['b', 1]]);
  await writer.look();
  assert.deepEqual(counts(), [
    ['a', 0],
    ['b', 1],
  ]);
  await writer.close();
  await writer.close();
  assert.deepEqual(counts(), [['b', 0]]);
  assert.equal(written.length, 3);
});

test('a store that fails is reported, and the next look writes what it missed', async () => {
  const { writer, state, faults, counts } = openWriter();
  await using _ = writer;
  state.fails = true;
  await writer.look();
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['store_unavailable'],
  );
  state.fails = false;
  await writer.look();
  assert.deepEqual(counts(), [['a', 1]]);
});
