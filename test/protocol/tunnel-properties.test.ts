import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { TunnelConnection } from '../../src/protocol/tunnel-connection.ts';
import { anyFrame } from './any-frame.ts';
import { coalesce, drainEvents, join, outputOf, someFields } from './conversation.ts';

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const size of sizes) {
    if (offset >= bytes.length) break;
    chunks.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  if (offset < bytes.length) chunks.push(bytes.subarray(offset));
  return chunks;
}

/** Everything that can be seen of a connection that receives these chunks as one message. */
function observe(role: 'agent' | 'gateway', chunks: readonly Uint8Array[]): unknown {
  const connection = new TunnelConnection({ role, limits: { ...defaultLimits, streamsMax: 5 }, nowMs: 0 });
  if (role === 'agent') for (let i = 0; i < 4; i++) connection.openStream(someFields);
  const events = chunks.flatMap((chunk) => {
    connection.receive(chunk, 1);
    return drainEvents(connection);
  });
  connection.endOfMessage();
  events.push(...drainEvents(connection));
  assert.ok(!events.some((event) => event.type === 'failed' && event.error.code === 'internal'));
  const states = [1, 2, 3, 4, 5, 6].map((id) => connection.streamState(id));
  return {
    events: coalesce(events),
    states,
    output: Buffer.from(join(outputOf(connection))).toString('hex'),
  };
}

/** Frames that mostly fit together: few streams, opened in order. */
const plausibleFrames = fc
  .array(fc.tuple(anyFrame, fc.nat(4), fc.nat(9)), { maxLength: 25, size: 'max' })
  .map((all) => {
    let opened = 0;
    return all.map(([frame, id, luck]) => {
      if (!('streamId' in frame) || luck === 0) return frame;
      if (frame.type === 'open') return { ...frame, streamId: ++opened };
      if (frame.type === 'window') return { ...frame, streamId: id, bytes: (frame.bytes % 1000) + 1 };
      return { ...frame, streamId: id + 1 };
    });
  });

describe('a tunnel connection', () => {
  for (const role of ['agent', 'gateway'] as const) {
    test(`the ${role} sees the same events and says the same however the bytes are split`, () => {
      fc.assert(
        fc.property(plausibleFrames, fc.array(fc.integer({ min: 1, max: 50 })), (frames, sizes) => {
          const bytes = join(frames.map((frame) => encodeFrame(frame)));
          assert.deepEqual(observe(role, cut(bytes, sizes)), observe(role, [bytes]));
        }),
        { numRuns: 400 },
      );
    });

    test(`the ${role} responses any bytes with events or one fault, octet by octet as in one piece`, () => {
      const damaged = fc
        .tuple(
          plausibleFrames,
          fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
        )
        .map(([frames, flips]) => {
          const bytes = join(frames.map((frame) => encodeFrame(frame)));
          for (const [at, flip] of flips) if (bytes.length > 0) bytes[at % bytes.length]! ^= flip;
          return bytes;
        });
      fc.assert(
        fc.property(damaged, (bytes) => {
          const octets = cut(
            bytes,
            Array.from(bytes, () => 1),
          );
          assert.deepEqual(observe(role, octets), observe(role, [bytes]));
        }),
        { numRuns: 300 },
      );
    });
  }

  test('an overrun is found before any byte of its frame is passed on, whatever the split', () => {
    const frames = [
      { type: 'open', streamId: 1, fields: someFields } as const,
      ...Array.from(
        { length: 17 },
        () => ({ type: 'data', streamId: 1, data: new Uint8Array(65_536) }) as const,
      ),
    ];
    const bytes = join(frames.map((frame) => encodeFrame(frame)));
    const whole = observe('gateway', [bytes]) as { readonly events: readonly { readonly hex?: string }[] };
    assert.deepEqual(whole.events.at(-1), { type: 'failed', code: 'flow_control' });
    // The window is 1 MiB: sixteen frames fit, of the seventeenth nothing may be seen.
    assert.equal(whole.events.at(-2)?.hex?.length, 2 * 16 * 65_536);
    assert.deepEqual(
      observe(
        'gateway',
        cut(
          bytes,
          Array.from({ length: 2000 }, () => 777),
        ),
      ),
      whole,
    );
  });
});
