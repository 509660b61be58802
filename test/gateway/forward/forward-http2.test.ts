// Origins over HTTP/2 that leave while their responses run, and bodies that outlive their exchange.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import type { ForwardRequest } from '../../../src/gateway/forward/forwarder.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  /** Connections that are open at the origin. */
  readonly open: () => number;
  /** Responses that run. */
  readonly running: ServerHttp2Stream[];
  forward(path: string, more?: Partial<ForwardRequest>): Promise<unknown>;
}

/** `/open`: a response that does not end; `told` runs once it began. Everything else: one that does. */
async function openScene(
  told: (session: ServerHttp2Session, socket: TLSSocket | undefined) => void = () => undefined,
): Promise<Scene> {
  const server = createSecureServer({ ...authority.issue('allowed.test'), ALPNProtocols: ['h2'] });
  const sockets = new Map<number | undefined, TLSSocket>();
  const running: ServerHttp2Stream[] = [];
  server.on('secureConnection', (socket) => {
    const { remotePort } = socket;
    sockets.set(remotePort, socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(remotePort));
  });
  server.on('sessionError', () => undefined);
  server.on('stream', (given, headers) => {
    // On a server every stream is a server's.
    const stream = given as ServerHttp2Stream;
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    if (headers[':path'] !== '/open') return stream.end('ok');
    stream.write('part');
    running.push(stream);
    // As above.
    const session = stream.session as ServerHttp2Session;
    told(session, sockets.get(session.socket.remotePort));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const path = openRequestPath({ policy: 'rules: []', hosts: ['allowed.test'], trust: [authority.caPem] });
  const { signal } = new AbortController();
  return {
    running,
    open: () => sockets.size,
    forward: (target, more) => {
      const { head, ...request } = forwardRequestTo('allowed.test', signal);
      const destination = { scheme: 'https', host: 'allowed.test', port } as const;
      const asked = { ...head, destination, path: target, httpVersion: '2' } as const;
      const addressed = { ...request, addresses: ['127.0.0.0/8'], head: asked, ...more };
      return path.parts.forwarder.forward(addressed, anyReceiver);
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.values()) socket.destroy();
      await path[Symbol.asyncDispose]();
      server.close();
    },
  };
}

test('connections that an origin has ended block no other', async () => {
  await using scene = await openScene((_session, socket) => socket?.end());
  for (let i = 0; i <= defaultLimits.http2ConnectionsPerOriginMax; i++)
    await assert.rejects(scene.forward('/open'), { code: 'origin_truncated' });
  await scene.forward('/ok');
  await waitUntil('the end of the others', () => scene.open() === 1);
});

test('connections that an origin has left by GOAWAY go on to their ends, up to a bound of their own', async () => {
  let onLeft = (): void => undefined;
  await using scene = await openScene((session) => {
    session.goaway(0);
    // Its acknowledgement comes when the GOAWAY was read.
    session.ping(() => onLeft());
  });
  const ended: Promise<unknown>[] = [];
  for (let i = 0; i < defaultLimits.http2LeavingPerOriginMax; i++) {
    const left = new Promise<void>((resolve) => (onLeft = resolve));
    ended.push(scene.forward('/open'));
    await left;
  }
  await assert.rejects(scene.forward('/ok'), { code: 'limit_exceeded', limit: 'http2LeavingPerOriginMax' });
  scene.running.shift()?.end();
  await ended.shift();
  await scene.forward('/ok');
  for (const stream of scene.running) stream.end();
  await Promise.all(ended);
  await waitUntil('the end of the others', () => scene.open() === 1);
});

test('nothing of an exchange stays with its body', async () => {
  await using scene = await openScene();
  const body = new PassThrough();
  let counted = 0;
  const sent = scene.forward('/early', { body, onBodyBytes: (octets) => (counted += octets) });
  body.write('begun');
  await sent;
  assert.equal(body.listenerCount('data'), 0);
  const before = counted;
  body.resume().end('rest');
  await once(body, 'close');
  assert.equal(counted, before);
});
