// The response that is made of what the cache has: its head, and which part of the octets was asked for (RFC 9110 §14).

import type { HeaderField } from '../../http/header-list.ts';

export interface StoredArchive {
  readonly bytes: number;
  readonly fields: readonly HeaderField[];
  /** When the origin made it, as far as that is known: its age counts from then. */
  readonly storedMs: number;
}

export interface StoredResponse {
  readonly status: 200 | 206 | 416;
  readonly rawHeaders: readonly string[];
  /** From the first octet up to the one behind the last. */
  readonly from: number;
  readonly to: number;
}

/** `range` as the client wrote it; undefined: the whole. */
export function storedResponse(
  { bytes, fields, storedMs }: StoredArchive,
  range: string | undefined,
  nowMs: number,
): StoredResponse {
  const age = String(Math.max(0, Math.floor((nowMs - storedMs) / 1000)));
  const common = [...fields.flat(), 'age', age, 'accept-ranges', 'bytes'];
  const part = range === undefined ? 'whole' : partOf(range, bytes);
  if (part === 'none') {
    const rawHeaders = ['content-range', `bytes */${String(bytes)}`, 'content-length', '0'];
    return { status: 416, rawHeaders, from: 0, to: 0 };
  }
  if (part === 'whole')
    return { status: 200, rawHeaders: [...common, 'content-length', String(bytes)], from: 0, to: bytes };
  const { from, to } = part;
  const told = ['content-range', `bytes ${String(from)}-${String(to - 1)}/${String(bytes)}`];
  const rawHeaders = [...common, ...told, 'content-length', String(to - from)];
  return { status: 206, rawHeaders, from, to };
}

/** Of several parts, and of what is no range, the whole is sent, which is always right. */
function partOf(
  range: string,
  bytes: number,
): 'whole' | 'none' | { readonly from: number; readonly to: number } {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(range.trim()) ?? [];
  if (first === '' && last === '') return 'whole';
  if (first === '') {
    const from = Math.max(0, bytes - Number(last));
    return from < bytes ? { from, to: bytes } : 'none';
  }
  const [from, to] = [Number(first), last === '' ? bytes : Math.min(bytes, Number(last) + 1)];
  // RFC 9110 §14.1.1: a last position before the first makes it invalid.
  if (last !== '' && Number(last) < from) return 'whole';
  return from < bytes ? { from, to } : 'none';
}
