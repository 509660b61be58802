import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { flag, frame, frameType, headerBlock, parseFrames, preface } from '../attacks/support/h2-frames.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { get, sendRaw } from '../gateway/support/raw-http.ts';
import { rawOrigin } from '../gateway/support/raw-origin.ts';
import { openRequestPath, type RequestPath } from '../gateway/support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
}

const outcome = ({ verdict, errorCode }: AuditEvent): unknown => [verdict, errorCode];

/** Speaks HTTP/2 in frames: `response` is called with the first request of a connection, which has the stream 1. */
async function frameOrigin(
  respond: (socket: TLSSocket) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<TLSSocket>();
  const server = createServer({ ...authority.issue('allowed.test'), ALPNProtocols: ['h2'] }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(frame(frameType.settings, 0, 0));
    let bytes: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!parseFrames(bytes.subarray(preface.length)).some(({ type }) => type === frameType.headers)) return;
      socket.off('data', onData).resume();
      respond(socket);
    };
    socket.on('data', onData);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const resetWithoutError = frame(frameType.rstStream, 0, 1, Buffer.alloc(4));
const begun = Buffer.concat([
  frame(frameType.headers, flag.endHeaders, 1, headerBlock([[':status', '200']])),
  frame(frameType.data, 0, 1, Buffer.from('part')),
]);

const cuts: readonly (readonly [string, (socket: TLSSocket) => void, boolean])[] = [
  ['a reset without an error before any response', (socket) => socket.write(resetWithoutError), false],
  [
    'a reset without an error in the body',
    (socket) => socket.write(Buffer.concat([begun, resetWithoutError])),
    true,
  ],
  ['the end of the connection in the body', (socket) => socket.end(begun), true],
  ['the end of the connection before any response', (socket) => socket.end(), false],
];

for (const [what, cut, hasHead] of cuts) {
  test(`${what} of an origin over HTTP/2 is not the end of a response`, async () => {
    await using origin = await frameOrigin(cut);
    const at = `allowed.test:${origin.port}`;
    {
      await using path = pathTo(origin.port);
      const response = await sendRaw(await path.tls(at), get(at, '/')).catch((error: Error) => error);
      // A cut body is a reset to the client, and anything else a response that says so.
      if (!(response instanceof Error)) {
        assert.equal(response.status, hasHead ? 200 : 502);
        assert.doesNotMatch(response.body, /\r\n0\r\n/);
      }
      assert.deepEqual((await path.events(1)).map(outcome), [['error', 'origin_truncated']]);
    }
    await using path = pathTo(origin.port);
    const socket = await path.tls(at, { alpn: ['h2'] });
    const session = connect(`https://${at}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    const stream = session.request({ ':path': '/' });
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    let status: unknown;
    stream.on('error', () => undefined).on('response', (head) => (status = head[':status']));
    stream.once('close', () => resolve()).resume();
    await closed;
    assert.equal(status, hasHead ? 200 : 502);
    if (hasHead) assert.notEqual(stream.rstCode, 0);
    session.destroy();
    assert.deepEqual((await path.events(1)).map(outcome), [['error', 'origin_truncated']]);
  });
}

test('a body that a client over HTTP/2 resets without an error does not look whole to the origin, a whole one does', async () => {
  await using origin = await rawOrigin(authority, (socket, text) => {
    if (text.includes('POST /whole ')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const head = (stream: number, target: string): Buffer =>
    frame(
      frameType.headers,
      flag.endHeaders,
      stream,
      headerBlock([
        [':method', 'POST'],
        [':scheme', 'https'],
        [':authority', at],
        [':path', target],
      ]),
    );
  // All of it in one read: the gateway is told of the stream when its end was parsed already.
  socket.write(
    Buffer.concat([
      preface,
      frame(frameType.settings, 0, 0),
      head(1, '/whole'),
      frame(frameType.data, flag.endStream, 1, Buffer.from('body')),
    ]),
  );
  await path.events(1);
  assert.match(origin.seen[0] ?? '', /body\r\n0\r\n\r\n$/);
  socket.write(Buffer.concat([head(3, '/cut'), frame(frameType.data, 0, 3, Buffer.from('body'))]));
  const isCut = (): string | undefined => origin.seen.find((bytes) => /\/cut [^]*body/.test(bytes));
  await waitUntil('the body arrives', () => isCut() !== undefined);
  socket.write(frame(frameType.rstStream, 0, 3, Buffer.alloc(4)));
  const events = await path.events(2);
  assert.deepEqual(events.map(outcome), [
    ['allow', undefined],
    ['error', 'cancelled'],
  ]);
  assert.match(isCut() ?? '', /4\r\nbody\r\n$/);
  socket.destroy();
});
