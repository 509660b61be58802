import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openOctets, sealingKeyBytes, sealNonceBytes, sealOctets } from '../../src/system/sealed-octets.ts';

const key = randomBytes(sealingKeyBytes);
const plain = Buffer.from('what nobody else may read');

test('what was sealed opens by its key, for what it was sealed for', () => {
  for (const text of [plain, Buffer.alloc(0), randomBytes(100_000)])
    assert.deepEqual(openOctets(key, sealOctets(key, text, 'one'), 'one'), text);
});

test('the same octets are never sealed alike', () => {
  assert.notDeepEqual(sealOctets(key, plain, 'one'), sealOctets(key, plain, 'one'));
});

test('another key, another purpose, and each octet that is changed or missing: nothing opens, and nothing is thrown', () => {
  const sealed = sealOctets(key, plain, 'one');
  assert.equal(openOctets(randomBytes(sealingKeyBytes), sealed, 'one'), undefined);
  assert.equal(openOctets(key, sealed, 'two'), undefined);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.equal(openOctets(key, changed, 'one'), undefined, `octet ${at}`);
    assert.equal(openOctets(key, sealed.subarray(0, at), 'one'), undefined, `${at} octets`);
    assert.equal(openOctets(key, sealed.subarray(at + 1), 'one'), undefined, `from octet ${at + 1}`);
  }
  assert.equal(openOctets(key, Buffer.alloc(sealNonceBytes), 'one'), undefined);
});
