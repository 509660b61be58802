import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProofMemory } from '../../../src/gateway/sessions/proof-memory.ts';

const bounds = { nowMs: 0, proofsPerKeyMax: 2, proofsMax: 3 };
const proof = (keyThumbprint: string, jti: string, expiresMs = 100) => ({ keyThumbprint, jti, expiresMs });

test('a proof counts once for its key, and room is bounded for each key and in all', async () => {
  const memory = new ProofMemory();
  assert.equal(await memory.remember(proof('k', 'a'), bounds), 'new');
  assert.equal(await memory.remember(proof('k', 'a'), bounds), 'seen');
  assert.equal(await memory.remember(proof('k', 'b'), bounds), 'new');
  assert.equal(await memory.remember(proof('k', 'c'), bounds), 'full');
  assert.equal(await memory.remember(proof('l', 'a'), bounds), 'new');
  assert.equal(await memory.remember(proof('m', 'a'), bounds), 'full');
});

test('what is too old to be taken anyway is forgotten', async () => {
  const memory = new ProofMemory();
  await memory.remember(proof('k', 'a'), bounds);
  await memory.remember(proof('k', 'b'), bounds);
  assert.equal(await memory.remember(proof('k', 'a', 300), { ...bounds, nowMs: 99 }), 'seen');
  assert.equal(await memory.remember(proof('k', 'a', 300), { ...bounds, nowMs: 100 }), 'new');
});
