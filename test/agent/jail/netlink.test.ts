// Messages and attributes of netlink as octets. What the kernel makes of them: ways-out.test.ts and test/e2e/raw-ports.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  encodeAttribute,
  encodeMessage,
  readAttributes,
  splitMessages,
} from '../../../src/agent/jail/netlink.ts';

test('what is written is read again, of any length', () => {
  const attributes = [0, 1, 2, 3, 4, 5, 300].map((length, type) => [type, Buffer.alloc(length, 7)] as const);
  const body = Buffer.concat([
    Buffer.alloc(12),
    ...attributes.map(([type, content]) => encodeAttribute(type, content)),
  ]);
  assert.deepEqual([...readAttributes(body, 12)], attributes);
  const one = encodeMessage({ type: 18, flags: 0x301, body });
  assert.deepEqual(splitMessages(Buffer.concat([one, one])), [
    { type: 18, body },
    { type: 18, body },
  ]);
  assert.deepEqual([one.readUInt32LE(0), one.readUInt16LE(6)], [one.length, 0x301]);
  assert.deepEqual(splitMessages(Buffer.alloc(0)), []);
});

test('a length that is none, and what is cut, is no message and no attribute', () => {
  const message = encodeMessage({ type: 2, flags: 0, body: Buffer.alloc(20) });
  for (const length of [0, 3, 15, 37, 0xffff_ffff]) {
    const bytes = Buffer.from(message);
    bytes.writeUInt32LE(length, 0);
    assert.throws(() => splitMessages(bytes), /a message is cut/, String(length));
  }
  for (let kept = 1; kept < message.length; kept++)
    assert.throws(() => splitMessages(message.subarray(0, kept)), /a message is cut/, String(kept));
  const attribute = encodeAttribute(3, Buffer.alloc(8));
  for (const length of [0, 3, 13, 0xffff]) {
    attribute.writeUInt16LE(length, 0);
    assert.throws(() => readAttributes(attribute, 0), /an attribute is cut/, String(length));
  }
});

test('any octets are read to an end', () => {
  const octets = fc.array(fc.integer({ min: 0, max: 23 }), { maxLength: 80 });
  fc.assert(
    fc.property(octets, (all) => {
      const bytes = Buffer.from(all);
      for (const read of [splitMessages, () => readAttributes(bytes, 0)]) {
        try {
          read(bytes);
        } catch (error) {
          assert.match(String(error), /is cut$/);
        }
      }
    }),
    { seed: 17, numRuns: 2_000 },
  );
});
