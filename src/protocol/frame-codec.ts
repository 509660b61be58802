// The bytes of `upstreamproxy.v1`: type u8 | payload length u24 | stream id u32 | payload, all big endian.
// docs/reference/wire.md describes them for whoever writes the other end.

import { ProxyError } from './error.ts';
import type { Frame, FrameType } from './frame.ts';
import type { Limits } from './limits.ts';
import { decodeLinkFrame, encodeLinkPayload } from './link-frames.ts';
import { decodeResumeFrame, encodeResumePayload } from './resume-frames.ts';
import { decodeOpenFields, decodeText, encodeOpenFields } from './open-fields.ts';

/** Octets of a frame before its payload. */
export const frameHeaderBytes = 8;

interface FrameShape {
  readonly number: number;
  /** Whether the frame belongs to a stream (`stream`), to the connection (`connection`, stream id 0) or to either. */
  readonly scope: 'stream' | 'connection' | 'either';
  readonly payloadBytesMin: number;
  /** Absent: as long as the limit of the frame's kind. */
  readonly payloadBytesMax?: number;
}

/** Number and shape of every frame type. docs/reference/wire.md is checked against this table. */
export const frameShapes = {
  open: { number: 1, scope: 'stream', payloadBytesMin: 0 },
  accept: { number: 2, scope: 'stream', payloadBytesMin: 0, payloadBytesMax: 0 },
  refuse: { number: 3, scope: 'stream', payloadBytesMin: 2 },
  // An empty data frame would say nothing and cost the receiver the same.
  data: { number: 4, scope: 'stream', payloadBytesMin: 1 },
  window: { number: 5, scope: 'either', payloadBytesMin: 4, payloadBytesMax: 4 },
  end: { number: 6, scope: 'stream', payloadBytesMin: 0, payloadBytesMax: 0 },
  reset: { number: 7, scope: 'stream', payloadBytesMin: 2 },
  ping: { number: 8, scope: 'connection', payloadBytesMin: 4, payloadBytesMax: 4 },
  pong: { number: 9, scope: 'connection', payloadBytesMin: 4, payloadBytesMax: 4 },
  goaway: { number: 10, scope: 'connection', payloadBytesMin: 6 },
  ack: { number: 11, scope: 'connection', payloadBytesMin: 8, payloadBytesMax: 8 },
  resume: { number: 12, scope: 'connection', payloadBytesMin: 8, payloadBytesMax: 104 },
  challenge: { number: 13, scope: 'connection', payloadBytesMin: 48, payloadBytesMax: 96 },
  prove: { number: 14, scope: 'connection', payloadBytesMin: 66 },
  agree: { number: 15, scope: 'connection', payloadBytesMin: 64, payloadBytesMax: 66 },
  hosts: { number: 16, scope: 'connection', payloadBytesMin: 1 },
  resumable: { number: 17, scope: 'connection', payloadBytesMin: 68, payloadBytesMax: 68 },
  identify: { number: 18, scope: 'connection', payloadBytesMin: 67 },
  datagram: { number: 19, scope: 'stream', payloadBytesMin: 0 },
} as const satisfies Record<FrameType, FrameShape>;

/** Largest stream id and largest credit: 31 bits, so that sums stay exact in every language. */
export const uint31Max = 0x7fff_ffff;
const payloadBytesCeiling = 0xff_ffff;

// Object.entries forgets that the keys are the types.
const shapes = Object.entries(frameShapes) as [FrameType, FrameShape][];
/** By number, with what is looked up for each frame at one place. */
const typesByNumber = new Map(shapes.map(([type, shape]) => [shape.number, { type, shape }]));

/** Frames of one link, which no replay repeats; all others are counted. */
const linkFrameTypes = [
  'ping',
  'pong',
  'ack',
  'resume',
  'challenge',
  'prove',
  'agree',
  'hosts',
  'resumable',
  'identify',
  'datagram',
] as const satisfies readonly FrameType[];
const linkTypes: ReadonlySet<FrameType> = new Set(linkFrameTypes);
const linkTypeNumbers: ReadonlySet<number> = new Set(linkFrameTypes.map((type) => frameShapes[type].number));

/** Whether a frame belongs to the link, not to the tunnel that outlives it. */
export function isOfLink(type: FrameType): boolean {
  return linkTypes.has(type);
}

/** A frame as it comes out of the parser: like `Frame`, but data comes in parts, as views of what was pushed. */
export type ParsedFrame =
  | Exclude<Frame, { readonly type: 'data' }>
  | {
      readonly type: 'data';
      readonly streamId: number;
      /** Never empty. A view, not a copy. */
      readonly data: Uint8Array;
      /** This part completes the frame. */
      readonly last: boolean;
      /** Octets of the same frame that are still to come. */
      readonly remaining: number;
    };

const encoder = new TextEncoder();

/** One whole frame in one buffer. Throws frame_too_large if its payload does not fit the 24-bit length. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'open':
      return assemble(frame.type, frame.streamId, encodeOpenFields(frame.fields));
    case 'accept':
    case 'end':
      return assemble(frame.type, frame.streamId, undefined);
    case 'refuse':
    case 'reset':
      return assemble(frame.type, frame.streamId, encodeReason(frame.code, frame.message));
    case 'data':
    case 'datagram':
      return assemble(frame.type, frame.streamId, frame.data);
    case 'window':
      return assembleUint32(frame.type, frame.streamId, frame.bytes);
    case 'ping':
    case 'pong':
      return assembleUint32(frame.type, 0, frame.nonce);
    case 'goaway': {
      const reason = encodeReason(frame.code, frame.message);
      const payload = new Uint8Array(4 + reason.length);
      writeUint32(payload, 0, frame.lastStreamId);
      payload.set(reason, 4);
      return assemble(frame.type, 0, payload);
    }
    case 'ack':
    case 'resume':
    case 'resumable':
      return assemble(frame.type, 0, encodeResumePayload(frame));
    case 'challenge':
    case 'prove':
    case 'agree':
    case 'hosts':
    case 'identify':
      return assemble(frame.type, 0, encodeLinkPayload(frame));
  }
}

/** Writes the header of a data frame at `offset`, to be followed by `length` octets. */
export function writeDataHeader(into: Uint8Array, offset: number, streamId: number, length: number): void {
  writeHeader(into.subarray(offset, offset + frameHeaderBytes), 'data', streamId, length);
}

/**
 * Turns bytes, split in any way, into frames. Push, then call `next` until it gives undefined. Nothing is allocated
 * from a claimed length. Throws ProxyError frame_malformed, frame_too_large or frame_truncated; after that it is spent.
 */
export class FrameParser {
  readonly #limits: Limits;
  readonly #waiting: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  #offset = 0;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerBytes = 0;
  #type: FrameType | undefined;
  #streamId = 0;
  #remaining = 0;
  /** The frame that is read is one of those that a replay repeats. */
  #isCounted = true;
  #countedBytes = 0;
  /** Holds the payload of a control frame that arrives in pieces; grows with what arrived, is kept for the next. */
  #buffer = new Uint8Array(64);
  #buffered = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Octets read of counted frames, headers and halves of frames included. */
  get countedBytes(): number {
    return this.#countedBytes;
  }

  /** The link is gone: half a counted frame waits for its rest on the next one, half a frame of the link itself is dropped. */
  cut(): void {
    this.#waiting.length = 0;
    this.#offset = this.#chunk.length;
    if (this.#isCounted) return;
    this.#type = undefined;
    this.#headerBytes = 0;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#waiting.push(chunk);
  }

  next(): ParsedFrame | undefined {
    if (this.#type === undefined) {
      if (!this.#readHeader()) return undefined;
      this.#type = this.#checkHeader();
    }
    if (this.#type === 'data') return this.#readData();
    const payload = this.#readPayload();
    if (payload === undefined) return undefined;
    const type = this.#type;
    this.#type = undefined;
    return decodePayload(type, this.#streamId, payload);
  }

  /** What came ends inside a frame. Ask when `next` has given undefined. */
  get isInsideFrame(): boolean {
    return this.#type !== undefined || this.#headerBytes > 0;
  }

  /** A message must hold whole frames. Throws frame_truncated. Call it when `next` has given undefined. */
  endOfMessage(): void {
    if (this.isInsideFrame) throw new ProxyError('frame_truncated', 'the message ended inside a frame');
  }

  /** Makes the next pushed chunk current once the last is used up; false if there are no bytes. */
  #hasBytes(): boolean {
    if (this.#offset < this.#chunk.length) return true;
    const chunk = this.#waiting.shift();
    if (chunk === undefined) return false;
    this.#chunk = chunk;
    this.#offset = 0;
    return true;
  }

  /** A view of at most `bytesMax` octets of the current chunk. */
  #take(bytesMax: number): Uint8Array {
    const end = Math.min(this.#offset + bytesMax, this.#chunk.length);
    const part = this.#chunk.subarray(this.#offset, end);
    this.#offset = end;
    if (this.#isCounted) this.#countedBytes += part.length;
    return part;
  }

  #readHeader(): boolean {
    while (this.#headerBytes < frameHeaderBytes) {
      if (!this.#hasBytes()) return false;
      const count = Math.min(frameHeaderBytes - this.#headerBytes, this.#chunk.length - this.#offset);
      for (let i = 0; i < count; i++)
        this.#header[this.#headerBytes + i] = this.#chunk[this.#offset + i] ?? 0;
      this.#headerBytes += count;
      this.#offset += count;
      this.#isCounted = !linkTypeNumbers.has(this.#header[0] ?? 0);
      if (this.#isCounted) this.#countedBytes += count;
    }
    this.#headerBytes = 0;
    return true;
  }

  #checkHeader(): FrameType {
    const number = this.#header[0] ?? 0;
    const known = typesByNumber.get(number);
    if (known === undefined) throw new ProxyError('frame_malformed', `there is no frame type ${number}`);
    const { type, shape } = known;
    const length = readUint24(this.#header, 1);
    const streamId = readUint32(this.#header, 4);
    if (
      streamId > uint31Max ||
      (shape.scope !== 'either' && (streamId === 0) !== (shape.scope === 'connection'))
    ) {
      throw new ProxyError('frame_malformed', `a ${type} frame cannot have the stream id ${streamId}`);
    }
    if (length < shape.payloadBytesMin || length > (shape.payloadBytesMax ?? length)) {
      throw new ProxyError('frame_malformed', `a ${type} frame cannot have ${length} bytes of payload`);
    }
    const { frameBytesMax, controlFrameBytesMax } = this.#limits;
    if (length > (type === 'data' ? frameBytesMax : controlFrameBytesMax)) {
      const limit = type === 'data' ? 'frameBytesMax' : 'controlFrameBytesMax';
      throw new ProxyError('frame_too_large', `a ${type} frame of ${length} bytes is above ${limit}`, {
        limit,
      });
    }
    this.#streamId = streamId;
    this.#remaining = length;
    this.#buffered = 0;
    return type;
  }

  #readData(): ParsedFrame | undefined {
    if (!this.#hasBytes()) return undefined;
    const data = this.#take(this.#remaining);
    this.#remaining -= data.length;
    const last = this.#remaining === 0;
    if (last) this.#type = undefined;
    return { type: 'data', streamId: this.#streamId, data, last, remaining: this.#remaining };
  }

  #readPayload(): Uint8Array | undefined {
    while (this.#remaining > 0) {
      if (!this.#hasBytes()) return undefined;
      const part = this.#take(this.#remaining);
      this.#remaining -= part.length;
      if (this.#remaining === 0 && this.#buffered === 0) return part;
      this.#keep(part);
    }
    return this.#buffer.subarray(0, this.#buffered);
  }

  #keep(part: Uint8Array): void {
    const needed = this.#buffered + part.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#buffered));
      this.#buffer = larger;
    }
    this.#buffer.set(part, this.#buffered);
    this.#buffered = needed;
  }
}

function decodePayload(type: Exclude<FrameType, 'data'>, streamId: number, payload: Uint8Array): ParsedFrame {
  switch (type) {
    case 'open':
      return { type, streamId, fields: decodeOpenFields(payload) };
    case 'accept':
    case 'end':
      return { type, streamId };
    case 'datagram':
      return { type, streamId, data: Uint8Array.from(payload) };
    case 'refuse':
    case 'reset':
      return {
        type,
        streamId,
        code: readUint16(payload, 0),
        message: decodeText(payload.subarray(2), `the message of ${type}`),
      };
    case 'window':
      return { type, streamId, bytes: decodeCredit(payload) };
    case 'ping':
    case 'pong':
      return { type, nonce: readUint32(payload, 0) };
    case 'goaway': {
      const message = decodeText(payload.subarray(6), 'the message of goaway');
      return { type, lastStreamId: readUint32(payload, 0), code: readUint16(payload, 4), message };
    }
    case 'ack':
    case 'resume':
    case 'resumable':
      return decodeResumeFrame(type, payload);
    case 'challenge':
    case 'prove':
    case 'agree':
    case 'hosts':
    case 'identify':
      return decodeLinkFrame(type, payload);
  }
}

function decodeCredit(payload: Uint8Array): number {
  const bytes = readUint32(payload, 0);
  if (bytes === 0 || bytes > uint31Max)
    throw new ProxyError('frame_malformed', `a window frame cannot grant ${bytes} bytes`);
  return bytes;
}

function encodeReason(code: number, message: string): Uint8Array {
  const text = encoder.encode(message);
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}

function assemble(type: FrameType, streamId: number, payload: Uint8Array | undefined): Uint8Array {
  const length = payload?.length ?? 0;
  const frame = new Uint8Array(frameHeaderBytes + Math.min(length, payloadBytesCeiling));
  writeHeader(frame, type, streamId, length);
  if (payload !== undefined) frame.set(payload, frameHeaderBytes);
  return frame;
}

function assembleUint32(type: FrameType, streamId: number, value: number): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + 4);
  writeHeader(frame, type, streamId, 4);
  writeUint32(frame, frameHeaderBytes, value);
  return frame;
}

function writeHeader(into: Uint8Array, type: FrameType, streamId: number, length: number): void {
  if (length > payloadBytesCeiling) {
    throw new ProxyError(
      'frame_too_large',
      `a ${type} frame of ${length} bytes does not fit its 24-bit length`,
    );
  }
  writeUint32(into, 0, length);
  into[0] = frameShapes[type].number;
  writeUint32(into, 4, streamId);
}

function writeUint32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}

function readUint16(from: Uint8Array, offset: number): number {
  return ((from[offset] ?? 0) << 8) | (from[offset + 1] ?? 0);
}

function readUint24(from: Uint8Array, offset: number): number {
  return (readUint16(from, offset) << 8) | (from[offset + 2] ?? 0);
}

function readUint32(from: Uint8Array, offset: number): number {
  return ((readUint24(from, offset) << 8) | (from[offset + 3] ?? 0)) >>> 0;
}
