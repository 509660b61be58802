import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatheredOctets } from '../../src/protocol/gathered-octets.ts';

test('pieces of all sizes come out in their order, and their memory is free for the next ones', () => {
  const octets = new GatheredOctets();
  const whole = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);
  for (const sizes of [[1], [7, 16_384, 3], [50_000], [16_383, 1]]) {
    for (let from = 0, turn = 0; from < whole.length; turn += 1) {
      const size = sizes[turn % sizes.length] ?? 1;
      octets.push(whole.subarray(from, from + size));
      from += size;
    }
    octets.push(new Uint8Array());
    assert.equal(octets.length, whole.length);
    assert.deepEqual(octets.take(), whole);
    assert.equal(octets.length, 0);
  }
  assert.deepEqual(octets.take(), new Uint8Array());
});

test('what came octet by octet holds little more than its octets', () => {
  const octets = new GatheredOctets();
  const one = Uint8Array.of(1);
  const before = process.memoryUsage();
  for (let count = 0; count < 4_000_000; count++) octets.push(one);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  assert.equal(octets.length, 4_000_000);
  assert.ok(arrayBuffers - before.arrayBuffers < 8_000_000);
  assert.ok(heapUsed - before.heapUsed < 16_000_000, String(heapUsed - before.heapUsed));
});
