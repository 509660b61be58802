import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Frame } from '../../src/protocol/frame.ts';
import { encodeFrame, FrameParser, frameShapes, writeDataHeader } from '../../src/protocol/frame-codec.ts';
import type { ParsedFrame } from '../../src/protocol/frame-codec.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { anyFrame } from './any-frame.ts';

interface FrameVector {
  readonly name: string;
  readonly hex: string;
  readonly frame: Record<string, unknown>;
}
interface MalformedVector {
  readonly name: string;
  readonly hex: string;
  readonly code: string;
}

function readVectors<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')).vectors;
}

const octetsInJson = ['data', 'challenge', 'tunnelId', 'signature', 'proof', 'secret', 'exporter'];

/** JSON has no bytes and no large integers: octets are hex there, `receivedBytes` a decimal string. */
function frameOfJson(json: Record<string, unknown>): Frame {
  const frame = { ...json };
  for (const name of octetsInJson)
    if (typeof frame[name] === 'string') frame[name] = new Uint8Array(Buffer.from(frame[name], 'hex'));
  if (typeof frame.receivedBytes === 'string') frame.receivedBytes = BigInt(frame.receivedBytes);
  return frame as unknown as Frame;
}

function parseAll(chunks: readonly Uint8Array[]): Frame[] {
  const parser = new FrameParser(defaultLimits);
  const frames: Frame[] = [];
  let parts: Uint8Array[] = [];
  const collect = (parsed: ParsedFrame): void => {
    if (parsed.type !== 'data') return void frames.push(parsed);
    parts.push(parsed.data);
    assert.equal(parsed.last, parsed.remaining === 0);
    if (!parsed.last) return;
    frames.push({ type: 'data', streamId: parsed.streamId, data: new Uint8Array(Buffer.concat(parts)) });
    parts = [];
  };
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let parsed = parser.next(); parsed !== undefined; parsed = parser.next()) collect(parsed);
  }
  parser.endOfMessage();
  return frames;
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

describe('frame vectors', () => {
  const vectors = readVectors<FrameVector>('frames.json');

  test('there is a vector for each frame type', () => {
    const types = new Set(vectors.map(({ frame }) => frame.type));
    assert.deepEqual([...types].sort(), Object.keys(frameShapes).sort());
  });

  for (const { name, hex, frame } of vectors) {
    test(`${name}: the bytes give the frame and the frame the bytes`, () => {
      assert.deepEqual(parseAll([bytesOf(hex)]), [frameOfJson(frame)]);
      assert.equal(Buffer.from(encodeFrame(frameOfJson(frame))).toString('hex'), hex);
    });
  }

  for (const { name, hex, frame } of readVectors<FrameVector>('frames-decode-only.json')) {
    test(`${name}: the bytes give the frame`, () => {
      assert.deepEqual(parseAll([bytesOf(hex)]), [frameOfJson(frame)]);
    });
  }
});

describe('malformed frames', () => {
  for (const { name, hex, code: expected } of readVectors<MalformedVector>('frames-malformed.json')) {
    test(`${name} is ${expected}, whole and octet by octet`, () => {
      assert.throws(() => parseAll([bytesOf(hex)]), { name: 'ProxyError', code: expected });
      const octets = Array.from(bytesOf(hex), (octet) => Uint8Array.of(octet));
      assert.throws(() => parseAll(octets), { name: 'ProxyError', code: expected });
    });
  }

  test('a control frame above its limit is refused at its header', () => {
    const parser = new FrameParser({ ...defaultLimits, controlFrameBytesMax: 10 });
    parser.push(encodeFrame({ type: 'reset', streamId: 1, code: 1, message: 'ninechars' }).subarray(0, 8));
    assert.throws(() => parser.next(), { code: 'frame_too_large' });
  });

  test('a frame of exactly its limit passes', () => {
    const limits = { ...defaultLimits, controlFrameBytesMax: 10, frameBytesMax: 10 };
    const parser = new FrameParser(limits);
    parser.push(encodeFrame({ type: 'reset', streamId: 1, code: 1, message: 'eightchr' }));
    parser.push(encodeFrame({ type: 'data', streamId: 1, data: new Uint8Array(10) }));
    assert.equal(parser.next()?.type, 'reset');
    assert.equal(parser.next()?.type, 'data');
  });

  test('a message may end between frames and nowhere else', () => {
    const frame = encodeFrame({ type: 'data', streamId: 1, data: new Uint8Array(4) });
    for (let cut = 0; cut <= frame.length; cut++) {
      const parser = new FrameParser(defaultLimits);
      parser.push(frame.subarray(0, cut));
      while (parser.next() !== undefined);
      if (cut === 0 || cut === frame.length) parser.endOfMessage();
      else assert.throws(() => parser.endOfMessage(), { code: 'frame_truncated' }, `cut at ${cut}`);
    }
  });
});

describe('the parser', () => {
  test('gives the same frames however the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.nat(40)), (frames, sizes) => {
        const bytes = new Uint8Array(Buffer.concat(frames.map((frame) => encodeFrame(frame))));
        const chunks: Uint8Array[] = [];
        let offset = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(offset, offset + size));
          offset += size;
        }
        chunks.push(bytes.subarray(offset));
        assert.deepEqual(parseAll(chunks), frames);
      }),
      { numRuns: 300 },
    );
  });

  test('gives data as views of what was pushed, without a copy', () => {
    const bytes = encodeFrame({ type: 'data', streamId: 7, data: Uint8Array.of(1, 2, 3, 4) });
    const parser = new FrameParser(defaultLimits);
    parser.push(bytes.subarray(0, 10));
    const first = parser.next();
    assert.ok(first?.type === 'data');
    assert.equal(first.data.buffer, bytes.buffer);
    assert.deepEqual([...first.data], [1, 2]);
    assert.deepEqual([first.last, first.remaining], [false, 2]);
    assert.equal(parser.next(), undefined);
    parser.push(bytes.subarray(10));
    const second = parser.next();
    assert.ok(second?.type === 'data');
    assert.deepEqual([second.last, second.remaining], [true, 0]);
  });

  test('allocates nothing for a length that is only claimed', () => {
    const claims = Array.from({ length: 2000 }, () => {
      const parser = new FrameParser(defaultLimits);
      const claim = encodeFrame({ type: 'reset', streamId: 1, code: 1, message: 'x'.repeat(8000) });
      parser.push(claim.slice(0, 8));
      assert.equal(parser.next(), undefined);
      return parser;
    });
    const before = process.memoryUsage().arrayBuffers;
    for (const parser of claims) {
      parser.push(Uint8Array.of(0));
      assert.equal(parser.next(), undefined);
    }
    // 2000 believed claims would be 16 MB.
    assert.ok(process.memoryUsage().arrayBuffers - before < 4_000_000);
  });
});

describe('the encoder', () => {
  test('refuses a payload that does not fit 24 bits', () => {
    const data = new Uint8Array(2 ** 24);
    assert.throws(() => encodeFrame({ type: 'data', streamId: 1, data }), { code: 'frame_too_large' });
    assert.throws(() => writeDataHeader(new Uint8Array(8), 0, 1, 2 ** 24), { code: 'frame_too_large' });
  });

  test('gives a data header that equals the one of the whole frame', () => {
    const whole = encodeFrame({ type: 'data', streamId: 0x0102_0304, data: new Uint8Array(0x1_02) });
    const into = new Uint8Array(12);
    writeDataHeader(into, 2, 0x0102_0304, 0x1_02);
    assert.deepEqual(into, Uint8Array.of(0, 0, ...whole.subarray(0, 8), 0, 0));
  });
});
