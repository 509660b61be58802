// An S3 with one bucket, which takes the keys that an STS gave, until they end. It says what it saw, as a careless origin would.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

import { verdictOf } from '../../gateway/credentials/support/verifying-origin.ts';
import type { TestAuthority } from '../../support/test-authority.ts';
import { bodyOf } from './body-of.ts';
import type { IssuedKeys, StsServer } from './sts-server.ts';

export interface S3OfSts extends AsyncDisposable {
  readonly port: number;
  readonly objects: Map<string, Buffer>;
  /** What every request was found to be, with the name of the session: `ok`, or the code of the error. */
  readonly verdicts: { readonly code: string; readonly sessionName: string | undefined }[];
  readonly seen: IncomingHttpHeaders[];
  /** Key ids that are refused as if their time were over. */
  readonly revoked: Set<string>;
}

export async function openS3OfSts({
  authority,
  sts,
  clock,
}: {
  readonly authority: TestAuthority;
  readonly sts: Pick<StsServer, 'keys'>;
  readonly clock: () => number;
}): Promise<S3OfSts> {
  const sockets = new Set<Socket>();
  const server = createServer(authority.issue('origin.test'), (request, response) => {
    void buffer(request).then(async (octets) => {
      const { method = '', url = '', headers } = request;
      const keyId = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? '';
      const keys = sts.keys(keyId);
      const code = await codeOf({ method, url, headers, octets }, keys);
      s3.seen.push(headers);
      s3.verdicts.push({ code, sessionName: keys?.sessionName });
      response.setHeader('x-told', JSON.stringify(headers['x-amz-security-token'] ?? ''));
      if (code !== 'ok') return sendFault(response, code, method);
      const { pathname } = new URL(url, 'https://origin.test');
      const object = s3.objects.get(pathname);
      if (method === 'PUT') {
        s3.objects.set(pathname, octets);
        response.setHeader('etag', `"${createHash('md5').update(octets).digest('hex')}"`);
        response.end();
      } else if (object === undefined) sendFault(response, 'NoSuchKey', method);
      else response.end(method === 'HEAD' ? undefined : object);
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const s3: S3OfSts = {
    port,
    objects: new Map(),
    verdicts: [],
    seen: [],
    revoked: new Set(),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };

  async function codeOf(
    asked: {
      readonly method: string;
      readonly url: string;
      readonly headers: IncomingHttpHeaders;
      readonly octets: Buffer;
    },
    keys: IssuedKeys | undefined,
  ): Promise<string> {
    if (keys === undefined) return 'InvalidAccessKeyId';
    if (keys.endsAtMs <= clock() || s3.revoked.has(keys.accessKeyId)) return 'ExpiredToken';
    const { verdict } = await verdictOf({ ...asked, body: bodyOf(asked.octets) }, keys, () => undefined);
    return verdict === 'ok' ? 'ok' : 'SignatureDoesNotMatch';
  }
  return s3;
}

const statuses: Readonly<Record<string, number>> = { ExpiredToken: 400, NoSuchKey: 404 };

function sendFault(
  response: { writeHead(status: number, headers: Record<string, string>): { end(text?: string): unknown } },
  code: string,
  method: string,
): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message></Error>`;
  response
    .writeHead(statuses[code] ?? 403, { 'content-type': 'application/xml' })
    .end(method === 'HEAD' ? undefined : xml);
}
