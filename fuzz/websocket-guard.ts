// Fuzz target: what passes as a WebSocket. However the bytes are split, the guard says the same and changes nothing; what the tunnel's
// own parser takes, it takes too. An input is hexadecimal: the first octet says who sends. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { WebSocketFault } from '../src/net/websocket-frame.ts';
import { WebSocketFrameGuard } from '../src/net/websocket-frame-guard.ts';
import { WebSocketParser } from '../src/net/websocket-parser.ts';
import { runTarget, type Random } from './run-target.ts';

const ignore = (): void => undefined;
const sink = { data: ignore, messageEnd: ignore, ping: ignore, pong: ignore, close: ignore };

/** Mostly right for its sender; a message may be in pieces, with a ping between them. */
function randomFrame(random: Random, masked: boolean, isOpen: boolean): Buffer {
  const usual = isOpen ? [0, 0, 9] : [2, 2, 1, 9, 10, 8];
  const opcode = random(20) === 0 ? random(16) : (usual[random(usual.length)] ?? 2);
  const final = opcode >= 8 || random(3) > 0 ? 0x80 : 0;
  const rsv = random(40) === 0 ? random(8) << 4 : 0;
  const length = opcode === 8 ? random(4) * 2 : random(opcode >= 8 ? 126 : 400);
  const payload = Buffer.from(Uint8Array.from({ length }, () => random(256)));
  if (opcode === 8 && length >= 2) payload.writeUInt16BE(random(4) === 0 ? random(5_000) : 1_000);
  const bit = masked === random(40) > 0 ? 0x80 : 0;
  const size = length < 126 ? Buffer.of(bit | length) : Buffer.of(bit | 126, length >> 8, length & 255);
  const mask = bit === 0 ? Buffer.alloc(0) : Buffer.of(random(256), random(256), 0, 0);
  return Buffer.concat([Buffer.of(final | rsv | opcode), size, mask, payload]);
}

function generate(random: Random): string {
  const masked = random(2) === 0;
  const parts: Buffer[] = [Buffer.of(masked ? 1 : 0)];
  let isOpen = false;
  for (let count = random(6); count >= 0; count--) {
    const frame = randomFrame(random, masked, isOpen);
    if ((frame[0] ?? 0) % 16 < 8) isOpen = (frame[0] ?? 0) < 0x80;
    parts.push(frame);
  }
  return Buffer.concat(parts).toString('hex');
}

/** Whether nothing was wrong with the bytes, given in pieces of a size. */
function passes(take: (part: Buffer) => void, bytes: Buffer, size: number): boolean {
  try {
    for (let at = 0; at < bytes.length; at += size) take(bytes.subarray(at, at + size));
    return true;
  } catch (error) {
    if (error instanceof WebSocketFault) return false;
    throw error;
  }
}

await runTarget({
  name: 'websocket guard',
  generate,
  check(input) {
    const [selector = 0, ...rest] = Buffer.from(input, 'hex');
    const bytes = Buffer.from(rest);
    const isClient = selector % 2 === 1;
    const verdicts = [1, 3, 1_000_000].map((size) => {
      const guard = new WebSocketFrameGuard({ sender: isClient ? 'client' : 'server', isCompressed: false });
      return passes((part) => guard.check(part), bytes, size);
    });
    assert.deepEqual(bytes, Buffer.from(rest), 'what passes was changed');
    assert.equal(new Set(verdicts).size, 1, 'the verdict depends on where the bytes are cut');
    const role = isClient ? 'server' : 'client';
    const parser = new WebSocketParser({ role, messageBytesMax: 1_000_000, sink });
    const closes = bytes.some((byte) => (byte & 0x0f) === 8);
    // Behind a close the parser reads nothing any more.
    if (!closes && passes((part) => parser.receive(part), Buffer.from(bytes), 1_000_000))
      assert.ok(verdicts[0], 'the parser takes what the guard refuses');
    return verdicts[0] === true;
  },
});
