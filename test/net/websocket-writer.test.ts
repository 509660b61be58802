import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import test from 'node:test';

import { WebSocketWriter } from '../../src/net/websocket-writer.ts';

import { rawFrame } from './websocket-frames.ts';

/** A socket that keeps what it is given, one entry for each write of the operating system. */
function recordingSocket(): { socket: Duplex; writes: Buffer[][] } {
  const writes: Buffer[][] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, callback) {
      writes.push([chunk]);
      callback();
    },
    writev(chunks, callback) {
      writes.push(chunks.map(({ chunk }) => chunk as Buffer));
      callback();
    },
  });
  return { socket, writes };
}

const total = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

for (const [name, sizes] of [
  ['no part', []],
  ['one small part', [10]],
  ['small parts', [8, 100, 8, 200]],
  ['large and small parts', [8, 65_536, 8, 65_536, 8, 1]],
  ['many small parts', Array.from({ length: 5000 }, (_, i) => i % 97)],
  ['a large part alone', [300_000]],
] as const) {
  for (const masking of ['none', 'zero'] as const) {
    test(`${name}: one frame, one write, mask ${masking}`, () => {
      const { socket, writes } = recordingSocket();
      const parts = sizes.map((size, i) => Buffer.alloc(size, i + 1));
      new WebSocketWriter(socket, masking).binary(parts, total(parts));
      const mask = masking === 'zero' ? new Uint8Array(4) : undefined;
      assert.equal(writes.length, 1);
      assert.ok(
        Buffer.concat(writes.flat()).equals(rawFrame({ opcode: 2, payload: Buffer.concat(parts), mask })),
      );
    });
  }
}

test('large parts are not copied', () => {
  const { socket, writes } = recordingSocket();
  const parts = [Buffer.alloc(8), Buffer.alloc(65_536), Buffer.alloc(8), Buffer.alloc(65_536)];
  new WebSocketWriter(socket, 'none').binary(parts, total(parts));
  for (const large of [parts[1]!, parts[3]!]) assert.ok(writes.flat().includes(large));
});

test('a random mask leaves the parts of the caller as they are', () => {
  const { socket } = recordingSocket();
  const parts = [Buffer.alloc(8, 1), Buffer.alloc(100_000, 2)];
  new WebSocketWriter(socket, 'random').binary(parts, total(parts));
  assert.ok(parts[0]!.equals(Buffer.alloc(8, 1)) && parts[1]!.equals(Buffer.alloc(100_000, 2)));
});

test('a control frame is one small write', () => {
  const { socket, writes } = recordingSocket();
  new WebSocketWriter(socket, 'none').control(9, Buffer.from('abc'));
  assert.deepEqual(writes, [[rawFrame({ opcode: 9, payload: Buffer.from('abc') })]]);
});
