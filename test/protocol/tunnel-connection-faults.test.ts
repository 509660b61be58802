import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Frame } from '../../src/protocol/frame.ts';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import type { TunnelRole } from '../../src/protocol/tunnel-options.ts';
import { alone, drainEvents, someFields } from './conversation.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const typesOf = (events: readonly { readonly type: string }[]): string[] => events.map(({ type }) => type);

const open: Frame = { type: 'open', streamId: 1, fields: someFields };
const accept: Frame = { type: 'accept', streamId: 1 };
const end: Frame = { type: 'end', streamId: 1 };
const data: Frame = { type: 'data', streamId: 1, data: bytes('x') };
const reset: Frame = { type: 'reset', streamId: 1, code: 4, message: '' };
const refuse: Frame = { type: 'refuse', streamId: 1, code: 4, message: '' };
const windowOfStream: Frame = { type: 'window', streamId: 1, bytes: 1 };

/** Frames in an order that the receiver with this role must not accept; an agent has opened stream 1. */
const faults: readonly (readonly [TunnelRole, string, readonly Frame[], string])[] = [
  ['gateway', 'data on a stream that was never opened', [data], 'frame_unexpected'],
  ['gateway', 'an end of a stream that was never opened', [end], 'frame_unexpected'],
  ['gateway', 'a reset of a stream that was never opened', [reset], 'frame_unexpected'],
  ['gateway', 'credit for a stream that was never opened', [windowOfStream], 'frame_unexpected'],
  ['gateway', 'a stream opened twice', [open, open], 'frame_unexpected'],
  ['gateway', 'a stream id that is left out', [{ ...open, streamId: 2 }], 'frame_unexpected'],
  ['gateway', 'a stream opened again after its reset', [open, reset, open], 'frame_unexpected'],
  ['gateway', 'data after the end', [open, end, data], 'frame_unexpected'],
  ['gateway', 'a second end', [open, end, end], 'frame_unexpected'],
  ['gateway', 'an accept from the agent', [open, accept], 'frame_unexpected'],
  ['gateway', 'a refuse from the agent', [open, refuse], 'frame_unexpected'],
  [
    'gateway',
    'a resume that was not agreed',
    [{ type: 'resume', receivedBytes: 0n, proof: new Uint8Array() }],
    'frame_unexpected',
  ],
  [
    'agent',
    'a tunnel that outlives its link, which was not agreed',
    [{ type: 'resumable', tunnelId: new Uint8Array(32), secret: new Uint8Array(32), windowMs: 1 }],
    'frame_unexpected',
  ],
  ['agent', 'an open from the gateway', [open], 'frame_unexpected'],
  ['agent', 'a second accept', [accept, accept], 'frame_unexpected'],
  ['agent', 'an accept after data', [data, accept], 'frame_unexpected'],
  ['agent', 'a refuse after accept', [accept, refuse], 'frame_unexpected'],
  ['agent', 'a refuse after data', [data, refuse], 'frame_unexpected'],
  ['agent', 'an accept of a stream that was never opened', [{ ...accept, streamId: 2 }], 'frame_unexpected'],
  ['agent', 'data after the end', [end, data], 'frame_unexpected'],
  ['agent', 'a window that overflows', [{ ...windowOfStream, bytes: 0x7fff_ffff }], 'flow_control'],
  [
    'agent',
    'a window of the connection that overflows',
    [{ type: 'window', streamId: 0, bytes: 0x7fff_ffff }],
    'flow_control',
  ],
];

describe('a fault of the peer', () => {
  for (const [role, name, frames, code] of faults) {
    test(`at the ${role}: ${name} ends the tunnel with ${code}, and is told to the peer`, () => {
      const { connection, hear, said } = alone(role);
      if (role === 'agent') connection.openStream(someFields);
      const events = hear(frames);
      const last = events.at(-1);
      assert.ok(last?.type === 'failed', `${typesOf(events)}`);
      assert.equal(last.error.code, code);
      assert.equal(events.filter(({ type }) => type === 'failed').length, 1);
      const goodbye = said().at(-1);
      assert.ok(goodbye?.type === 'goaway');
      assert.equal(goodbye.code, last.error.wireCode);
      assert.equal(connection.streamCount, 0);
    });
  }

  for (const [role, name, frames] of [
    ['gateway', 'every frame for a stream that is over', [open, reset, data, end, reset, windowOfStream]],
    ['gateway', 'an ack', [{ type: 'ack', receivedBytes: 5n }]],
    ['gateway', 'a pong that nobody asked for', [{ type: 'pong', nonce: 99 }]],
    ['agent', 'credit before the response', [windowOfStream, accept]],
    ['agent', 'a reset instead of a response', [reset]],
    [
      'agent',
      'two goaways',
      [
        { type: 'goaway', lastStreamId: 1, code: 5, message: '' },
        { type: 'goaway', lastStreamId: 0, code: 5, message: '' },
      ],
    ],
  ] as const satisfies readonly (readonly [TunnelRole, string, readonly Frame[]])[]) {
    test(`is not, at the ${role}: ${name}`, () => {
      const { connection, hear } = alone(role);
      if (role === 'agent') connection.openStream(someFields);
      assert.ok(!typesOf(hear(frames)).includes('failed'));
      assert.notEqual(connection.deadlineMs, undefined);
    });
  }

  test('ends everything: later input and calls do nothing, opening throws the fault', () => {
    const { connection, hear, said } = alone('agent');
    const id = connection.openStream(someFields);
    connection.receive(Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0), 0);
    assert.deepEqual(typesOf(drainEvents(connection)), ['failed']);
    said();
    assert.deepEqual(hear([accept, data, open]), []);
    connection.endOfMessage();
    assert.equal(connection.sendData(id, bytes('x')), 0);
    connection.end(id);
    connection.reset(id, 4, '');
    connection.ping(1);
    connection.goaway(5, '');
    connection.handleTimeout(1e9);
    assert.deepEqual([connection.outputBytes, connection.deadlineMs], [0, undefined]);
    assert.throws(() => connection.openStream(someFields), { code: 'frame_malformed' });
    assert.deepEqual(drainEvents(connection), []);
  });

  test('a message that ends inside a frame is one', () => {
    const { connection } = alone('gateway');
    connection.receive(encodeFrame(open).subarray(0, 11), 0);
    connection.endOfMessage();
    const [event] = drainEvents(connection);
    assert.ok(event?.type === 'failed' && event.error.code === 'frame_truncated');
  });

  test('that comes up in the middle of a message lets nothing behind it through', () => {
    const { connection, hear } = alone('gateway', { controlQueueBytesMax: 100 });
    const pings = Array.from({ length: 50 }, (): Frame => ({ type: 'ping', nonce: 1 }));
    assert.deepEqual(typesOf(hear([...pings, open, data])), ['failed']);
    assert.equal(connection.streamCount, 0);
  });

  test('a peer that provokes responses and reads none of them is cut off at a bound', () => {
    const { connection } = alone('gateway', { controlQueueBytesMax: 1200 });
    const ping = encodeFrame({ type: 'ping', nonce: 1 });
    let pings = 0;
    while (connection.deadlineMs !== undefined && pings < 1000) {
      connection.receive(ping, 0);
      pings += 1;
    }
    assert.equal(pings, 101);
    const [event] = drainEvents(connection);
    assert.ok(event?.type === 'failed' && event.error.code === 'limit_exceeded');
    assert.ok(connection.outputBytes < 2000);
  });
});
