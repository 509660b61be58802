// A real TLS server behind the gate, with real connections.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { networkList } from '../../../src/gateway/admission/networks.ts';
import { countStrangers, PublicConnections } from '../../../src/gateway/admission/public-connections.ts';
import { createPublicServer } from '../../../src/gateway/public-server.ts';
import { defaultLimits, type LimitName, type Limits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const authority = createTestAuthority();
const { cert, key } = authority.issue('127.0.0.1');

interface Scene extends AsyncDisposable {
  readonly strangers: () => number;
  readonly reached: readonly LimitName[];
  readonly sources: readonly string[];
  open(first?: Uint8Array): Socket;
  /** The body of a response to a request on a connection of its own. */
  ask(first?: Uint8Array, fields?: string): Promise<string>;
}

async function openScene(
  options: { limits?: Partial<Limits>; trusted?: readonly string[]; requiresProxyProtocol?: boolean } = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const limits = { ...defaultLimits, ...options.limits };
  const reached: LimitName[] = [];
  const sources: string[] = [];
  const strangers = countStrangers(limits, 1000);
  const connections = new PublicConnections({
    limits,
    strangers,
    isTrustedProxy: networkList(options.trusted ?? [])!,
    requiresProxyProtocol: options.requiresProxyProtocol ?? false,
    onLimit: (limit) => reached.push(limit),
  });
  const server = createPublicServer({
    certificatePem: cert,
    keyPem: key,
    limits,
    caCertificates: () => ({ pem: 'the certificates', etag: '""' }),
    isReady: () => true,
    handleSession: async (request, response) => {
      sources.push(connections.sourceOf(request));
      connections.showedSession(request.socket);
      response.end('served');
    },
    handleUpgrade: () => Promise.resolve(),
  });
  connections.guard(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  stack.defer(() => server.closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const open = (first?: Uint8Array): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    if (first !== undefined) socket.write(first);
    return socket;
  };
  const owned = stack.move();
  return {
    strangers: () => strangers.count,
    reached,
    sources,
    open: (first) => {
      const socket = open(first);
      owned.defer(() => void socket.destroy());
      return socket;
    },
    ask: async (first, fields = '') => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      if (first !== undefined) socket.write(first);
      const secure = connectTls({ socket, ca: authority.caPem, host: '127.0.0.1' });
      secure.on('error', () => undefined);
      owned.defer(() => void secure.destroy());
      secure.write(
        `POST /v1/code/upstreamproxy/session HTTP/1.1\r\nHost: a.test\r\n${fields}Content-Length: 0\r\n\r\n`,
      );
      const { promise, resolve } = Promise.withResolvers<string>();
      secure.once('data', (chunk: Buffer) => resolve(String(chunk))).once('close', () => resolve('closed'));
      return await promise;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const proxyHead = Buffer.from('0d0a0d0a000d0a515549540a2111000cc00002070a0000011f9001bb', 'hex');

test('connections that say nothing take the room of strangers, and not that of those who showed a session', async () => {
  await using scene = await openScene({ limits: { strangersPerSourceMax: 3 } });
  // Each of these shows a session and stays open.
  for (let i = 0; i < 5; i += 1) assert.match(await scene.ask(), /served$/);
  assert.equal(scene.strangers(), 0);
  const silent = [scene.open(), scene.open(), scene.open()];
  await waitUntil('they are counted', () => Promise.resolve(scene.strangers() === 3));
  const refused = scene.open();
  await once(refused.resume(), 'close');
  assert.deepEqual(scene.reached, ['strangersPerSourceMax']);
  silent[0]!.destroy();
  await waitUntil('one is gone', () => Promise.resolve(scene.strangers() === 2));
  assert.match(await scene.ask(), /served$/);
});

test('behind a trusted balancer the source is what its PROXY head says, and TLS goes on behind it', async () => {
  await using scene = await openScene({ trusted: ['127.0.0.0/8'], requiresProxyProtocol: true });
  assert.match(await scene.ask(proxyHead), /served$/);
  assert.deepEqual(scene.sources, ['192.0.2.7']);
});

test('sources behind one balancer have room of their own', async () => {
  await using scene = await openScene({
    trusted: ['127.0.0.1'],
    requiresProxyProtocol: true,
    limits: { strangersPerSourceMax: 2 },
  });
  scene.open(proxyHead);
  scene.open(proxyHead);
  await waitUntil('they are counted', () => Promise.resolve(scene.strangers() === 2));
  await once(scene.open(proxyHead).resume(), 'close');
  const other = Buffer.from(proxyHead);
  other[19] = 8;
  assert.match(await scene.ask(other), /served$/);
});

test('where a PROXY head is required, who sends none or is no trusted balancer is let go, and none is believed where it is refused', async () => {
  await using required = await openScene({
    trusted: ['127.0.0.1'],
    requiresProxyProtocol: true,
    limits: { handshakeTimeoutMs: 300 },
  });
  assert.doesNotMatch(await required.ask(), /served/);
  await once(required.open().resume(), 'close');
  await using untrusted = await openScene({ trusted: ['10.0.0.0/8'], requiresProxyProtocol: true });
  await once(untrusted.open(proxyHead).resume(), 'close');
  await using refused = await openScene({ trusted: ['127.0.0.1'] });
  assert.doesNotMatch(await refused.ask(proxyHead), /served/);
  assert.deepEqual([required.sources, untrusted.sources, refused.sources], [[], [], []]);
});

test('Forwarded and X-Forwarded-For count from trusted proxies alone', async () => {
  await using trusting = await openScene({ trusted: ['127.0.0.1'] });
  await trusting.ask(undefined, 'X-Forwarded-For: 8.8.8.8, 192.0.2.7\r\n');
  await trusting.ask(undefined, 'Forwarded: for=192.0.2.8\r\n');
  assert.deepEqual(trusting.sources, ['192.0.2.7', '192.0.2.8']);
  await using plain = await openScene();
  await plain.ask(undefined, 'X-Forwarded-For: 192.0.2.7\r\n');
  assert.deepEqual(plain.sources, ['127.0.0.1']);
});
