import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WebSocketFault } from '../../src/net/websocket-frame.ts';
import { WebSocketFrameGuard } from '../../src/net/websocket-frame-guard.ts';

const mask = [1, 2, 3, 4];

function frame(first: number, payload: readonly number[], masked: boolean): Buffer {
  const body = masked ? payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0)) : payload;
  return Buffer.from([first, (masked ? 0x80 : 0) | payload.length, ...(masked ? mask : []), ...body]);
}

const conversation = (masked: boolean): Buffer =>
  Buffer.concat([
    frame(0x01, [104, 105], masked),
    frame(0x89, [1], masked),
    frame(0x80, [33], masked),
    frame(0x82, [], masked),
    frame(
      0x8a,
      Array.from({ length: 125 }, () => 7),
      masked,
    ),
    frame(0x88, [0x03, 0xe8, 0x6f, 0x6b], masked),
  ]);

for (const sender of ['client', 'server'] as const) {
  test(`frames of a ${sender} pass, however they are split`, () => {
    const bytes = conversation(sender === 'client');
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const guard = new WebSocketFrameGuard({ sender, isCompressed: false });
      const copy = Buffer.from(bytes);
      for (let at = 0; at < copy.length; at += size) guard.check(copy.subarray(at, at + size));
      assert.deepEqual(copy, bytes, 'nothing that passes is changed');
    }
  });

  test(`frames of the other side are none of a ${sender}`, () => {
    const guard = new WebSocketFrameGuard({ sender, isCompressed: false });
    assert.throws(() => guard.check(conversation(sender !== 'client')), WebSocketFault);
  });
}

for (const [what, ...frames] of [
  ['a request of HTTP', Buffer.from('GET /admin HTTP/1.1\r\n\r\n')],
  ['a reserved opcode', frame(0x83, [], false)],
  ['a reserved bit', frame(0xc2, [], false)],
  ['a ping in pieces', frame(0x09, [], false)],
  ['a continuation of nothing', frame(0x80, [], false)],
  ['a message inside a message', frame(0x01, [], false), frame(0x82, [], false)],
  ['a length above 2^63', Buffer.from('827f8000000000000000', 'hex')],
  ['a length of 125 in three octets', Buffer.from('827e007d', 'hex')],
  ['a length of 65535 in nine octets', Buffer.from('827f000000000000ffff', 'hex')],
  ['a close of one byte', frame(0x88, [3], false)],
  ['a close with 1005', frame(0x88, [0x03, 0xed], false)],
] as const) {
  test(`${what} is no WebSocket`, () => {
    const guard = new WebSocketFrameGuard({ sender: 'server', isCompressed: false });
    assert.throws(() => guard.check(Buffer.concat(frames)), WebSocketFault);
  });
}

test('compression may be said at the beginning of a message, where it was agreed', () => {
  const guard = new WebSocketFrameGuard({ sender: 'server', isCompressed: true });
  guard.check(Buffer.concat([frame(0x41, [1], false), frame(0x80, [2], false), frame(0xc2, [3], false)]));
  assert.throws(() => guard.check(frame(0xc9, [], false)), WebSocketFault);
});
