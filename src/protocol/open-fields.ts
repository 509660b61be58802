// The payload of `open`: fields as type u16, length u16, value. Unknown types are skipped, so that fields can be added.

import { ProxyError } from './error.ts';
import type { OpenFields, StreamMode } from './frame.ts';

/** Number of each field of `open` on the wire. docs/reference/wire.md is checked against this table. */
export const openFieldNumbers = {
  authority: 1,
  mode: 2,
  sni: 3,
  alpn: 4,
  tlsVersion: 5,
  via: 6,
  alpnOffer: 7,
} as const satisfies Record<keyof OpenFields, number>;

/** Number of each mode in the one octet of the field `mode`. */
export const streamModeNumbers = {
  raw: 0,
  tls: 1,
  proxy: 2,
  http1: 3,
  http2: 4,
  refusals: 5,
  udp: 6,
} as const satisfies Record<StreamMode, number>;

const fieldByNumber = new Map<number, keyof OpenFields>(
  // Object.entries forgets that the keys are the names of the fields.
  (Object.entries(openFieldNumbers) as [keyof OpenFields, number][]).map(([name, number]) => [number, name]),
);
const modeByNumber = new Map<number, StreamMode>(
  // Object.entries forgets that the keys are the modes.
  (Object.entries(streamModeNumbers) as [StreamMode, number][]).map(([mode, number]) => [number, mode]),
);

const fieldHeaderBytes = 4;
const fieldBytesMax = 0xffff;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8 strictly. Throws frame_malformed with the name of what it was. */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new ProxyError('frame_malformed', `${what} is not UTF-8`, { cause });
  }
}

/** The payload of an `open` frame. Throws frame_too_large if a field does not fit its 16-bit length. */
export function encodeOpenFields(fields: OpenFields): Uint8Array {
  const values: [number, Uint8Array | string][] = [
    [openFieldNumbers.authority, octetsOf(fields.authority)],
    [openFieldNumbers.mode, Uint8Array.of(streamModeNumbers[fields.mode])],
  ];
  for (const name of ['sni', 'alpn', 'tlsVersion', 'via', 'alpnOffer'] as const) {
    const value = fields[name];
    if (value !== undefined) values.push([openFieldNumbers[name], octetsOf(value)]);
  }
  const payload = new Uint8Array(values.reduce((sum, [, value]) => sum + fieldHeaderBytes + value.length, 0));
  let offset = 0;
  for (const [number, value] of values) {
    if (value.length > fieldBytesMax) {
      throw new ProxyError(
        'frame_too_large',
        `a field of open has ${value.length} bytes, at most ${fieldBytesMax} fit`,
      );
    }
    payload[offset + 1] = number;
    payload[offset + 2] = value.length >>> 8;
    payload[offset + 3] = value.length;
    offset += fieldHeaderBytes;
    if (typeof value !== 'string') payload.set(value, offset);
    else for (let index = 0; index < value.length; index++) payload[offset + index] = value.charCodeAt(index);
    offset += value.length;
  }
  return payload;
}

/** UTF-8; a text of ASCII alone is its octets already, and shorter than what the encoder costs. */
function octetsOf(text: string): Uint8Array | string {
  for (let index = 0; index < text.length; index++)
    if (text.charCodeAt(index) > 0x7f) return encoder.encode(text);
  return text;
}

/** The fields of an `open` payload. Throws frame_malformed for one that is cut, repeated, missing or unreadable. */
export function decodeOpenFields(payload: Uint8Array): OpenFields {
  const texts: { -readonly [name in keyof OpenFields]?: string } = {};
  let mode: StreamMode | undefined;
  const seen = new Set<number>();
  for (let offset = 0; offset < payload.length;) {
    const number = ((payload[offset] ?? 0) << 8) | (payload[offset + 1] ?? 0);
    const start = offset + fieldHeaderBytes;
    const end = start + (((payload[offset + 2] ?? 0) << 8) | (payload[offset + 3] ?? 0));
    if (start > payload.length || end > payload.length) {
      throw new ProxyError('frame_malformed', `a field of open is cut off at octet ${offset}`);
    }
    if (seen.has(number)) throw new ProxyError('frame_malformed', `field ${number} stands twice in open`);
    seen.add(number);
    const name = fieldByNumber.get(number);
    const value = payload.subarray(start, end);
    if (name === 'mode') mode = decodeMode(value);
    else if (name !== undefined) texts[name] = decodeText(value, `the field ${name} of open`);
    offset = end;
  }
  const { authority, sni, alpn, tlsVersion, via, alpnOffer } = texts;
  if (authority === undefined || mode === undefined) {
    throw new ProxyError('frame_malformed', 'open lacks its authority or its mode');
  }
  // One after the other: spreads cost each stream more than reading the octets.
  const fields: { -readonly [Name in keyof OpenFields]: OpenFields[Name] } = { authority, mode };
  if (sni !== undefined) fields.sni = sni;
  if (alpn !== undefined) fields.alpn = alpn;
  if (tlsVersion !== undefined) fields.tlsVersion = tlsVersion;
  if (via !== undefined) fields.via = via;
  if (alpnOffer !== undefined) fields.alpnOffer = alpnOffer;
  return fields;
}

function decodeMode(value: Uint8Array): StreamMode {
  const mode = value.length === 1 ? modeByNumber.get(value[0] ?? 0xff) : undefined;
  if (mode === undefined)
    throw new ProxyError('frame_malformed', 'open names a mode that this version does not know');
  return mode;
}
