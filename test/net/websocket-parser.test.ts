// The cases that the Autobahn test suite asks, for an endpoint that takes binary messages only.

import assert from 'node:assert/strict';
import test, { suite } from 'node:test';

import { WebSocketFault } from '../../src/net/websocket-frame.ts';
import { WebSocketParser } from '../../src/net/websocket-parser.ts';

import { closePayload, rawFrame, testMask } from './websocket-frames.ts';
import type { RawFrame } from './websocket-frames.ts';

const messageBytesMax = 100_000;
const text = (value: string): Buffer => Buffer.from(value);

/** What a parser reports for some bytes, as a list of lines; the parts of a message are joined. */
function transcript(role: 'client' | 'server', bytes: Buffer, pieceBytes: number): string[] {
  const lines: string[] = [];
  let message: Buffer[] = [];
  const parser = new WebSocketParser({
    role,
    messageBytesMax,
    sink: {
      data: (part) => message.push(Buffer.from(part)),
      messageEnd: () => {
        lines.push(`message ${Buffer.concat(message).toString('latin1')}`);
        message = [];
      },
      ping: (payload) => lines.push(`ping ${Buffer.from(payload).toString('latin1')}`),
      pong: (payload) => lines.push(`pong ${Buffer.from(payload).toString('latin1')}`),
      close: ({ code, reason }) => lines.push(`close ${code} ${reason}`),
    },
  });
  try {
    // Copies, because masked payload is unmasked in place.
    for (let i = 0; i < bytes.length; i += pieceBytes)
      parser.receive(Buffer.from(bytes.subarray(i, i + pieceBytes)));
  } catch (error) {
    assert.ok(error instanceof WebSocketFault, `threw ${String(error)}`);
    lines.push(`fault ${error.closeCode}`);
  }
  if (message.length > 0) lines.push(`open ${Buffer.concat(message).toString('latin1')}`);
  return lines;
}

interface Case {
  readonly name: string;
  readonly frames: readonly RawFrame[];
  readonly expect: readonly string[];
  /** The role of the parser; default both, with the mask that belongs to it. */
  readonly only?: 'client' | 'server';
}

const binary = (payload: string, more: Partial<RawFrame> = {}): RawFrame => ({
  opcode: 2,
  payload: text(payload),
  ...more,
});
const continuation = (payload: string, more: Partial<RawFrame> = {}): RawFrame => ({
  opcode: 0,
  payload: text(payload),
  ...more,
});
const ping = (payload: string, more: Partial<RawFrame> = {}): RawFrame => ({
  opcode: 9,
  payload: text(payload),
  ...more,
});
const close = (payload: Uint8Array): RawFrame => ({ opcode: 8, payload });
const long = (length: number): string => 'x'.repeat(length);

const cases: readonly Case[] = [
  // Autobahn 1: lengths around each form
  ...[0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, messageBytesMax].map((length) => ({
    name: `a message of ${length} bytes arrives whole`,
    frames: [binary(long(length))],
    expect: [`message ${long(length)}`],
  })),
  // Autobahn 2: pings and pongs
  { name: 'a ping without payload', frames: [ping('')], expect: ['ping '] },
  { name: 'a ping of 125 bytes', frames: [ping(long(125))], expect: [`ping ${long(125)}`] },
  { name: 'a ping of 126 bytes is a fault', frames: [ping(long(126))], expect: ['fault 1002'] },
  { name: 'a pong that nobody asked for', frames: [{ opcode: 10, payload: text('p') }], expect: ['pong p'] },
  {
    name: 'ten pings in a row',
    frames: Array.from({ length: 10 }, (_, i) => ping(String(i))),
    expect: [...'0123456789'].map((i) => `ping ${i}`),
  },
  // Autobahn 3: reserved bits
  ...[1, 2, 3, 4, 5, 6, 7].map((rsv) => ({
    name: `reserved bits ${rsv} are a fault`,
    frames: [binary('before'), binary('x', { rsv }), binary('behind')],
    expect: ['message before', 'fault 1002'],
  })),
  { name: 'a reserved bit on a ping is a fault', frames: [ping('', { rsv: 4 })], expect: ['fault 1002'] },
  // Autobahn 4: reserved opcodes
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    name: `opcode ${opcode} is a fault`,
    frames: [binary('before'), { opcode, payload: text('x') }],
    expect: ['message before', 'fault 1002'],
  })),
  // Autobahn 5: fragmentation
  {
    name: 'a ping in two fragments is a fault',
    frames: [ping('a', { fin: false }), continuation('b')],
    expect: ['fault 1002'],
  },
  {
    name: 'a close in two fragments is a fault',
    frames: [{ opcode: 8, fin: false }],
    expect: ['fault 1002'],
  },
  {
    name: 'two fragments are one message',
    frames: [binary('a', { fin: false }), continuation('b')],
    expect: ['message ab'],
  },
  {
    name: 'pings between fragments do not disturb the message',
    frames: [
      binary('a', { fin: false }),
      ping('1'),
      continuation('b', { fin: false }),
      ping('2'),
      continuation('c'),
    ],
    expect: ['ping 1', 'ping 2', 'message abc'],
  },
  {
    name: 'empty fragments are fragments',
    frames: [binary('', { fin: false }), continuation('', { fin: false }), continuation('')],
    expect: ['message '],
  },
  { name: 'a continuation of nothing is a fault', frames: [continuation('x')], expect: ['fault 1002'] },
  {
    name: 'a continuation of nothing, not final',
    frames: [continuation('x', { fin: false })],
    expect: ['fault 1002'],
  },
  {
    name: 'a continuation behind a whole message is a fault',
    frames: [binary('a'), continuation('b')],
    expect: ['message a', 'fault 1002'],
  },
  {
    name: 'a message inside a message is a fault',
    frames: [binary('a', { fin: false }), binary('b')],
    expect: ['fault 1002', 'open a'],
  },
  // Autobahn 6: text, of which this endpoint wants none
  { name: 'a text message is refused', frames: [{ opcode: 1, payload: text('x') }], expect: ['fault 1003'] },
  {
    name: 'a text message is refused at its header',
    frames: [{ opcode: 1, claimedLength: 9_000n }],
    expect: ['fault 1003'],
  },
  {
    name: 'a text frame inside a message breaks the framing first',
    frames: [binary('a', { fin: false }), { opcode: 1 }],
    expect: ['fault 1002', 'open a'],
  },
  // Autobahn 7: closing
  { name: 'a close without payload', frames: [close(text(''))], expect: ['close 1005 '] },
  { name: 'a close with half a code is a fault', frames: [close(text('x'))], expect: ['fault 1002'] },
  {
    name: 'a close with a reason',
    frames: [close(closePayload(1000, 'done ✓'))],
    expect: ['close 1000 done ✓'],
  },
  {
    name: 'a close with the longest reason',
    frames: [close(closePayload(1000, long(123)))],
    expect: [`close 1000 ${long(123)}`],
  },
  {
    name: 'a close of 126 bytes is a fault',
    frames: [close(closePayload(1000, long(124)))],
    expect: ['fault 1002'],
  },
  {
    name: 'what comes behind a close is ignored',
    frames: [close(closePayload(1000)), ping('x'), { opcode: 15 }],
    expect: ['close 1000 '],
  },
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
    (code) => ({
      name: `close code ${code} is allowed`,
      frames: [close(closePayload(code))],
      expect: [`close ${code} `],
    }),
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => ({
    name: `close code ${code} is a fault`,
    frames: [close(closePayload(code))],
    expect: ['fault 1002'],
  })),
  ...[
    ['a lone continuation byte', [0x80]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character that is cut', [0xe2, 0x9c]],
    ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ].map(([what, bytes]) => ({
    name: `a close reason with ${String(what)} is not UTF-8`,
    frames: [close(closePayload(1000, Uint8Array.from(bytes as number[])))],
    expect: ['fault 1007'],
  })),
  // Autobahn 9: limits
  {
    name: 'a message above the limit is refused at its header',
    frames: [binary('', { claimedLength: BigInt(messageBytesMax + 1) })],
    expect: ['fault 1009'],
  },
  {
    name: 'fragments together above the limit are refused',
    frames: [binary(long(messageBytesMax - 1), { fin: false }), continuation('', { claimedLength: 2n })],
    expect: ['fault 1009', `open ${long(messageBytesMax - 1)}`],
  },
  {
    name: 'the limit counts from message to message',
    frames: [binary(long(messageBytesMax)), binary(long(messageBytesMax))],
    expect: [`message ${long(messageBytesMax)}`, `message ${long(messageBytesMax)}`],
  },
  {
    name: 'a claim of 2^62 bytes allocates nothing',
    frames: [binary('', { claimedLength: 1n << 62n })],
    expect: ['fault 1009'],
  },
  // Lengths that are not in their shortest form (RFC 6455 §5.2)
  {
    name: 'a short length in 16 bits is a fault',
    frames: [binary('x', { lengthBytes: 2 })],
    expect: ['fault 1002'],
  },
  {
    name: 'a length of 125 in 16 bits is a fault',
    frames: [binary(long(125), { lengthBytes: 2 })],
    expect: ['fault 1002'],
  },
  {
    name: 'a short length in 64 bits is a fault',
    frames: [binary('x', { lengthBytes: 8 })],
    expect: ['fault 1002'],
  },
  {
    name: 'a length of 65535 in 64 bits is a fault',
    frames: [binary(long(65_535), { lengthBytes: 8 })],
    expect: ['fault 1002'],
  },
  {
    name: 'a length with the highest of 64 bits is a fault',
    frames: [binary('', { claimedLength: 1n << 63n })],
    expect: ['fault 1002'],
  },
  // Masks
  {
    name: 'a server refuses a frame without a mask',
    only: 'server',
    frames: [binary('x', { mask: undefined })],
    expect: ['fault 1002'],
  },
  {
    name: 'a client refuses a frame with a mask',
    only: 'client',
    frames: [binary('x', { mask: testMask })],
    expect: ['fault 1002'],
  },
  {
    name: 'a mask of zero is a mask',
    only: 'server',
    frames: [binary('plain', { mask: new Uint8Array(4) }), binary('masked')],
    expect: ['message plain', 'message masked'],
  },
];

for (const role of ['client', 'server'] as const) {
  suite(`the parser of a ${role}`, () => {
    for (const { name, frames, expect, only } of cases) {
      if (only !== undefined && only !== role) continue;
      test(name, () => {
        const mask = role === 'server' ? testMask : undefined;
        const bytes = Buffer.concat(frames.map((frame) => rawFrame({ mask, ...frame })));
        assert.deepEqual(transcript(role, bytes, bytes.length), expect, 'in one piece');
        assert.deepEqual(transcript(role, bytes, 1), expect, 'byte by byte');
        for (const pieceBytes of [2, 3, 5, 7, 61]) {
          assert.deepEqual(transcript(role, bytes, pieceBytes), expect, `in pieces of ${pieceBytes}`);
        }
      });
    }
  });
}

test('a parser that was stopped inside the sink hands on nothing more', () => {
  const seen: string[] = [];
  const parser: WebSocketParser = new WebSocketParser({
    role: 'client',
    messageBytesMax,
    sink: {
      data: (part) => {
        seen.push(Buffer.from(part).toString());
        parser.stop();
      },
      messageEnd: () => seen.push('end'),
      ping: () => seen.push('ping'),
      pong: () => seen.push('pong'),
      close: () => seen.push('close'),
    },
  });
  parser.receive(Buffer.concat([rawFrame(binary('first')), rawFrame(binary('second')), rawFrame(ping(''))]));
  assert.deepEqual(seen, ['first']);
});

test('payload is handed on as views of the chunk, without a copy', () => {
  const chunk = rawFrame(binary('payload'));
  const parts: Uint8Array[] = [];
  const ignore = (): void => {};
  const sink = {
    data: (part: Uint8Array) => parts.push(part),
    messageEnd: ignore,
    ping: ignore,
    pong: ignore,
    close: ignore,
  };
  new WebSocketParser({ role: 'client', messageBytesMax, sink }).receive(chunk);
  assert.equal(parts.length, 1);
  assert.equal(parts[0]!.buffer, chunk.buffer);
});
