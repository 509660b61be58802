// A response to a request with a secret of the home on it that hands out tokens would give the command what the secret was kept
// for. Documents are looked through, small ones before their head goes on; cookies of a login do not go on at all.

import { Buffer } from 'node:buffer';
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { ResponseReceiver } from '../forward/forwarder.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { isTokenName, TokenSearch } from './token-search.ts';

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
const jsonWebToken = /^\s*"?eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"?\s*$/;
const codings = /^(?:(?:x-)?gzip|deflate|br|zstd)$/;

interface HeldHead {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly isForm: boolean;
  readonly isJson: boolean;
  readonly coding: string;
}

export class TokenGuard implements ResponseReceiver {
  readonly #next: ResponseReceiver;
  readonly #host: string;
  /** Of what is not coded. */
  #search: TokenSearch | undefined;
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
    if (endsAtHead || !mayHoldTokens(type)) {
      this.#next.onHead(status, kept, endsAtHead);
      return;
    }
    const isForm = type.startsWith('application/x-www-form-urlencoded');
    const coding = fieldOf(kept, 'content-encoding').trim().toLowerCase();
    if (
      (coding !== '' && coding !== 'identity' && !codings.test(coding)) ||
      /charset="?utf-?(?:16|32)/.test(type)
    )
      throw this.#unseen();
    const isJson = type.includes('json');
    this.#search = codings.test(coding) ? undefined : new TokenSearch(isJson);
    this.#held = { status, rawHeaders: kept, isForm, isJson, coding };
  }

  /** What is not coded is searched to its end, also where its head has gone on. @throws ProxyError policy_denied */
  onData(chunk: Uint8Array, resume: () => void): boolean {
    if (this.#search?.push(chunk) === true) throw this.#refused();
    const held = this.#held;
    if (held === undefined) return this.#next.onData(chunk, resume);
    const max = defaultLimits.tokenResponseBytesMax;
    if (this.#bytes + chunk.byteLength > max) {
      // What is looked at only as a whole has to be short.
      if (this.#search === undefined || held.isForm || isNoText(this.#body.subarray(0, this.#bytes)))
        throw this.#unseen();
      return this.#release(resume, chunk);
    }
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
    const body = decoded(this.#body.subarray(0, this.#bytes), held.coding);
    if (body === undefined || isWide(body)) throw this.#unseen();
    if (handsOutTokens(body, held)) throw this.#refused();
    this.#release(() => undefined);
  }

  #refused(): ProxyError {
    return new ProxyError(
      'policy_denied',
      `${this.#host} responded with a token to a request with a secret of the home; it is not passed on`,
    );
  }

  #unseen(): ProxyError {
    return new ProxyError(
      'policy_denied',
      `${this.#host} responded to a request with a secret of the home in a form that cannot be looked through for tokens; it is not passed on`,
    );
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

/** Identity was asked for, which not every server heeds. Undefined for what is broken, or much longer than a token. */
function decoded(body: Buffer, coding: string): Buffer | undefined {
  const options = { maxOutputLength: 4 * defaultLimits.tokenResponseBytesMax };
  try {
    if (body.length === 0) return body;
    if (/^(?:x-)?gzip$/.test(coding)) return gunzipSync(body, options);
    if (coding === 'deflate') return inflateSync(body, options);
    if (coding === 'br') return brotliDecompressSync(body, options);
    if (coding === 'zstd') return zstdDecompressSync(body, options);
  } catch {
    return undefined;
  }
  return body;
}

function handsOutTokens(body: Buffer, { isForm, isJson }: HeldHead): boolean {
  const text = body.toString('utf8');
  if (jsonWebToken.test(text)) return true;
  if (isForm) return [...new URLSearchParams(text).keys()].some(isTokenName);
  return new TokenSearch(isJson).push(body);
}

/** UTF-16 or UTF-32 (RFC 4627 §3), which some clients take without being told. */
function isWide(body: Buffer): boolean {
  return body.subarray(0, 4).includes(0) || /^(?:\xff\xfe|\xfe\xff)/.test(body.toString('latin1', 0, 2));
}

/** So long, and of the alphabet of tokens alone; or of wide characters. */
function isNoText(body: Buffer): boolean {
  return isWide(body) || /^\s*"?eyJ[A-Za-z0-9._-]*$/.test(body.toString('latin1'));
}
