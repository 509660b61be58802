// An origin of archives without a network, which does what it is told, and clients that read as they like.

import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ArchiveSource, AskedArchive } from '../../../src/gateway/cache/asked-archive.ts';
import type { PackageCache } from '../../../src/gateway/cache/package-cache.ts';
import type { Forwarder, ForwardRequest, ResponseReceiver } from '../../../src/gateway/forward/forwarder.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

export interface ScriptedResponse {
  readonly status?: number;
  readonly fields?: readonly string[];
  readonly octets: Uint8Array;
  /** Breaks off behind so many octets. */
  readonly breaksAt?: number;
  readonly chunkBytes?: number;
  /** It does not say its length. */
  readonly isChunked?: boolean;
  /** Awaited before each piece. */
  readonly pace?: (sent: number) => Promise<unknown> | undefined;
}

export interface ScriptedOrigin extends Pick<Forwarder, 'forward'> {
  /** Requests by path, in their order. */
  readonly asked: { readonly path: string; readonly headers: HeaderList }[];
  /** Octets that were handed on. */
  sent: number;
}

export function scriptedOrigin(respond: (path: string, count: number) => ScriptedResponse): ScriptedOrigin {
  const asked: ScriptedOrigin['asked'] = [];
  const origin: ScriptedOrigin = {
    asked,
    sent: 0,
    forward: async ({ head, signal }, receiver) => {
      const { path, headers } = head;
      const count = asked.filter((one) => one.path === path).length;
      asked.push({ path, headers });
      const response = respond(path, count);
      const { octets, status = 200, fields = [], breaksAt = Infinity, chunkBytes = 16_384 } = response;
      const gone = (): void => {
        if (signal.aborted) throw new ProxyError('cancelled', 'nobody waits for it any more');
      };
      await setImmediate();
      gone();
      const length = response.isChunked === true ? [] : ['content-length', String(octets.length)];
      receiver.onHead(status, [...fields, ...length]);
      for (let at = 0; at < octets.length; at += chunkBytes) {
        await (response.pace?.(at) ?? setImmediate());
        gone();
        if (at >= breaksAt) throw new ProxyError('origin_truncated', 'the origin broke off');
        const piece = octets.subarray(at, at + chunkBytes);
        origin.sent += piece.length;
        const { promise, resolve } = Promise.withResolvers<undefined>();
        if (receiver.onData(piece, () => resolve(undefined))) continue;
        const left = Promise.withResolvers<undefined>();
        signal.addEventListener('abort', () => left.resolve(undefined), { once: true });
        await Promise.race([promise, left.promise]);
      }
      gone();
      if (breaksAt <= octets.length) throw new ProxyError('origin_truncated', 'the origin broke off');
      receiver.onComplete?.();
      return { protocol: 'http/1.1' };
    },
  };
  return origin;
}

/** A client that takes all, piece by piece, when `pace` lets it. */
export class ScriptedClient implements ResponseReceiver {
  readonly #pace: (() => Promise<unknown> | undefined) | undefined;
  readonly pieces: Buffer[] = [];
  status: number | undefined;
  headers = new HeaderList();
  octets = 0;
  isComplete = false;

  constructor(pace?: () => Promise<unknown> | undefined) {
    this.#pace = pace;
  }

  onInformation(): void {
    return;
  }

  onHead(status: number, rawHeaders: readonly string[]): void {
    if (this.status !== undefined) throw new Error('a second head');
    this.status = status;
    this.headers = HeaderList.fromRaw(rawHeaders);
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    if (this.isComplete) throw new Error('octets behind the end');
    this.octets += chunk.byteLength;
    this.keep(Buffer.from(chunk));
    const paused = this.#pace?.();
    void paused?.then(resume);
    return paused === undefined;
  }

  keep(piece: Buffer): void {
    this.pieces.push(piece);
  }

  onTrailers(): void {
    return;
  }

  onComplete(): void {
    this.isComplete = true;
  }

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

export const promiseOf = (octets: Uint8Array): string =>
  `sha512-${createHash('sha512').update(octets).digest('base64')}`;

export interface Fetching {
  readonly path?: string;
  readonly promised: string;
  readonly range?: string;
  readonly client?: ScriptedClient;
  readonly signal?: AbortSignal;
  readonly method?: string;
  readonly sessionId?: string;
}

export interface Fetched {
  readonly client: ScriptedClient;
  readonly sources: readonly ArchiveSource[];
}

/** One request to the cache. */
export async function fetchBy(
  cache: PackageCache,
  origin: Pick<Forwarder, 'forward'>,
  { path = '/a', promised, range, client = new ScriptedClient(), ...more }: Fetching,
): Promise<Fetched> {
  const sources: ArchiveSource[] = [];
  const request: ForwardRequest = {
    head: {
      method: more.method ?? 'GET',
      destination: { scheme: 'https', host: 'registry.test', port: 443 },
      path,
      query: '',
      headers: new HeaderList(),
      httpVersion: '1.1',
    },
    body: undefined,
    bodyLength: undefined,
    principalId: 'p',
    sessionId: more.sessionId ?? 's',
    credentials: [],
    addresses: [],
    signal: more.signal ?? new AbortController().signal,
  };
  const archive: AskedArchive = {
    key: {
      registry: 'npm',
      root: 'https://registry.test:443',
      name: path,
      url: `https://registry.test:443${path}`,
      reach: [],
    },
    promised,
    range,
    takesParts: false,
    onSource: (source) => sources.push(source),
  };
  await cache.forward(origin, request, client, archive);
  return { client, sources };
}
