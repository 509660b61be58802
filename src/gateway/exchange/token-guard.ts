// A response to a request with a secret of the home on it that hands out tokens would give the command what the secret was kept
// for. Small documents are looked at before their head goes on; cookies of a login do not go on at all.

import { Buffer } from 'node:buffer';
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { ResponseReceiver } from '../forward/forwarder.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Fields by which servers hand out what authorises. */
const tokenFields: ReadonlySet<string> = new Set([
  'set-cookie',
  'set-cookie2',
  'authorization',
  'authentication-info',
  'x-auth-token',
  'x-access-token',
  'x-refresh-token',
  'x-subject-token',
  'x-csrf-token',
  'docker-upload-token',
]);
/** Names of members, in lower case, without what joins words. */
const tokenMember =
  /^(?:(?:access|refresh|id|identity|session|security|auth|authentication|private|personalaccess|api|bearer|registry|csrf|job|deploy)?token|jwt|apikey|secret|clientsecret|secretaccesskey|password)$/;
const jsonWebToken = /^\s*"?eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"?\s*$/;
/** Members in which documents hold what they are about. */
const wrappers: ReadonlySet<string> = new Set([
  'data',
  'result',
  'objects',
  'credentials',
  'auth',
  'response',
]);

interface HeldHead {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly isForm: boolean;
  readonly coding: string;
}

export class TokenGuard implements ResponseReceiver {
  readonly #next: ResponseReceiver;
  readonly #host: string;
  #held: HeldHead | undefined;
  /** One piece, however small those are that come. */
  #body = Buffer.alloc(0);
  #bytes = 0;
  #trailers: readonly string[] | undefined;

  constructor(next: ResponseReceiver, host: string) {
    this.#next = next;
    this.#host = host;
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    this.#next.onInformation(status, withoutTokens(rawHeaders));
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead = false): void {
    const kept = withoutTokens(rawHeaders);
    const type = fieldOf(kept, 'content-type').toLowerCase();
    const length = fieldOf(kept, 'content-length');
    const isLong = /^\d+$/.test(length) && Number(length) > defaultLimits.tokenResponseBytesMax;
    if (endsAtHead || isLong || !mayHoldTokens(type)) {
      this.#next.onHead(status, kept, endsAtHead);
      return;
    }
    const isForm = type.startsWith('application/x-www-form-urlencoded');
    const coding = fieldOf(kept, 'content-encoding').trim().toLowerCase();
    this.#held = { status, rawHeaders: kept, isForm, coding };
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    if (this.#held === undefined) return this.#next.onData(chunk, resume);
    const max = defaultLimits.tokenResponseBytesMax;
    // Tokens are short; this is what was asked for.
    if (this.#bytes + chunk.byteLength > max) return this.#release(resume, chunk);
    if (this.#body.length === 0) this.#body = Buffer.allocUnsafe(max);
    this.#body.set(chunk, this.#bytes);
    this.#bytes += chunk.byteLength;
    return true;
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (this.#held === undefined) this.#next.onTrailers(withoutTokens(rawTrailers));
    else this.#trailers = withoutTokens(rawTrailers);
  }

  onComplete(): void {
    this.end();
    this.#next.onComplete?.();
  }

  /** Nothing follows. @throws ProxyError policy_denied */
  end(): void {
    const held = this.#held;
    if (held === undefined) return;
    const text = decoded(this.#body.subarray(0, this.#bytes), held.coding);
    if (handsOutTokens(text, held.isForm))
      throw new ProxyError(
        'policy_denied',
        `${this.#host} responded with a token to a request with a secret of the home; it is not passed on`,
      );
    this.#release(() => undefined);
  }

  #release(resume: () => void, more: Uint8Array = new Uint8Array()): boolean {
    const held = this.#held;
    if (held === undefined) return true;
    this.#held = undefined;
    const body = Buffer.concat([this.#body.subarray(0, this.#bytes), more]);
    this.#body = Buffer.alloc(0);
    this.#next.onHead(held.status, held.rawHeaders, false);
    const goesOn = body.length === 0 || this.#next.onData(body, resume);
    if (this.#trailers !== undefined) this.#next.onTrailers(this.#trailers);
    return goesOn;
  }
}

function withoutTokens(raw: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = raw.slice(i, i + 2);
    if (!tokenFields.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function fieldOf(raw: readonly string[], wanted: string): string {
  for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i]?.toLowerCase() === wanted) return raw[i + 1] ?? '';
  return '';
}

/** Packages, images and packs are not; what names no type could be. */
function mayHoldTokens(type: string): boolean {
  return type === '' || /json|text\/plain|x-www-form-urlencoded|jwt|xml/.test(type);
}

/** Identity was asked for, which not every server heeds. */
function decoded(body: Buffer, coding: string): string {
  const options = { maxOutputLength: 4 * defaultLimits.tokenResponseBytesMax };
  try {
    if (/^(?:x-)?gzip$/.test(coding)) return gunzipSync(body, options).toString('utf8');
    if (coding === 'deflate') return inflateSync(body, options).toString('utf8');
    if (coding === 'br') return brotliDecompressSync(body, options).toString('utf8');
    if (coding === 'zstd') return zstdDecompressSync(body, options).toString('utf8');
  } catch {
    // Longer than a token, or broken, which whoever decodes it for the client finds too.
    return '';
  }
  return body.toString('utf8');
}

function handsOutTokens(text: string, isForm: boolean): boolean {
  if (jsonWebToken.test(text)) return true;
  if (isForm) return [...new URLSearchParams(text).keys()].some(isTokenName);
  if (/<(?:SecretAccessKey|SessionToken|AccessToken)>/.test(text)) return true;
  try {
    return holdsToken(JSON.parse(text), 0);
  } catch {
    // No document; then nothing says what it is.
    return false;
  }
}

function holdsToken(value: unknown, depth: number): boolean {
  if (depth > 3 || typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((one) => holdsToken(one, depth + 1));
  return Object.entries(value).some(
    ([name, one]) =>
      (typeof one === 'string' && one !== '' && isTokenName(name)) ||
      (wrappers.has(name.toLowerCase()) && holdsToken(one, depth + 1)),
  );
}

function isTokenName(name: string): boolean {
  return tokenMember.test(name.toLowerCase().replaceAll(/[_.-]/g, ''));
}
