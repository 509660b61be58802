import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';

import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { grpcTypeOf } from '../../../src/gateway/exchange/grpc-denial.ts';
import { http2Origin } from '../support/http2-origin.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number, extra = ''): RequestPath {
  return openRequestPath({
    policy: `rules:
  - { name: allowed, hosts: allowed.test, ports: ${port}, paths: /pkg.Svc/Allowed, addresses: 127.0.0.0/8 }
  - { name: closed, hosts: allowed.test, ports: ${port}, paths: /pkg.Svc/Closed }
  - { name: never, hosts: allowed.test, ports: ${port}, paths: /pkg.Svc/Never, deny: "only 100 % of Größe" }
${extra}`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
}

/** grpc-js dials a port, so that there is one, behind which is the request path. */
async function openClient(path: RequestPath, at: string): Promise<Client & AsyncDisposable> {
  const server = createServer((socket) => {
    const { socket: far } = path.open({ authority: at, mode: 'raw' });
    socket.on('error', () => far.destroy());
    far.on('error', () => socket.destroy());
    socket.pipe(far).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(path.caPem)), {
    'grpc.ssl_target_name_override': 'allowed.test',
    'grpc.default_authority': at,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
  });
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => {
      client.close();
      server.close();
    },
  });
}

const asIs = (bytes: Buffer): Buffer => bytes;

function unary(client: Client, method: string): Promise<ServiceError | Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<ServiceError | Buffer | undefined>();
  const deadline = Date.now() + patienceMs;
  client.makeUnaryRequest(method, asIs, asIs, Buffer.from('message'), { deadline }, (error, value) => {
    resolve(error ?? value);
  });
  return promise;
}

const denials: readonly (readonly [string, status, RegExp, string, number])[] = [
  ['/pkg.Svc/Other', status.PERMISSION_DENIED, /No rule allows POST/, 'policy_denied', 403],
  ['/pkg.Svc/Never', status.PERMISSION_DENIED, /only 100 % of Größe/, 'policy_denied', 403],
  ['/pkg.Svc/Closed', status.PERMISSION_DENIED, /address/, 'address_denied', 403],
];

test('a gRPC client reads the status, the reason and the trace of a denial', async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port);
  await using client = await openClient(path, `allowed.test:${origin.port}`);
  for (const [at, [method, code, reason, errorCode, httpStatus]] of denials.entries()) {
    const error = (await unary(client, method)) as ServiceError;
    assert.equal(error.code, code, `${method}: ${String(error)}`);
    assert.match(error.details, reason);
    const event = (await path.events(at + 1))[at];
    assert.deepEqual([event?.verdict, event?.errorCode, event?.status], ['deny', errorCode, httpStatus]);
    assert.deepEqual(error.metadata.get('x-trace-id'), [event?.traceId]);
    assert.deepEqual(error.metadata.get('x-deny-reason'), [errorCode]);
    assert.ok(error.details.includes(event?.traceId ?? 'none'));
  }
  assert.equal(origin.seen.length, 0);
});

test('a stream of messages is refused while it is sent, and an origin that is gone is UNAVAILABLE', async () => {
  const origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port);
  await using client = await openClient(path, `allowed.test:${origin.port}`);
  const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
  const call = client.makeClientStreamRequest('/pkg.Svc/Other', asIs, asIs, resolve);
  call.on('error', () => undefined);
  call.write(Buffer.alloc(1000));
  assert.equal((await promise)?.code, status.PERMISSION_DENIED);
  await origin[Symbol.asyncDispose]();
  const gone = (await unary(client, '/pkg.Svc/Allowed')) as ServiceError;
  assert.equal(gone.code, status.UNAVAILABLE, String(gone));
});

test('gRPC-Web is told over HTTP/1.1 too, and what only looks like it gets a denial as usual', async () => {
  await using path = pathTo(1);
  const at = 'allowed.test:1';
  const send = async (type: string) =>
    sendRaw(
      await path.tls(at),
      `POST /pkg.Svc/Other HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: 0\r\n\r\n`,
    );
  const web = await send('application/grpc-web+proto');
  assert.equal(web.status, 200);
  assert.match(web.head, /content-type: application\/grpc-web\+proto\r\ngrpc-status: 7\r\n/i);
  assert.equal((await send('application/grpc')).status, 403);
  assert.deepEqual(
    ['application/grpc', 'Application/gRPC+proto; x=y', 'application/grpcx', 'text/plain', undefined].map(
      (type) => grpcTypeOf(type, '2'),
    ),
    ['application/grpc', 'application/grpc+proto', undefined, undefined, undefined],
  );
});
