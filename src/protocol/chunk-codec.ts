// The bytes of `upstreamproxy.chunk`: each WebSocket message is one protobuf `UpstreamProxyChunk { bytes data = 1; }`.

import { ProxyError } from './error.ts';

/** Field 1, wire type 2 (length-delimited). */
const dataTag = 0x0a;
/** Nested groups of unknown fields that are followed before the message is given up. */
const groupDepthMax = 16;

/**
 * One chunk as the buffers of one message, in order; the data is not copied. Empty data makes a keep-alive.
 */
export function encodeChunk(data: Uint8Array): Uint8Array[] {
  const header = [dataTag];
  let length = data.length;
  while (length > 0x7f) {
    header.push((length & 0x7f) | 0x80);
    length = Math.floor(length / 128);
  }
  header.push(length);
  return data.length === 0 ? [Uint8Array.from(header)] : [Uint8Array.from(header), data];
}

/**
 * The data of a whole message, as a view of it; empty for a keep-alive. Unknown fields are skipped, the last field 1
 * counts, as protobuf has it. Throws frame_malformed.
 */
export function decodeChunk(message: Uint8Array): Uint8Array {
  const reader = new ProtobufReader(message);
  let data = message.subarray(0, 0);
  while (!reader.atEnd) {
    const tag = reader.readTag();
    if (tag === dataTag) data = reader.readBytes();
    else reader.skip(tag, 0);
  }
  return data;
}

class ProtobufReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  readTag(): number {
    const tag = this.#readVarint();
    if (tag > 0xffff_ffff || tag < 8) throw malformed('a field number is out of range');
    return tag;
  }

  readBytes(): Uint8Array {
    const length = this.#readVarint();
    const start = this.#offset;
    this.#advance(length);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Skips the value of an unknown field. */
  skip(tag: number, depth: number): void {
    switch (tag % 8) {
      case 0:
        this.#readVarint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.readBytes();
        return;
      case 3:
        this.#skipGroup(tag, depth);
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw malformed(`the wire type ${tag % 8} is not expected here`);
    }
  }

  #skipGroup(start: number, depth: number): void {
    if (depth >= groupDepthMax) throw malformed('groups are nested too deep');
    const end = start + 1;
    for (let tag = this.readTag(); tag !== end; tag = this.readTag()) this.skip(tag, depth + 1);
  }

  /** Exact up to 2^53; larger values are only ever skipped or refused as a length. */
  #readVarint(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const octet = this.#bytes[this.#offset];
      if (octet === undefined) throw malformed('a number is cut off');
      this.#offset += 1;
      value += (octet & 0x7f) * 2 ** (7 * i);
      if (octet < 0x80) return value;
    }
    throw malformed('a number is longer than ten octets');
  }

  #advance(count: number): void {
    if (count > this.#bytes.length - this.#offset) throw malformed('a field is longer than the message');
    this.#offset += count;
  }
}

function malformed(what: string): ProxyError {
  return new ProxyError('frame_malformed', `not an UpstreamProxyChunk message: ${what}`);
}
