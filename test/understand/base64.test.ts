// Base64 beside that of Node, of what is good and what is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { octetsOfBase64 } from '../../src/understand/base64.ts';
import { seeded } from '../support/seeded.ts';

test('what Node writes is read, of every length', () => {
  const random = seeded(18);
  for (let length = 0; length < 70; length += 1) {
    const octets = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    assert.deepEqual(octetsOfBase64(octets.toString('base64')), new Uint8Array(octets));
  }
});

test('what decoders take differently is none', () => {
  for (const text of [
    'A',
    'AA',
    'AAA',
    '=',
    '====',
    'A===',
    'AA=A',
    'AB==',
    'AAB=',
    'AA-A',
    'AA A',
    'AAA\n',
    'AAé=',
  ])
    assert.equal(octetsOfBase64(text), undefined, text);
});
