// The canonical request of AWS Signature Version 4: what both ends hash. Made from the head that is really sent.

import { createHash } from 'node:crypto';
import { hostField } from '../../../http/authority.ts';
import type { RequestHead } from '../../../http/message-head.ts';

export interface CanonicalRequest {
  readonly text: string;
  /** Names with semicolons between them, as the signature states them. */
  readonly signedHeaders: string;
}

/** S3 and its relatives take the path as it is on the wire; every other service encodes it once more. */
export function isS3(service: string): boolean {
  return service === 's3' || service.startsWith('s3-') || service === 's3express';
}

/** `payload` is the hash of the body, or the word that stands for it. */
export function canonicalRequest(
  head: RequestHead,
  { service, payload }: { readonly service: string; readonly payload: string },
): CanonicalRequest {
  const fields = canonicalFields(head);
  const signedHeaders = fields.map(([name]) => name).join(';');
  const lines = fields.map(([name, value]) => `${name}:${value}\n`).join('');
  const path = canonicalPath(head.path, service);
  const text = [head.method, path, canonicalQuery(head.query), lines, signedHeaders, payload].join('\n');
  return { text, signedHeaders };
}

/** The names that are signed: what AWS demands, and nothing that is changed behind the signature. */
export function signedHeaderNames(head: RequestHead): string {
  return canonicalFields(head)
    .map(([name]) => name)
    .join(';');
}

/** Header values are bytes, which Node holds as Latin-1; all else is ASCII. */
export function hexHash(bytes: string | Uint8Array): string {
  const hash = createHash('sha256');
  return (typeof bytes === 'string' ? hash.update(bytes, 'latin1') : hash.update(bytes)).digest('hex');
}

function canonicalFields(head: RequestHead): readonly (readonly [string, string])[] {
  const values = new Map<string, string[]>([['host', [hostField(head.destination)]]]);
  for (const [name, value] of head.headers) {
    const lowerCase = name.toLowerCase();
    if (!isSigned(lowerCase)) continue;
    const plain = value.trim().replace(/[ \t]+/g, ' ');
    values.set(lowerCase, [...(values.get(lowerCase) ?? []), plain]);
  }
  return [...values]
    .map(([name, all]) => [name, all.join(',')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function isSigned(name: string): boolean {
  return name.startsWith('x-amz-') || name === 'content-type' || name === 'content-md5';
}

function canonicalPath(path: string, service: string): string {
  if (isS3(service)) return path.replace(/%[0-9A-F]{2}|[^A-Za-z0-9._~/-]/g, encodeUnlessEncoded);
  return path.replace(/\/{2,}/g, '/').replace(/[^A-Za-z0-9._~/-]/g, encodeUnlessEncoded);
}

function canonicalQuery(query: string): string {
  if (query.length < 2) return '';
  return query
    .slice(1)
    .split('&')
    .filter((parameter) => parameter !== '')
    .map((parameter) => {
      const equals = parameter.indexOf('=');
      const name = equals === -1 ? parameter : parameter.slice(0, equals);
      return [canonicalText(name), canonicalText(equals === -1 ? '' : parameter.slice(equals + 1))] as const;
    })
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map((pair) => pair.join('='))
    .join('&');
}

/** Byte by byte, so that what is no UTF-8 keeps its bytes; `+` is a space, as AWS reads queries. */
function canonicalText(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})|[^A-Za-z0-9._~-]/g, (found, hex?: string) => {
    if (hex === undefined) return found === '+' ? '%20' : encodeUnlessEncoded(found);
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : found.toUpperCase();
  });
}

function encodeUnlessEncoded(found: string): string {
  if (found.length > 1) return found;
  return `%${found.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
