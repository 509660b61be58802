// Reads a body that a rule looks into. What was read is what goes on: the very octets.

import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, constants, gunzip, type InputType, zstdDecompress } from 'node:zlib';
import type { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { type ContentCoding, jsonCodingOf, type ReadBody } from '../../understand/read-body.ts';
import { readJson } from '../../understand/read-json.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';
import type { HeldBodies } from '../credentials/request/held-bodies.ts';

export interface InspectedBody {
  readonly read: ReadBody;
  /** What to send in its place: the same octets. Undefined: nothing was read of it. */
  readonly body?: Readable;
}

/**
 * `isOnTrial`: for rules that refuse nothing: a body that is too long, or does not say how long it is, goes on unread.
 * @throws ProxyError body_too_large, limit_exceeded, timeout, cancelled
 */
export async function inspectBody(
  body: BodyFacts,
  headers: HeaderList,
  { held, isOnTrial }: { readonly held: HeldBodies; readonly isOnTrial: boolean },
): Promise<InspectedBody> {
  const coding = jsonCodingOf(headers);
  // Nothing is held of what cannot be read.
  if (typeof coding === 'object') return { read: { kind: 'unreadable', reason: coding.problem } };
  const max = held.limits.inspectBodyBytesMax;
  if (isOnTrial && (body.length === undefined || body.length > max))
    return { read: { kind: 'unreadable', reason: 'is too long to be read for a rule on trial' } };
  if (body.length !== undefined && body.length > max) throw tooLong(max);
  const { bytes, sendOn } = await held.hold(body, max).catch((error: unknown) => {
    throw error instanceof ProxyError && error.code === 'body_too_large' ? tooLong(max) : error;
  });
  const sent = sendOn(bytes).rewrite(body.open());
  const decoded = await decode(coding, bytes, max);
  if (decoded === undefined) return unreadable('is not encoded as its Content-Encoding says', sent);
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const text = readJson(decoded, { depthMax, valuesMax });
  if (text instanceof UnreadableBody) return unreadable(text.reason, sent);
  // It is kept as long as the request runs: a change of the policy asks about it again.
  held.keep(body, decoded.length + text.count * octetsPerValue + text.objects * octetsPerObject);
  return { read: { kind: 'json', value: text.value, octets: decoded.length }, body: sent };
}

function unreadable(reason: string, body: Readable): InspectedBody {
  return { read: { kind: 'unreadable', reason }, body };
}

/** Of a value in memory, beside its text, and what an object costs more. */
const octetsPerValue = 100;
const octetsPerObject = 300;

interface Options {
  readonly maxOutputLength: number;
  readonly info: true;
  readonly params?: Readonly<Record<number, number>>;
}
/** What `info` gives, which the types of Node do not have. */
interface Decoded {
  readonly buffer: Buffer;
  /** `bytesWritten`: how much it took. */
  readonly engine: { readonly bytesWritten: number };
}
type Decode = (input: InputType, options: Options) => Promise<Decoded>;

const zstdMagic = Buffer.of(0x28, 0xb5, 0x2f, 0xfd);
const windowLog = Math.log2(defaultLimits.zstdWindowBytesMax);
const decoders: Readonly<Record<Exclude<ContentCoding, 'identity'>, Decode>> = {
  gzip: promisify(gunzip) as unknown as Decode,
  br: promisify(brotliDecompress) as unknown as Decode,
  zstd: promisify(zstdDecompress) as unknown as Decode,
};

/** Undefined: it is broken, or goes on behind what some decoders read. @throws ProxyError body_too_large */
async function decode(coding: ContentCoding, bytes: Buffer, max: number): Promise<Buffer | undefined> {
  if (coding === 'identity') return bytes;
  const params = coding === 'zstd' ? { params: { [constants.ZSTD_d_windowLogMax]: windowLog } } : {};
  try {
    const { buffer, engine } = await decoders[coding](bytes, { maxOutputLength: max, info: true, ...params });
    if (engine.bytesWritten !== bytes.length) return undefined;
    // Of several members one behind the other some decoders read the first alone: the last one says its own length.
    if (coding === 'gzip' && bytes.readUInt32LE(bytes.length - 4) !== buffer.length) return undefined;
    return coding === 'zstd' && bytes.includes(zstdMagic, 1) ? undefined : buffer;
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLong(max);
    return undefined;
  }
}

function tooLong(max: number): ProxyError {
  return new ProxyError(
    'body_too_large',
    `a rule looks into the body, which is longer than ${String(max)} bytes (inspectBodyBytesMax)`,
    { limit: 'inspectBodyBytesMax' },
  );
}
