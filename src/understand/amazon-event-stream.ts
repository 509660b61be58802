// Messages of `application/vnd.amazon.eventstream`: a length, fields and a payload, with two checksums.

import { GatheredOctets } from '../protocol/gathered-octets.ts';

/** What one message says. */
export interface AmazonEvent {
  /** `:event-type`, or undefined of what is no event, such as an exception. */
  readonly type: string | undefined;
  readonly payload: Uint8Array;
}

const preludeOctets = 12;
const checksumOctets = 4;

/** Takes pieces and gives the messages that are whole. Linear. What is broken ends it: nothing behind it is read. */
export class AmazonEventReader {
  readonly #octetsMax: number;
  readonly #held = new GatheredOctets();
  #needed = preludeOctets;
  #isBroken = false;

  /** @param octetsMax of one message */
  constructor(octetsMax: number) {
    this.#octetsMax = octetsMax;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** What is held of a message that is not whole. */
  get octets(): number {
    return this.#held.length;
  }

  push(octets: Uint8Array): readonly AmazonEvent[] {
    if (this.#isBroken || octets.length === 0) return [];
    this.#held.push(octets);
    if (this.#held.length < this.#needed) return [];
    const all = this.#held.take();
    const events: AmazonEvent[] = [];
    let at = 0;
    while (!this.#isBroken) {
      const rest = all.subarray(at);
      const total = totalOf(rest, this.#octetsMax);
      if (total === 'broken') this.#isBroken = true;
      else if (total === undefined || rest.length < total) {
        this.#needed = total ?? preludeOctets;
        break;
      } else {
        const event = eventOf(rest.subarray(0, total));
        if (event === undefined) this.#isBroken = true;
        else events.push(event);
        at += total;
      }
    }
    if (!this.#isBroken) this.#held.push(all.subarray(at));
    return events;
  }
}

const viewOf = (octets: Uint8Array): DataView =>
  new DataView(octets.buffer, octets.byteOffset, octets.byteLength);

/** Undefined: its length is not there yet. */
function totalOf(octets: Uint8Array, max: number): number | 'broken' | undefined {
  if (octets.length < preludeOctets) return undefined;
  const view = viewOf(octets);
  if (view.getUint32(8) !== crc32(octets.subarray(0, 8))) return 'broken';
  const total = view.getUint32(0);
  const fields = view.getUint32(4);
  return total > max || total < preludeOctets + fields + checksumOctets ? 'broken' : total;
}

/** Undefined: a checksum or a field is wrong. */
function eventOf(message: Uint8Array): AmazonEvent | undefined {
  const view = viewOf(message);
  const end = message.length - checksumOctets;
  if (view.getUint32(end) !== crc32(message.subarray(0, end))) return undefined;
  const fieldsEnd = preludeOctets + view.getUint32(4);
  const fields = fieldsOf(message.subarray(preludeOctets, fieldsEnd));
  if (fields === undefined) return undefined;
  return { type: fields.get(':event-type'), payload: message.slice(fieldsEnd, end) };
}

/** How long values are, by their type; those of a text or of octets say it themselves. */
const valueOctets: readonly (number | undefined)[] = [0, 0, 1, 2, 4, 8, undefined, undefined, 8, 16];
const textType = 7;
const decoder = new TextDecoder();

function fieldsOf(octets: Uint8Array): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  const view = viewOf(octets);
  for (let at = 0; at < octets.length;) {
    const nameEnd = at + 1 + (octets[at] ?? 0);
    const type = octets[nameEnd];
    if (type === undefined || type >= valueOctets.length) return undefined;
    const fixed = valueOctets[type];
    let from = nameEnd + 1;
    if (fixed === undefined && from + 2 > octets.length) return undefined;
    const length = fixed ?? view.getUint16(from);
    if (fixed === undefined) from += 2;
    if (from + length > octets.length) return undefined;
    if (type === textType)
      fields.set(
        decoder.decode(octets.subarray(at + 1, nameEnd)),
        decoder.decode(octets.subarray(from, from + length)),
      );
    at = from + length;
  }
  return fields;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** As of zlib (ISO 3309). */
function crc32(octets: Uint8Array): number {
  let value = 0xffffffff;
  for (const octet of octets) value = (value >>> 8) ^ (crcTable[(value ^ octet) & 0xff] ?? 0);
  return (value ^ 0xffffffff) >>> 0;
}
