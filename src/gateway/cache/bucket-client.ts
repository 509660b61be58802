// Five calls of S3, signed and over HTTP/1.1: all that a cache needs of a bucket. What it says is believed no further than its use here.

import type { Agent, Dispatcher } from 'undici';
import type { Destination } from '../../http/destination.ts';
import { hostField } from '../../http/authority.ts';
import { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { AwsKeySet } from '../credentials/sigv4/aws-keys.ts';
import { canonicalRequest, hexHash } from '../credentials/sigv4/canonical-request.ts';
import { contentHashField } from '../credentials/sigv4/signed-payload.ts';
import { algorithm, Signer } from '../credentials/sigv4/signer.ts';
import type { DialService } from '../forward/dial-service.ts';
import { type BucketPage, readPage } from './bucket-page.ts';

export interface BucketPlace {
  /** Where the service is: https, or http to an address on loopback. */
  readonly url: string;
  readonly name: string;
  readonly region: string;
  /** Before all names, without a slash at its end. */
  readonly prefix: string;
  /** The bucket stands in the path and not before the host. */
  readonly pathStyle: boolean;
}

export interface BucketClientOptions {
  readonly place: BucketPlace;
  readonly keys: Pick<AwsKeySet, 'read'>;
  readonly dial: DialService;
  readonly clock: () => number;
}

/** What is written, and the SHA-256 that its signature is over. */
export interface BucketBody {
  readonly octets: Uint8Array | NodeJS.ReadableStream;
  readonly bytes: number;
  readonly sha256: string;
}

/** It responds, and not as it should. */
class BucketFault extends Error {}

type Client = typeof import('undici');
type Response = Dispatcher.ResponseData;

interface Call {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Below the prefix; undefined: the bucket itself. */
  readonly name?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: BucketBody;
}

export class BucketClient implements AsyncDisposable {
  readonly #options: BucketClientOptions;
  readonly #destination: Destination;
  readonly #base: string;
  /** Loaded now: for later a workload of this user could have changed its files. */
  readonly #client: Promise<Client> = import('undici');
  #agent: Agent | undefined;

  constructor(options: BucketClientOptions) {
    this.#options = options;
    const { name, pathStyle } = options.place;
    const { protocol, hostname, port } = new URL(BucketClient.urlOf(options.place));
    const isTls = protocol === 'https:';
    this.#destination = {
      scheme: isTls ? 'https' : 'http',
      host: hostname.replaceAll(/^\[|\]$/g, ''),
      port: Number(port || (isTls ? 443 : 80)),
    };
    this.#base = pathStyle ? `/${name}` : '';
    // Who asks hears it.
    this.#client.catch(() => {});
  }

  /** Of the host that is asked. */
  static urlOf({ url, name, pathStyle }: Pick<BucketPlace, 'url' | 'name' | 'pathStyle'>): string {
    if (pathStyle) return url;
    const { protocol, host } = new URL(url);
    return `${protocol}//${name}.${host}`;
  }

  /** Hands on what is there, no more than `bytesMax`. @throws BucketFault, and what `take` throws */
  async read(
    name: string,
    { bytesMax, signal }: { readonly bytesMax: number; readonly signal: AbortSignal },
    take: (chunk: Uint8Array) => Promise<void> | void,
  ): Promise<'whole' | 'absent' | 'longer'> {
    const response = await this.#call({ method: 'GET', name }, signal);
    if (response.statusCode === 404) {
      await requireBucket(response);
      return 'absent';
    }
    await requireStatus(response, 200);
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) return 'longer';
      await take(chunk);
    }
    return 'whole';
  }

  /** How long it is; undefined: it is not there. @throws BucketFault */
  async bytes(name: string, signal: AbortSignal): Promise<number | undefined> {
    const response = await this.#call({ method: 'HEAD', name }, signal);
    const { statusCode, headers } = response;
    if (statusCode === 404) {
      await response.body.dump();
      return undefined;
    }
    await requireStatus(response, 200);
    await response.body.dump();
    return Number(headers['content-length'] ?? NaN);
  }

  /** @throws BucketFault */
  async write(name: string, body: BucketBody, signal: AbortSignal): Promise<void> {
    const response = await this.#call({ method: 'PUT', name, body }, signal);
    await requireStatus(response, 200);
    await response.body.dump();
  }

  /** What is not there is removed too. @throws BucketFault */
  async remove(name: string, signal: AbortSignal): Promise<void> {
    const response = await this.#call({ method: 'DELETE', name }, signal);
    if (response.statusCode !== 404) await requireStatus(response, 200, 204);
    await response.body.dump();
  }

  /** A part of what is there, in the order of names, from behind `token` on. @throws BucketFault */
  async page(token: string | undefined, signal: AbortSignal): Promise<BucketPage> {
    const { prefix } = this.#options.place;
    const query = {
      'list-type': '2',
      'max-keys': String(defaultLimits.cacheBucketPageObjectsMax),
      prefix: `${prefix}/`,
      ...(token === undefined ? {} : { 'continuation-token': token }),
    };
    const response = await this.#call({ method: 'GET', query }, signal);
    await requireStatus(response, 200);
    const max = defaultLimits.cacheBucketPageBytesMax;
    const text = await textOf(response, max);
    if (text === undefined) throw new BucketFault(`a list of it has more than ${String(max)} bytes`);
    return readPage(text, `${prefix}/`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.destroy();
  }

  async #call(call: Call, signal: AbortSignal): Promise<Response> {
    const { scheme } = this.#destination;
    const { method, body } = call;
    const signed = await this.#signed(call);
    const client = await this.#client;
    signal.throwIfAborted();
    return await client.request(`${scheme}://${signed.host}${signed.path}${signed.query}`, {
      method,
      headers: signed.headers,
      // A stream of Node's is one of undici's.
      ...(body === undefined ? {} : { body: body.octets as Uint8Array }),
      signal,
      dispatcher: (this.#agent ??= this.#open(client)),
      // The signal has the deadline of all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async #signed({ method, name, query = {}, body }: Call): Promise<{
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly headers: Readonly<Record<string, string>>;
  }> {
    const { place, keys, clock } = this.#options;
    const nowMs = clock();
    const { sessionToken, ...pair } = await keys.read(nowMs);
    const signer = new Signer({ ...pair, sessionToken }, { region: place.region, service: 's3' }, nowMs);
    const payload = body?.sha256 ?? hexHash('');
    const head = {
      method,
      destination: this.#destination,
      path: name === undefined ? `${this.#base}/` : `${this.#base}/${place.prefix}/${name}`,
      query: queryOf(query),
      headers: HeaderList.of([
        [contentHashField, payload],
        ['x-amz-date', signer.dateTime],
        ...(sessionToken === undefined ? [] : [['x-amz-security-token', sessionToken.reveal()] as const]),
      ]),
      httpVersion: '1.1',
    } as const;
    const canonical = canonicalRequest(head, { service: 's3', payload });
    const signature = signer.request(canonical.text);
    return {
      host: hostField(this.#destination),
      path: head.path,
      query: head.query,
      headers: {
        ...Object.fromEntries(head.headers),
        ...(body === undefined ? {} : { 'content-length': String(body.bytes) }),
        authorization: `${algorithm} Credential=${signer.credential}, SignedHeaders=${canonical.signedHeaders}, Signature=${signature}`,
      },
    };
  }

  #open(client: Client): Agent {
    const { dial } = this.#options;
    return new client.Agent({
      allowH2: false,
      pipelining: 1,
      connections: defaultLimits.cacheBucketConnectionsMax,
      keepAliveTimeout: defaultLimits.cacheBucketIdleMs,
      keepAliveMaxTimeout: defaultLimits.cacheBucketIdleMs,
      connect: (_options, callback) => {
        dial(['http/1.1']).then(
          (socket) => callback(null, socket),
          (error: unknown) => callback(error instanceof Error ? error : new Error(faultReason(error)), null),
        );
      },
    });
  }
}

/** Why it cannot be used, for people. */
export function bucketReason(error: unknown): string {
  if (error instanceof BucketFault) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return 'it did not respond in time';
  if (error instanceof ProxyError) return error.message;
  return faultReason(error);
}

function queryOf(query: Readonly<Record<string, string>>): string {
  const parts = Object.entries(query).map(([name, value]) => `${name}=${strictlyEncoded(value)}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** RFC 3986: `encodeURIComponent` leaves five reserved characters plain. */
function strictlyEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** @throws BucketFault where that is missing, and not what was asked for */
async function requireBucket(response: Response): Promise<void> {
  const code = await codeOf(response);
  if (code === 'NoSuchBucket') throw new BucketFault('status 404 (NoSuchBucket)');
}

async function requireStatus(response: Response, ...wanted: readonly number[]): Promise<void> {
  const { statusCode } = response;
  if (wanted.includes(statusCode)) return;
  const code = await codeOf(response);
  const hint = statusCode >= 300 && statusCode < 400 ? '; do region and pathStyle fit?' : '';
  throw new BucketFault(`status ${String(statusCode)}${code === undefined ? '' : ` (${code})`}${hint}`);
}

/** What S3 calls the fault. */
async function codeOf(response: Response): Promise<string | undefined> {
  const text = await textOf(response, defaultLimits.cacheBucketFaultBytesMax).catch(() => undefined);
  return text === undefined ? undefined : /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text)?.[1];
}

/** Undefined for a longer one, which is not read to its end. */
async function textOf(response: Response, bytesMax: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
