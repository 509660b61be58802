// Octets that come in pieces of any length: read in the same order, and held in few of them.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { OctetSource } from '../../../../src/gateway/packages/checksums/octet-source.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { seededBelow } from '../../../support/seeded.ts';

test('a registry that sends octet by octet takes no more than one that does not', async () => {
  const source = new OctetSource();
  const max = defaultLimits.moduleAheadBytesMax;
  for (let at = 0; at < max; at++) source.push(Buffer.of(at % 251));
  assert.equal(source.isFull, true);
  source.end();
  let [pieces, octets] = [0, 0];
  for (let piece = await source.some(); piece !== undefined; piece = await source.some()) {
    pieces += 1;
    for (const octet of piece) assert.equal(octet, octets++ % 251);
  }
  assert.equal(octets, max);
  assert.ok(pieces <= max / 16_384, String(pieces));
});

test('what comes in pieces of any length is read as it came, whatever is put back', async () => {
  const below = seededBelow(11);
  for (let round = 0; round < 20; round++) {
    const source = new OctetSource();
    const [pushed, read]: [Buffer[], Buffer[]] = [[], []];
    const reading = (async (): Promise<void> => {
      for (let bytes = 0; ;) {
        const piece = await source.some();
        if (piece === undefined) return;
        const taken = piece.subarray(0, 1 + below(piece.length));
        source.unread(piece.subarray(taken.length));
        bytes += taken.length;
        assert.equal(source.position, bytes);
        // It stays what it is while more comes.
        read.push(taken);
      }
    })();
    for (let count = 0; count < 100; count++) {
      const octets = Buffer.alloc(below(below(10) === 0 ? 40_000 : 40), below(256));
      pushed.push(Buffer.from(octets));
      source.push(octets);
      octets.fill(0);
      if (below(4) === 0) await nextTurn();
    }
    source.end();
    await reading;
    assert.ok(Buffer.concat(read).equals(Buffer.concat(pushed)), String(round));
  }
});
