// An S3 with one bucket, at the host of that bucket. It takes what is signed with its keys and refuses all else, as the API does (`SignatureDoesNotMatch`).
//
// Where it is not as the real one: it knows objects, their lists and DeleteObjects, no versions, parts or rights; a list has one page.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

import { verdictOf } from '../../gateway/credentials/support/verifying-origin.ts';
import { bodyOf } from '../../identities/support/body-of.ts';
import type { TestAuthority } from '../../support/test-authority.ts';

export interface S3Server extends AsyncDisposable {
  readonly port: number;
  readonly objects: Map<string, Buffer>;
  readonly seen: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }[];
  /** What each request was found to be: `ok`, or what does not fit. */
  readonly verdicts: string[];
}

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export async function openS3(authority: TestAuthority, host: string, keys: S3Keys): Promise<S3Server> {
  const server = createServer(authority.issue(host), (request, response) => {
    void buffer(request).then(async (octets) => {
      const { method = '', url = '', headers } = request;
      const isOurs = headers.authorization?.includes(`Credential=${keys.accessKeyId}/`) === true;
      const asked = { method, url, headers, body: bodyOf(octets) };
      const { verdict } = isOurs
        ? await verdictOf(asked, keys, () => undefined)
        : { verdict: 'another key id' };
      s3.seen.push({ method, url, headers });
      s3.verdicts.push(verdict);
      if (verdict === 'ok') serve(s3.objects, { method, url, octets }, response);
      else fault(response, 403, isOurs ? 'SignatureDoesNotMatch' : 'InvalidAccessKeyId');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const s3: S3Server = {
    port,
    objects: new Map(),
    seen: [],
    verdicts: [],
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return s3;
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly octets: Buffer;
}

function serve(objects: Map<string, Buffer>, { method, url, octets }: Asked, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(url, 'https://bucket.test');
  const key = decodeURIComponent(pathname.slice(1));
  if (key === '' && method === 'GET' && searchParams.get('list-type') === '2')
    return xml(response, listed(objects, searchParams.get('prefix') ?? ''));
  if (key === '' && method === 'POST' && searchParams.has('delete')) {
    const keys = [...octets.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, one = '']) => one);
    for (const one of keys) objects.delete(one);
    const deleted = keys.map((one) => `<Deleted><Key>${one}</Key></Deleted>`).join('');
    return xml(response, `<DeleteResult>${deleted}</DeleteResult>`);
  }
  if (key === '') return fault(response, 501, 'NotImplemented');
  if (method === 'PUT') {
    objects.set(key, octets);
    response.setHeader('etag', etagOf(octets)).end();
    return;
  }
  if (method === 'DELETE') {
    objects.delete(key);
    response.writeHead(204).end();
    return;
  }
  const object = objects.get(key);
  if (object === undefined) return fault(response, 404, 'NoSuchKey');
  response.setHeader('etag', etagOf(object)).setHeader('content-length', object.length);
  response.end(method === 'HEAD' ? undefined : object);
}

function listed(objects: ReadonlyMap<string, Buffer>, prefix: string): string {
  const found = [...objects].filter(([key]) => key.startsWith(prefix));
  const contents = found.map(
    ([key, { length }]) => `<Contents><Key>${key}</Key><Size>${String(length)}</Size></Contents>`,
  );
  return `<ListBucketResult><KeyCount>${String(found.length)}</KeyCount><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
}

function etagOf(octets: Buffer): string {
  return `"${createHash('md5').update(octets).digest('hex')}"`;
}

function xml(response: ServerResponse, text: string): void {
  response
    .setHeader('content-type', 'application/xml')
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
}

function fault(response: ServerResponse, status: number, code: string): void {
  response.statusCode = status;
  xml(response, `<Error><Code>${code}</Code><Message>no</Message></Error>`);
}
