// Fuzz target: bytes as the other end of a tunnel would send them, into both roles and into the chunk codec.
// An input is hexadecimal; its first four octets say how the owner of the tunnel responses. Options as in run-target.ts.

import { decodeChunk } from '../src/protocol/chunk-codec.ts';
import { ProxyError } from '../src/protocol/error.ts';
import type { Frame } from '../src/protocol/frame.ts';
import { encodeFrame } from '../src/protocol/frame-codec.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import { TunnelConnection } from '../src/protocol/tunnel-connection.ts';
import { randomFrom, runTarget, type Random } from './run-target.ts';

const inputBytesMax = 4096;
const outputBytesMax = 64 * 1024;
const limits = { ...defaultLimits, streamsMax: 8, controlQueueBytesMax: outputBytesMax / 2 };

function randomFrame(random: Random, opened: number): Frame {
  const streamId = 1 + random(opened + 1);
  const code = random(70);
  switch (random(13)) {
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
    case 11:
      return { type: 'datagram', streamId, data: new Uint8Array(random(300)) };
    case 10:
      return { type: 'goaway', lastStreamId: random(5), code, message: '' };
    default: {
      const receivedBytes = BigInt(random(9));
      if (random(4) !== 0) return { type: 'ack', receivedBytes };
      return { type: 'resume', receivedBytes, proof: new Uint8Array(32 * random(4)) };
    }
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

/** Feeds the bytes and plays an owner that responds at random. Throws what must never be thrown; false if the tunnel failed. */
function runTunnel(role: 'agent' | 'gateway', input: Uint8Array, random: Random): boolean {
  const connection = new TunnelConnection({ role, limits, nowMs: 0, agreesOnDatagrams: random(4) !== 0 });
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
      if (event.type === 'open') respond(connection, event.streamId, random);
    }
    const id = 1 + random(4);
    if (random(2) === 0 && connection.streamState(id) !== undefined) {
      connection.consumed(id, held.get(id) ?? 0, nowMs);
      held.delete(id);
    }
    if (connection.outputBytes > outputBytesMax)
      throw new Error(`${connection.outputBytes} bytes of output wait`);
    if (random(8) === 0) {
      const block = connection.output.take();
      if (block !== undefined && random(2) === 0) connection.output.giveBack(block);
    }
  }
  connection.endOfMessage();
  if (failures === 0 && connection.streamCount > limits.streamsMax) throw new Error('too many streams');
  return failures === 0;
}

function respond(connection: TunnelConnection, id: number, random: Random): void {
  switch (random(6)) {
    case 5:
      return void connection.output.pushDatagram(id, new Uint8Array(random(9_000)));
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

/** Whether the tunnel lives on behind the bytes, in either role. */
function runAll(bytes: Uint8Array, seed: number): boolean {
  const survives = (['agent', 'gateway'] as const).filter((role) => runTunnel(role, bytes, randomFrom(seed)));
  try {
    decodeChunk(bytes);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
  }
  return survives.length > 0;
}

await runTarget({
  name: 'frames',
  generate(random) {
    const seed = Buffer.from([random(256), random(256), random(256), random(256)]);
    return Buffer.concat([seed, randomInput(random)]).toString('hex');
  },
  check(input) {
    // What shrinking leaves may be too short to have a seed.
    const bytes = Buffer.concat([Buffer.from(input, 'hex'), Buffer.alloc(4)]);
    return runAll(new Uint8Array(bytes.subarray(4, -4)), bytes.readUInt32BE());
  },
});
