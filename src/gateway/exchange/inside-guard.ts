// The response of a server of OAuth to a tool of a session: held until it is whole, read, and sent on with placeholders in place of its tokens. What cannot
// be read is not passed on.

import { Buffer } from 'node:buffer';
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { jsonCodingOf } from '../../understand/read-body.ts';
import type { InsideExchange, PlaceholderOf } from '../credentials/inside/inside-exchange.ts';
import { readReference, type TokenAddress, writeAddress } from '../credentials/inside/token-address.ts';
import { readTokens, type TokenDocument } from '../credentials/inside/token-document.ts';
import { jsonWebTokenPattern, tokenKindOf } from '../credentials/inside/token-members.ts';
import type { ResponseReceiver } from '../forward/forwarder.ts';
import { withoutDigests } from '../scrub/searchable-response.ts';

interface HeldHead {
  readonly status: number;
  readonly headers: HeaderList;
  readonly endsAtHead: boolean;
}

/** Fields by which servers hand out what authorises, or an address that does. */
const droppedFields = [
  'set-cookie',
  'set-cookie2',
  'authorization',
  'proxy-authorization',
  'authentication-info',
  'refresh',
  'link',
  'content-location',
  // Of octets that are others now.
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'etag',
  'last-modified',
] as const;
const bodyless: ReadonlySet<number> = new Set([204, 205, 304]);

export class InsideGuard implements ResponseReceiver {
  readonly #next: ResponseReceiver;
  readonly #host: string;
  readonly #exchange: InsideExchange;
  readonly #octets = new GatheredOctets();
  #head: HeldHead | undefined;

  constructor(next: ResponseReceiver, host: string, exchange: InsideExchange) {
    this.#next = next;
    this.#host = host;
    this.#exchange = exchange;
  }

  /** No client of OAuth waits for one. */
  onInformation(): void {
    return;
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead = false): void {
    this.#head = { status, headers: HeaderList.fromRaw(rawHeaders), endsAtHead };
  }

  onData(chunk: Uint8Array): boolean {
    const max = defaultLimits.insideBodyBytesMax;
    if (this.#octets.length + chunk.byteLength > max)
      throw this.#unreadable(`it is longer than ${String(max)} bytes`, 'insideBodyBytesMax');
    this.#octets.push(Buffer.from(chunk));
    return true;
  }

  onTrailers(): void {
    return;
  }

  /** The response is whole: what is kept is in the store before anything of it goes on. @throws ProxyError */
  async end(): Promise<void> {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    const body = Buffer.from(this.#octets.take());
    const document = this.#documentOf(head, body);
    const location = this.#locationOf(head);
    const beside = location?.tokens ?? [];
    const placeholderOf = await this.#exchange.settle({ status: head.status, document, beside });
    const tokens = [...(document?.tokens ?? []), ...beside].map(({ value }) => value);
    this.#send(head, { document, location, tokens, placeholderOf });
  }

  #send(
    { status, headers, endsAtHead }: HeldHead,
    {
      document,
      location,
      tokens,
      placeholderOf,
    }: {
      readonly document: TokenDocument | undefined;
      readonly location: TokenAddress | undefined;
      readonly tokens: readonly string[];
      readonly placeholderOf: PlaceholderOf;
    },
  ): void {
    const shown = document?.write(placeholderOf) ?? Buffer.alloc(0);
    const kept = [...withoutDigests(headers.without(...droppedFields))].flatMap(([name, value]) => {
      if (name.toLowerCase() === 'location')
        return location === undefined
          ? [[name, value] as const]
          : [[name, writeAddress(location, placeholderOf)] as const];
      const isToken =
        tokenKindOf(name) !== undefined ||
        value.split(/[ ,;="]+/).some((one) => jsonWebTokenPattern.test(one));
      return isToken || tokens.some((token) => value.includes(token)) ? [] : [[name, value] as const];
    });
    let own = new HeaderList(kept);
    if (document === undefined) own = own.without('content-type');
    const hasLength = !endsAtHead && !bodyless.has(status) && status >= 200;
    if (hasLength) own = own.with('content-length', String(shown.length));
    this.#next.onHead(status, own.with('cache-control', 'no-store').toRaw(), endsAtHead);
    if (hasLength && shown.length > 0) this.#next.onData(shown, () => undefined);
  }

  /** Undefined: there is no body, or a redirect's, which says its address again for people. */
  #documentOf({ status, headers }: HeldHead, body: Buffer): TokenDocument | undefined {
    if (body.length === 0 || (status >= 300 && status <= 399)) return undefined;
    const form = this.#formOf(headers);
    const octets = this.#decoded(headers, body);
    if (octets.length === 0) return undefined;
    const read = readTokens(octets, {
      form,
      isError: status >= 400,
      known: this.#exchange.known,
      tokensMax: defaultLimits.insideTokensPerResponseMax,
      tokenCharactersMax: defaultLimits.insideTokenCharactersMax,
    });
    if (read instanceof UnreadableBody) throw this.#unreadable(`it ${read.reason}`);
    return read;
  }

  #formOf(headers: HeaderList): 'json' | 'form' {
    const types = headers.all('content-type');
    if (
      types.length === 1 &&
      /^application\/x-www-form-urlencoded(?:;[ \t]*charset="?utf-?8"?)?$/i.test(types[0] ?? '')
    )
      return 'form';
    // What a coding of it comes to is told below.
    const problem = jsonCodingOf(headers.without('content-encoding'));
    if (typeof problem === 'object') throw this.#unreadable(`it ${problem.problem}`);
    return 'json';
  }

  /** Identity was asked for, which not every server heeds. */
  #decoded(headers: HeaderList, body: Buffer): Buffer {
    const coding = headers.all('content-encoding').join(', ').trim().toLowerCase();
    const options = { maxOutputLength: defaultLimits.insideBodyBytesMax };
    try {
      if (coding === '' || coding === 'identity') return body;
      if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(body, options);
      if (coding === 'deflate') return inflateSync(body, options);
      if (coding === 'br') return brotliDecompressSync(body, options);
      if (coding === 'zstd') return zstdDecompressSync(body, options);
    } catch {
      throw this.#unreadable('it is encoded in a way that cannot be decoded, or is too long');
    }
    throw this.#unreadable('it comes with a Content-Encoding that was not asked for');
  }

  #locationOf({ headers }: HeldHead): TokenAddress | undefined {
    const locations = headers.all('location');
    if (locations.length > 1) throw this.#unreadable('it says two of Location');
    const address = readReference(locations[0] ?? '');
    if (address?.isUnreadable === true)
      throw this.#unreadable('its Location has parameters that readers take apart in more than one way');
    return address;
  }

  #unreadable(why: string, limit?: 'insideBodyBytesMax'): ProxyError {
    return new ProxyError(
      'origin_malformed',
      `the response of ${this.#host} has to be read, so that its tokens are kept by the gateway, and ${why}; it is not passed on`,
      limit === undefined ? {} : { limit },
    );
  }
}
