// The octets of a body as rules see them: decoded, and read where everybody reads them alike.

import { Buffer } from 'node:buffer';
import { promisify } from 'node:util';
import { brotliDecompress, constants, gunzip, type InputType, zstdDecompress } from 'node:zlib';
import type { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type JsonValue, UnreadableBody } from '../../understand/json-value.ts';
import { type ContentCoding, jsonCodingOf, type ReadBody, readDocument } from '../../understand/read-body.ts';
import { readOperationsForm } from '../../understand/multipart-form.ts';
import { type JsonText, readJson } from '../../understand/read-json.ts';

/** How a body is written: JSON, a form whose parts a boundary is between, or a document of GraphQL. */
export interface BodyForm {
  readonly coding: ContentCoding;
  readonly boundary?: string;
  readonly isDocument?: true;
}

/** Of a body of JSON, or why it is none that can be read. */
export function jsonFormOf(headers: HeaderList): BodyForm | { readonly problem: string } {
  const coding = jsonCodingOf(headers);
  return typeof coding === 'object' ? coding : { coding };
}

/** `heldOctets`: what is held in memory of what was read. */
export interface ReadOctets {
  readonly read: ReadBody;
  readonly heldOctets: number;
}

/** @param max of the decoded octets. @throws ProxyError body_too_large */
export async function readOctets(bytes: Buffer, form: BodyForm, max: number): Promise<ReadOctets> {
  const decoded = await decode(form.coding, bytes, max);
  if (decoded === undefined) return unreadable('is not encoded as its Content-Encoding says');
  const text = readText(decoded, form);
  if (text instanceof UnreadableBody) return unreadable(text.reason);
  const json = { value: text.value, octets: decoded.length };
  return {
    read: readAs(json, form),
    heldOctets: decoded.length + text.count * octetsPerValue + text.objects * octetsPerObject,
  };
}

function readText(decoded: Buffer, { boundary, isDocument }: BodyForm): JsonText | UnreadableBody {
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  if (isDocument === true) return readDocument(decoded);
  const bounds = { depthMax, valuesMax };
  return boundary === undefined ? readJson(decoded, bounds) : readOperationsForm(decoded, boundary, bounds);
}

function readAs(
  json: { readonly value: JsonValue; readonly octets: number },
  { boundary, isDocument }: BodyForm,
): ReadBody {
  if (isDocument === true)
    return { kind: 'unreadable', reason: 'is a document of GraphQL', form: { ...json, isDocument } };
  return boundary === undefined
    ? { kind: 'json', ...json }
    : { kind: 'unreadable', reason: 'is a form', form: json };
}

export function bodyTooLong(max: number): ProxyError {
  return new ProxyError(
    'body_too_large',
    `a rule looks into the body, which is longer than ${String(max)} bytes (inspectBodyBytesMax)`,
    { limit: 'inspectBodyBytesMax' },
  );
}

function unreadable(reason: string): ReadOctets {
  return { read: { kind: 'unreadable', reason }, heldOctets: 0 };
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
      throw bodyTooLong(max);
    return undefined;
  }
}
