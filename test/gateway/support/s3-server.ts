// A small S3: one bucket in memory, whose requests have to be signed, as another implementation signs them. It misbehaves as it is told.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TestAuthority } from '../../support/test-authority.ts';
import { verdictOf } from '../credentials/support/verifying-origin.ts';

export const s3Keys = { accessKeyId: 'AKIDBUCKET000000', secretAccessKey: 'the-secret-of-the-bucket' };

export interface StoredObject {
  octets: Buffer;
  storedMs: number;
}

/** What it does in place of a right response. */
export type S3Fault =
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  /** It says nothing more. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  /** With these octets, whatever it has; `length` is what it says of them. */
  | { readonly kind: 'octets'; readonly octets: Buffer; readonly length?: number; readonly hangs?: boolean };

export interface S3Server extends AsyncDisposable {
  readonly url: string;
  readonly bucket: string;
  /** By their keys. */
  readonly objects: Map<string, StoredObject>;
  /** As `GET key`, or `LIST`. */
  readonly asked: string[];
  /** What was wrong with signatures. */
  readonly refused: string[];
  /** Asked for each request whose signature is right. */
  fault: ((what: string, key: string) => S3Fault | undefined) | undefined;
}

interface Options {
  readonly authority?: TestAuthority;
  readonly bucket?: string;
  readonly sessionToken?: string;
  /** Objects in a page of a list. */
  readonly pageMax?: number;
}

export async function openS3Server({
  authority,
  bucket = 'packages',
  sessionToken,
  pageMax = 1000,
}: Options = {}): Promise<S3Server> {
  const sockets = new Set<Socket>();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    respond(request, response).catch(() => response.destroy());
  };
  const server =
    authority === undefined
      ? http.createServer(serve)
      : https.createServer(authority.issue('127.0.0.1'), serve);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const s3: S3Server = {
    url: `${authority === undefined ? 'http' : 'https'}://127.0.0.1:${String(port)}`,
    bucket,
    objects: new Map(),
    asked: [],
    refused: [],
    fault: undefined,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  const keys = { ...s3Keys, ...(sessionToken === undefined ? {} : { sessionToken }) };

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request);
    const signed = { method, url, headers, body: bodyOf(body) };
    const { verdict } = await verdictOf(signed, keys, () => undefined);
    if (verdict !== 'ok') {
      s3.refused.push(verdict);
      return sendFault(response, 403, 'SignatureDoesNotMatch');
    }
    const { pathname, searchParams } = new URL(url, s3.url);
    const key = decodeURIComponent(pathname.slice(bucket.length + 2));
    if (pathname !== `/${bucket}/` && !pathname.startsWith(`/${bucket}/`))
      return sendFault(response, 404, 'NoSuchBucket');
    const what = key === '' ? 'LIST' : method;
    s3.asked.push(key === '' ? what : `${what} ${key}`);
    const fault = s3.fault?.(what, key);
    if (fault !== undefined) return misbehave(response, fault);
    if (key === '') return sendPage(response, s3.objects, searchParams, pageMax);
    const object = s3.objects.get(key);
    if (method === 'PUT') {
      s3.objects.set(key, { octets: body, storedMs: Date.now() });
      response.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).end();
    } else if (method === 'DELETE') {
      s3.objects.delete(key);
      response.writeHead(204).end();
    } else if (object === undefined) sendFault(response, 404, 'NoSuchKey', method === 'HEAD');
    else {
      response.writeHead(200, { 'content-length': String(object.octets.length) });
      response.end(method === 'HEAD' ? undefined : object.octets);
    }
  }
  return s3;
}

function bodyOf(body: Buffer): AsyncIterable<Buffer> & { resume(): unknown } {
  return {
    resume: () => undefined,
    async *[Symbol.asyncIterator]() {
      await Promise.resolve();
      if (body.length > 0) yield body;
    },
  };
}

function sendFault(response: ServerResponse, status: number, code: string, isHead = false): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(isHead ? undefined : xml);
}

function misbehave(response: ServerResponse, fault: S3Fault): void {
  switch (fault.kind) {
    case 'status':
      sendFault(response, fault.status, fault.code);
      break;
    case 'hang':
      break;
    case 'reset':
      response.destroy();
      break;
    case 'octets': {
      const { octets, length = octets.length, hangs = false } = fault;
      response.writeHead(200, { 'content-length': String(length) });
      response.write(octets);
      if (!hangs) response.end();
    }
  }
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** ListObjectsV2, whose tokens have characters that must be encoded. */
function sendPage(
  response: ServerResponse,
  objects: S3Server['objects'],
  query: URLSearchParams,
  pageMax: number,
): void {
  const prefix = query.get('prefix') ?? '';
  const after = Buffer.from(
    (query.get('continuation-token') ?? '').replace(/^1\/&\+=/, ''),
    'base64',
  ).toString();
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, Math.min(pageMax, Number(query.get('max-keys') ?? 1000)));
  const isCut = page.length < keys.length;
  const contents = page.map((key) => {
    const { octets, storedMs } = objects.get(key) ?? { octets: Buffer.alloc(0), storedMs: 0 };
    return `<Contents><Key>${escaped(key)}</Key><LastModified>${new Date(storedMs).toISOString()}</LastModified><ETag>&quot;x&quot;</ETag><Size>${String(octets.length)}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  });
  const token = `1/&+=${Buffer.from(page.at(-1) ?? '').toString('base64')}`;
  const next = isCut ? `<NextContinuationToken>${escaped(token)}</NextContinuationToken>` : '';
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>${escaped(prefix)}</Prefix><KeyCount>${String(page.length)}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>${String(isCut)}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
  );
}
