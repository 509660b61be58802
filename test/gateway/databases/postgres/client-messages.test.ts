import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  ClientMessages,
  ServerMessages,
} from '../../../../src/gateway/databases/postgres/client-messages.ts';
import { messageOf } from '../../../../src/gateway/databases/postgres/message.ts';

const message = fc
  .tuple(fc.constantFrom(...'BCdcfDEHPQSX'), fc.uint8Array({ maxLength: 40 }))
  .map(([type, body]) => messageOf(type, body));

function inPieces(bytes: Uint8Array, cuts: readonly number[]): readonly Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

function take(pieces: readonly Uint8Array[]): {
  readonly went: Buffer;
  readonly sqlState: string | undefined;
} {
  const messages = new ClientMessages();
  const went: Uint8Array[] = [];
  let sqlState: string | undefined;
  for (const piece of pieces) {
    const taken = messages.take(piece);
    went.push(...taken.pieces);
    assert.ok(sqlState === undefined || taken.pieces.length === 0, 'nothing goes on behind a refusal');
    sqlState ??= taken.refusal?.sqlState;
  }
  return { went: Buffer.concat(went), sqlState };
}

const cuts = fc.array(fc.nat(), { maxLength: 12 });

test('all messages of a session pass unchanged, in whatever pieces they come', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), cuts, (messages, where) => {
      const bytes = Buffer.concat(messages);
      assert.deepEqual(take(inPieces(bytes, where)), { went: bytes, sqlState: undefined });
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('what may not come ends what goes on at the message before it, in whatever pieces it comes', () => {
  const bad = fc.constantFrom<readonly [Uint8Array, string]>(
    [messageOf('F', 'anything'), '0A000'],
    [messageOf('p', 'secret\0'), '08P01'],
    [messageOf('R', 'x'), '08P01'],
    [Buffer.of(0), '08P01'],
    [Buffer.of(0x16, 3, 1), '08P01'],
    [Buffer.of(0x51, 0, 0, 0, 3), '08P01'],
    [Buffer.of(0x51, 0, 0, 0, 0), '08P01'],
    [Buffer.of(0x51, 0x40, 0, 0, 4), '08P01'],
    [Buffer.of(0x51, 0xff, 0xff, 0xff, 0xff), '08P01'],
  );
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 4 }),
      bad,
      fc.array(message, { maxLength: 3 }),
      cuts,
      (...given) => {
        const [before, [refused, sqlState], behind, where] = given;
        const passes = Buffer.concat(before);
        const bytes = Buffer.concat([passes, refused, ...behind]);
        assert.deepEqual(take(inPieces(bytes, where)), { went: passes, sqlState });
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test('a body that holds the octets of other messages is one message', () => {
  const inner = messageOf('F', 'x');
  const bytes = Buffer.from(messageOf('Q', inner, inner));
  assert.deepEqual(take([...bytes].map((octet) => Buffer.of(octet))), { went: bytes, sqlState: undefined });
});

test('no more is held than the head of a message', () => {
  const messages = new ClientMessages();
  const head = Buffer.of(0x51, 0, 1, 0, 0);
  assert.deepEqual(messages.take(head.subarray(0, 4)).pieces, []);
  assert.deepEqual(Buffer.concat(messages.take(head.subarray(4)).pieces), head);
  const part = Buffer.alloc(1000);
  assert.deepEqual(messages.take(part).pieces, [part]);
});

test('where a server is between two messages is known, in whatever pieces they come', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), cuts, fc.nat(), (messages, where, cut) => {
      const bytes = Buffer.concat(messages);
      const ends = messages.map((_, i) => Buffer.concat(messages.slice(0, i + 1)).length);
      const end = cut % (bytes.length + 1);
      const server = new ServerMessages();
      for (const piece of inPieces(bytes.subarray(0, end), where)) server.take(piece);
      assert.equal(server.isBetween, end === 0 || ends.includes(end));
    }),
    { seed: 1, numRuns: 500 },
  );
  const broken = new ServerMessages();
  broken.take(Buffer.of(0x5a, 0, 0, 0, 3));
  assert.equal(broken.isBetween, false);
});
