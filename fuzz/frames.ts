// Fuzz target: bytes as the other end of a tunnel would send them, into both roles and into the chunk codec.
// node fuzz/frames.ts [--seed N] [--runs N] [--repro <hex>]; exits 1 on anything that is not a ProxyError of ours.

import { parseArgs } from 'node:util';
import { decodeChunk } from '../src/protocol/chunk-codec.ts';
import { ProxyError } from '../src/protocol/error.ts';
import type { Frame } from '../src/protocol/frame.ts';
import { encodeFrame } from '../src/protocol/frame-codec.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import { TunnelConnection } from '../src/protocol/tunnel-connection.ts';

/** One number in [0, below) after the other, the same for the same seed (mulberry32). */
type Random = (below: number) => number;

const inputBytesMax = 4096;
const outputBytesMax = 64 * 1024;
const limits = { ...defaultLimits, streamsMax: 8, controlQueueBytesMax: outputBytesMax / 2 };

function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function randomFrame(random: Random, opened: number): Frame {
  const streamId = 1 + random(opened + 1);
  const code = random(70);
  switch (random(12)) {
    case 0:
    case 1:
      return {
        type: 'open',
        streamId: opened + 1,
        fields: { authority: 'example.com:443', mode: 'raw', sni: 'x' },
      };
    case 2:
      return { type: 'accept', streamId };
    case 3:
      return { type: 'refuse', streamId, code, message: 'no' };
    case 4:
    case 5:
      return { type: 'data', streamId, data: new Uint8Array(1 + random(300)) };
    case 6:
      return { type: 'window', streamId: random(2) * streamId, bytes: 1 + random(0x7fff_ffff) };
    case 7:
      return { type: 'end', streamId };
    case 8:
      return { type: 'reset', streamId, code, message: 'ü' };
    case 9:
      return { type: random(2) === 0 ? 'ping' : 'pong', nonce: random(4) };
    case 10:
      return { type: 'goaway', lastStreamId: random(5), code, message: '' };
    default:
      return { type: random(4) === 0 ? 'resume' : 'ack', receivedBytes: BigInt(random(9)) };
  }
}

/** Frames in a row that mostly make sense, with some octets changed, or plain noise. */
function randomInput(random: Random): Uint8Array {
  const parts: Uint8Array[] = [];
  let opened = 0;
  for (let count = random(20); count >= 0; count--) {
    const frame = randomFrame(random, opened);
    if (frame.type === 'open') opened += 1;
    parts.push(encodeFrame(frame));
  }
  const bytes = Buffer.concat(parts).subarray(0, inputBytesMax);
  const changes = random(3) === 0 ? 0 : random(6);
  for (let i = 0; i < changes; i++) bytes[random(bytes.length)] = random(256);
  return random(20) === 0
    ? Uint8Array.from({ length: random(200) }, () => random(256))
    : new Uint8Array(bytes);
}

/** Feeds the bytes and plays an owner that answers at random. Throws what must never be thrown. */
function runTunnel(role: 'agent' | 'gateway', input: Uint8Array, random: Random): void {
  const connection = new TunnelConnection({ role, limits, nowMs: 0 });
  let nowMs = 0;
  let failures = 0;
  const held = new Map<number, number>();
  if (role === 'agent')
    for (let i = 0; i < 3; i++) connection.openStream({ authority: 'a.test:1', mode: 'raw' });
  for (let offset = 0; offset < input.length;) {
    const size = 1 + random(random(4) === 0 ? 3 : 500);
    connection.receive(input.subarray(offset, offset + size), nowMs++);
    offset += size;
    for (let event = connection.nextEvent(); event !== undefined; event = connection.nextEvent()) {
      if (failures > 0) throw new Error(`an event ${event.type} after the failure`);
      if (event.type === 'failed') {
        // A bug of ours also arrives as a failure, with the code `internal` and its cause.
        if (event.error.code === 'internal') throw event.error;
        failures += 1;
      }
      if (event.type === 'data')
        held.set(event.streamId, (held.get(event.streamId) ?? 0) + event.data.length);
      if (event.type === 'open') answer(connection, event.streamId, random);
    }
    const id = 1 + random(4);
    if (random(2) === 0 && connection.streamState(id) !== undefined) {
      connection.consumed(id, held.get(id) ?? 0, nowMs);
      held.delete(id);
    }
    if (connection.outputBytes > outputBytesMax)
      throw new Error(`${connection.outputBytes} bytes of output wait`);
    if (random(8) === 0) connection.takeOutput(1 + random(100));
  }
  connection.endOfMessage();
  if (failures === 0 && connection.streamCount > limits.streamsMax) throw new Error('too many streams');
}

function answer(connection: TunnelConnection, id: number, random: Random): void {
  switch (random(5)) {
    case 0:
      return connection.refuse(id, 63, 'no');
    case 1:
      return connection.accept(id);
    case 2:
      return void connection.sendData(id, new Uint8Array(10));
    case 3:
      return connection.end(id);
    default:
      return connection.reset(id, 4, 'gone');
  }
}

function runAll(input: Uint8Array, seed: number): void {
  for (const role of ['agent', 'gateway'] as const) runTunnel(role, input, randomFrom(seed));
  try {
    decodeChunk(input);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
  }
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '5000' },
      repro: { type: 'string' },
    },
  });
  const seed = Number(values.seed);
  const runs = values.repro === undefined ? Number(values.runs) : 1;
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(runs) || runs < 1) {
    console.error('usage: node fuzz/frames.ts [--seed N] [--runs N] [--repro <hex>]');
    return 64;
  }
  for (let run = 0; run < runs; run++) {
    const input =
      values.repro === undefined ? randomInput(randomFrom(seed + run)) : Buffer.from(values.repro, 'hex');
    try {
      runAll(input, seed + run);
    } catch (error) {
      console.error(error);
      console.error(
        `reproduce: node fuzz/frames.ts --seed ${seed + run} --repro ${Buffer.from(input).toString('hex')}`,
      );
      return 1;
    }
  }
  console.log(`frames: ${runs} inputs from seed ${seed}, no crash`);
  return 0;
}

process.exitCode = main();
