import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  cancelPacket,
  readStartPacket,
  startHeadBytes,
  startPacketBytes,
  startPacketBytesMax,
  startUpPacket,
  tlsRequestPacket,
} from '../../../../src/gateway/databases/postgres/start-packet.ts';

/** A packet with the length that it has. */
function packet(code: number, body: Uint8Array | string = ''): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(startHeadBytes);
  head.writeUInt32BE(startHeadBytes + bytes.length);
  head.writeUInt32BE(code >>> 0, 4);
  return Buffer.concat([head, bytes]);
}

const version3 = 0x30000;

test('what a client begins with is read as what it is', () => {
  assert.deepEqual(readStartPacket(packet(80_877_103)), { kind: 'tls-request' });
  assert.deepEqual(readStartPacket(tlsRequestPacket()), { kind: 'tls-request' });
  assert.deepEqual(readStartPacket(packet(80_877_104)), { kind: 'gss-request' });
  assert.deepEqual(readStartPacket(packet(version3 + 2, 'user\0me\0database\0orders\0\0')), {
    kind: 'start-up',
    minor: 2,
    parameters: new Map([
      ['user', 'me'],
      ['database', 'orders'],
    ]),
  });
  assert.deepEqual(readStartPacket(packet(0x20000)), { kind: 'unsupported', major: 2, minor: 0 });
  const secret = Uint8Array.of(1, 2, 3, 4);
  assert.deepEqual(readStartPacket(cancelPacket({ processId: 77, secret })), {
    kind: 'cancel',
    processId: 77,
    secret,
  });
});

test('what no client sends is refused', () => {
  for (const [why, bytes] of [
    ['shorter than a head', Buffer.alloc(4)],
    ['another length', Buffer.concat([packet(version3, '\0'), Buffer.of(0)])],
    ['a request for TLS with more', packet(80_877_103, 'x')],
    ['a request for GSSAPI with more', packet(80_877_104, 'x')],
    ['a cancel without a key', packet(80_877_102, Buffer.alloc(4))],
    ['a cancel with a short key', packet(80_877_102, Buffer.alloc(7))],
    ['a cancel with a long key', packet(80_877_102, Buffer.alloc(4 + 257))],
    ['no end', packet(version3, 'user\0me\0')],
    ['nothing', packet(version3)],
    ['a name without a value', packet(version3, 'user\0')],
    ['more behind the end', packet(version3, 'user\0me\0\0x')],
    ['a second end', packet(version3, 'user\0me\0\0\0')],
    ['a parameter twice', packet(version3, 'user\0me\0user\0you\0\0')],
    ['no UTF-8 in a name', packet(version3, Buffer.of(0xff, 0, 0x61, 0, 0))],
    ['no UTF-8 in a value', packet(version3, Buffer.of(0x61, 0, 0xc3, 0, 0))],
  ] as const)
    assert.equal(readStartPacket(bytes).kind, 'malformed', why);
});

test('a length that no packet has is refused before anything is waited for', () => {
  const head = (length: number): Buffer => {
    const bytes = Buffer.alloc(startHeadBytes);
    bytes.writeUInt32BE(length);
    return bytes;
  };
  for (const length of [0, 4, 7, startPacketBytesMax + 1, 0x16_03_01_02, 0x7fff_ffff, 0xffff_ffff])
    assert.equal(startPacketBytes(head(length)), undefined, String(length));
  for (const length of [8, 9, startPacketBytesMax]) assert.equal(startPacketBytes(head(length)), length);
});

test('what is sent to a server is read back as it was meant', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((one) => !one.includes('\0'));
  const names = text.filter((one) => one !== '');
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(names, text), { selector: ([name]) => name, maxLength: 8 }),
      (pairs) => {
        const read = readStartPacket(startUpPacket(pairs));
        assert.deepEqual(read, { kind: 'start-up', minor: 0, parameters: new Map(pairs) });
      },
    ),
    { seed: 1 },
  );
});

test('any octets are read as something, and never throw', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(version3, 80_877_102, 7),
      (bytes, code) => {
        assert.ok(readStartPacket(bytes).kind.length > 0);
        assert.ok(readStartPacket(packet(code, bytes)).kind.length > 0);
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});
