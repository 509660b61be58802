// An origin that verifies AWS signatures with a reading of them that is not ours: the head by @smithy/signature-v4, the
// chunks and the trailer by the lines of the AWS documentation. It says what it saw, as a careless origin would.

import { createHash, createHmac } from 'node:crypto';
import type { Hash, Hmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { SignatureV4 } from '@smithy/signature-v4';

import { PayloadCheck } from './payload-check.ts';
import type { Claim, OriginKeys } from './payload-check.ts';
import type { TestAuthority } from '../../../support/test-authority.ts';

interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
  readonly httpVersion: string;
  readonly bodyBytes: number;
}

export interface VerifyingOrigin extends AsyncDisposable {
  readonly port: number;
  /** What every request was found to be: `ok`, or what does not fit. */
  readonly verdicts: readonly string[];
  readonly seen: readonly Seen[];
  /** Bytes of bodies that have arrived, of requests under way too. */
  readonly arrivedBytes: number;
  /** Resolves once so many have arrived. */
  arrived(bytes: number): Promise<void>;
}

type Data = string | ArrayBuffer | ArrayBufferView;

export class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(key?: Data) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(key));
  }

  update(data: Data): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('not used');
  }
}

function bytesOf(data: Data): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}

const skewMs = 300_000;

/** Over HTTP/1.1 and HTTP/2, as the client chooses. */
export async function openVerifyingOrigin(
  authority: TestAuthority,
  keys: OriginKeys,
): Promise<VerifyingOrigin> {
  const verdicts: string[] = [];
  const seen: VerifyingOrigin['seen'][number][] = [];
  const arrivals = new EventEmitter();
  const body = { bytes: 0 };
  const onBytes = (bytes: number): void => {
    body.bytes += bytes;
    arrivals.emit('bytes');
  };
  const serve = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    const { httpVersion, url = '', headers: given } = request;
    const { ':authority': host = given.host ?? '' } = given as { readonly ':authority'?: string };
    const headers: IncomingHttpHeaders = { ...given, host };
    void verdictOf({ method: request.method ?? '', url, headers, body: request }, keys, onBytes)
      .catch(brokenOff)
      .then(({ verdict, bodyBytes }) => {
        verdicts.push(verdict);
        seen.push({ headers, url, httpVersion, bodyBytes });
        response.statusCode = verdict === 'ok' ? 200 : 403;
        response.setHeader('x-told', JSON.stringify(headers['x-amz-security-token'] ?? ''));
        const body = `${verdict}\n${url}\n${JSON.stringify(headers)}`;
        if ('stream' in response) response.end(body);
        else response.end(body);
      });
  };
  const contexts = { SNICallback: contextFor(authority) };
  const server = createSecureServer(
    { ...authority.issue('origin.test'), ...contexts, allowHTTP1: true },
    serve,
  );
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    verdicts,
    seen,
    get arrivedBytes() {
      return body.bytes;
    },
    arrived: async (bytes) => {
      const isThere = (): boolean => body.bytes >= bytes;
      while (!isThere()) await once(arrivals, 'bytes');
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function contextFor(
  authority: TestAuthority,
): (name: string, done: (error: null, context: SecureContext) => void) => void {
  return (name, done) => {
    done(null, authority.context(name));
  };
}

const brokenOff = (): { readonly verdict: string; readonly bodyBytes: number } => ({
  verdict: 'it broke off',
  bodyBytes: 0,
});

/** "UriEncode" of the documentation of S3, which every server of it applies to the path that it read. */
function strictlyEncoded(path: string): string {
  return path
    .split('/')
    .map((segment) =>
      encodeURIComponent(decodeURIComponent(segment)).replace(
        /[!'()*]/g,
        (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/');
}

interface SignedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<unknown> & { resume(): unknown };
}

/** `ok`, or what does not fit. */
export async function verdictOf(
  request: SignedRequest,
  keys: OriginKeys,
  onBytes: (bytes: number) => void,
): Promise<{ readonly verdict: string; readonly bodyBytes: number }> {
  const claim = claimOf(request);
  if (claim === undefined) {
    request.body.resume();
    return { verdict: 'it is not signed', bodyBytes: 0 };
  }
  const word = request.headers['x-amz-content-sha256'];
  const payload = new PayloadCheck(claim, keys, typeof word === 'string' ? word : undefined);
  for await (const chunk of request.body) {
    payload.push(chunk as Buffer);
    onBytes((chunk as Buffer).length);
  }
  const bodyFault = payload.end();
  const fault = (await headFault(request, claim, keys, payload.bodyHash)) ?? bodyFault;
  return { verdict: fault ?? 'ok', bodyBytes: payload.bytes };
}

function claimOf({ url, headers }: SignedRequest): Claim | undefined {
  const query = new URL(url, 'https://origin.test').searchParams;
  const isQuery = query.has('X-Amz-Signature');
  const [, headerCredential, headerSigned, headerSignature] =
    /Credential=(\S+), SignedHeaders=(\S+), Signature=(\S+)$/.exec(headers.authorization ?? '') ?? [];
  const [credential, signedHeaders, signature, moment] = isQuery
    ? ['Credential', 'SignedHeaders', 'Signature', 'Date'].map((name) => query.get(`X-Amz-${name}`) ?? '')
    : [headerCredential, headerSigned, headerSignature, String(headers['x-amz-date'])];
  const [, region, service] = /^[^/]+\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request$/.exec(credential ?? '') ?? [];
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(moment ?? '');
  if (region === undefined || service === undefined || parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return {
    place: isQuery ? 'query' : 'header',
    signedHeaders: signedHeaders ?? '',
    region,
    service,
    signature: signature ?? '',
    moment: new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`),
  };
}

/** What does not fit in the head, as another implementation signs it. */
async function headFault(
  request: SignedRequest,
  claim: Claim,
  keys: OriginKeys,
  bodyHash: string,
): Promise<string | undefined> {
  if (Math.abs(claim.moment.getTime() - Date.now()) > skewMs) return 'its time is not the present';
  const query = new URL(request.url, 'https://origin.test').searchParams;
  const token =
    claim.place === 'query'
      ? query.getAll('X-Amz-Security-Token').join()
      : request.headers['x-amz-security-token'];
  if (keys.sessionToken !== undefined && token !== keys.sessionToken)
    return 'it has no session token, or another one';
  const expected =
    claim.place === 'query'
      ? await presignature(request, claim, keys)
      : await headerSignature(request, claim, { keys, bodyHash });
  return expected === claim.signature ? undefined : 'the signature does not match';
}

function signerOf({ region, service }: Claim, credentials: OriginKeys): SignatureV4 {
  return new SignatureV4({
    credentials,
    region,
    service,
    sha256: Sha256,
    uriEscapePath: service !== 's3',
    applyChecksum: false,
  });
}

async function headerSignature(
  request: SignedRequest,
  claim: Claim,
  { keys, bodyHash }: { readonly keys: OriginKeys; readonly bodyHash: string },
): Promise<string | undefined> {
  const { moment, service } = claim;
  const url = new URL(request.url, 'https://origin.test');
  const names = claim.signedHeaders.split(';');
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name])]));
  const word = request.headers['x-amz-content-sha256'];
  const signed = await signerOf(claim, keys).sign(
    {
      method: request.method,
      protocol: 'https:',
      hostname: 'origin.test',
      path: service === 's3' ? strictlyEncoded(url.pathname) : url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, ...(word === undefined ? { 'x-amz-content-sha256': bodyHash } : {}) },
    },
    {
      signingDate: moment,
      signableHeaders: new Set(names),
      unsignableHeaders: new Set(word === undefined ? ['x-amz-content-sha256'] : []),
    },
  );
  return /Signature=([0-9a-f]{64})$/.exec(signed.headers['authorization'] ?? '')?.[1];
}

/** The parameters of the signature are taken off, and the rest presigned anew with the keys. */
async function presignature(
  request: SignedRequest,
  claim: Claim,
  keys: OriginKeys,
): Promise<string | undefined> {
  const url = new URL(request.url, 'https://origin.test');
  const query = Object.fromEntries(url.searchParams);
  const expiresIn = Number(query['X-Amz-Expires']);
  for (const name of [
    'Algorithm',
    'Credential',
    'Date',
    'Expires',
    'SignedHeaders',
    'Signature',
    'Security-Token',
  ])
    delete query[`X-Amz-${name}`];
  const names = claim.signedHeaders.split(';');
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name])]));
  const word = request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const presigned = await signerOf(claim, keys).presign(
    {
      method: request.method,
      protocol: 'https:',
      hostname: 'origin.test',
      path: strictlyEncoded(url.pathname),
      query,
      headers: { ...headers, 'x-amz-content-sha256': String(word) },
    },
    {
      signingDate: claim.moment,
      expiresIn,
      signableHeaders: new Set(names),
      unhoistableHeaders: new Set([...names, 'x-amz-content-sha256']),
      unsignableHeaders: new Set(names.includes('x-amz-content-sha256') ? [] : ['x-amz-content-sha256']),
    },
  );
  return String(presigned.query?.['X-Amz-Signature']);
}
