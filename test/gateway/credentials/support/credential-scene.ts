// One credential, one rule that injects it at /in, one that does not at /out, and an origin that says what it saw.

import assert from 'node:assert/strict';
import { createServer, type ServerOptions } from 'node:https';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { findCanary } from '../../../support/canary.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { get, sendRaw } from '../../support/raw-http.ts';
import type { RawResponse } from '../../support/raw-http.ts';
import { openRequestPath } from '../../support/request-path.ts';
import type { RequestPath } from '../../support/request-path.ts';

export const authority = createTestAuthority();

export interface Seen {
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Subject of the verified client certificate. */
  readonly clientSubject: string | undefined;
}

export interface CredentialScene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  readonly seen: readonly Seen[];
  /** Everything that the workload received. */
  readonly received: () => string;
  get(target: string, ...fields: readonly string[]): Promise<RawResponse>;
  /** A request with a body, framed as the fields say. */
  post(target: string, fields: readonly string[], body: string): Promise<RawResponse>;
  /** A request of another method, with a body. */
  send(method: string, target: string, body: string): Promise<RawResponse>;
  /** A GET over HTTP/2, or a POST of the body. */
  get2(target: string, fields?: Readonly<Record<string, string>>, body?: string): Promise<RawResponse>;
  /** The secret reached the origin, and is in nothing that the workload, the audit or a log got. */
  assertKept(secret: string): void;
}

export interface CredentialSceneOptions {
  readonly credential: CredentialConfig;
  readonly environment?: Readonly<Record<string, string>>;
  /** Options of the origin's TLS beside its certificate. */
  readonly tls?: ServerOptions;
  /** What the origin responds; 200 for all if absent. */
  readonly status?: (seen: Seen) => number;
  /** Below which the rule puts the credential on; `/in/` if absent. */
  readonly prefix?: string;
  /** Names of 127.0.0.1 beside the origin's. */
  readonly hosts?: readonly string[];
}

/** The origin repeats the target and all fields it saw, in its response's head and body. */
export async function openCredentialScene(options: CredentialSceneOptions): Promise<CredentialScene> {
  const seen: Seen[] = [];
  const server = createServer({ ...authority.issue('origin.test'), ...options.tls }, (request, response) => {
    // Every connection of an HTTPS server is a TLS socket.
    const socket = request.socket as TLSSocket;
    const subject = socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined;
    const clientSubject = Array.isArray(subject) ? subject.join() : subject;
    void text(request).then((body) => {
      const one = { target: request.url ?? '', headers: request.headers, body, clientSubject };
      seen.push(one);
      response.statusCode = options.status?.(one) ?? 200;
      response.setHeader('x-target', request.url ?? '');
      response.setHeader('x-authorization', request.headers.authorization ?? 'none');
      response.end(`${request.url ?? ''}\n${JSON.stringify(request.headers)}\n${body}\n`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const path = openRequestPath({
    policy: policyFor(port, options.prefix),
    hosts: ['origin.test', ...(options.hosts ?? [])],
    trust: [authority.caPem],
    credentials: { it: options.credential },
    environment: options.environment ?? {},
  });
  const at = `origin.test:${port}`;
  const responses: RawResponse[] = [];
  const logs = captureLogs();
  const send = async (bytes: string): Promise<RawResponse> => {
    const response = await sendRaw(await path.tls(at), bytes);
    responses.push(response);
    return response;
  };
  const received = (): string => responses.map(({ head, body }) => `${head}\n${body}`).join('\n');
  return {
    path,
    at,
    seen,
    received,
    get: (target, ...fields) => send(get(at, target, ...fields)),
    post: (target, fields, body) =>
      send([`POST ${target} HTTP/1.1`, `Host: ${at}`, 'Connection: close', ...fields, '', body].join('\r\n')),
    send: (method, target, body) =>
      send(
        `${method} ${target} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      ),
    get2: async (target, fields = {}, body = '') => {
      const response = await getOverHttp2(await path.tls(at, { alpn: ['h2'] }), at, { target, fields, body });
      responses.push(response);
      return response;
    },
    assertKept: (secret) => {
      // Positive control: the same search finds it in what the origin saw.
      assert.notDeepEqual(
        findCanary(decoded(JSON.stringify(seen)), secret),
        [],
        'it never reached the origin',
      );
      assert.ok(responses.length > 0 && path.audit.length >= responses.length);
      assert.deepEqual(findCanary(decoded(received()), secret), []);
      assert.deepEqual(findCanary(JSON.stringify(path.audit), secret), []);
      assert.deepEqual(findCanary(inspect(path.parts, { depth: 12 }), secret), []);
      assert.deepEqual(findCanary(decoded(logs.text()), secret), [], 'it is in what the process printed');
    },
    [Symbol.asyncDispose]: async () => {
      logs[Symbol.dispose]();
      await path[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

const policyFor = (port: number, prefix = '/in/'): string => `
rules:
  - name: in
    hosts: origin.test
    ports: ${port}
    addresses: 127.0.0.0/8
    paths: ${prefix}**
    inject: it
  - name: out
    hosts: origin.test
    ports: ${port}
    addresses: 127.0.0.0/8
    paths: /out/**
`;

/** With percent-encoding undone as well. */
function decoded(text: string): string {
  return (
    text + text.replace(/%([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  );
}

/** Everything that this process prints while it lasts: whatever logs, it ends here. */
function captureLogs(): { readonly text: () => string } & Disposable {
  const printed: string[] = [];
  const streams = [process.stdout, process.stderr].map((stream) => {
    const { write } = stream;
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      printed.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1'));
      // The rest is what the stream's own signature says: an encoding, a callback.
      return Reflect.apply(write, stream, [chunk, ...rest]) as boolean;
    };
    return { stream, write };
  });
  return {
    text: () => printed.join(''),
    [Symbol.dispose]: () => {
      for (const { stream, write } of streams) stream.write = write;
    },
  };
}

async function getOverHttp2(
  socket: TLSSocket,
  authorityOfUrl: string,
  {
    target,
    fields,
    body,
  }: {
    readonly target: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly body: string;
  },
): Promise<RawResponse> {
  const session = connectHttp2(`https://${authorityOfUrl}`, { createConnection: () => socket });
  try {
    const method = body === '' ? 'GET' : 'POST';
    const stream = session.request({ ':method': method, ':path': target, ...fields });
    // A GET has ended with its head.
    if (body !== '') stream.end(body);
    const head = Promise.withResolvers<Record<string, string | string[] | number | undefined>>();
    stream.once('response', head.resolve);
    stream.once('error', head.reject);
    const { ':status': status, ...headers } = await head.promise;
    const lines = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
    return {
      status: Number(status),
      head: lines.map(([name, value]) => `${name}: ${value}`).join('\n'),
      headers: new Map(lines),
      body: await text(stream),
    };
  } finally {
    session.destroy();
  }
}
