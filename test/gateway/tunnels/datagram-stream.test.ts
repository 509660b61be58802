// One flow of datagrams from a stream of its tunnel to a socket, by the gateway's own parts.

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { handleStream } from '../../../src/gateway/tunnels/stream-handler.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { openRequestPath, type RequestPath, testPrincipal } from '../support/request-path.ts';

/** Says each datagram back. */
async function echoServer(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (datagram, { address, port }) => socket.send(datagram, port, address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

function pathTo(port: number): RequestPath {
  const policy = `rules: [{ name: echo, hosts: echo.test, ports: ${String(port)}, scheme: udp, addresses: 127.0.0.0/8 }]`;
  return openRequestPath({ policy, hosts: ['echo.test'], trust: [] });
}

interface OpenedFlow {
  /** Towards the gateway, once it is accepted. */
  send(text: string): void;
  readonly accepted: Promise<undefined>;
  /** Resolves with the next that comes back. */
  next(): Promise<string>;
  close(): void;
  /** Resolves when the stream is served no more. */
  readonly served: Promise<void>;
}

function openFlow(parts: StreamParts, port: number): OpenedFlow {
  const [near, far] = duplexPair();
  for (const side of [near, far]) side.on('error', () => undefined);
  near.once('close', () => far.destroy());
  const accepted = Promise.withResolvers<undefined>();
  const received: string[] = [];
  let waiting: ((text: string) => void) | undefined;
  let take: (datagram: Uint8Array) => void = () => undefined;
  const end = (error: ProxyError): void => {
    accepted.reject(error);
    far.destroy();
  };
  accepted.promise.catch(() => undefined);
  const served = handleStream(
    {
      duplex: far,
      fields: { authority: `echo.test:${String(port)}`, mode: 'udp' },
      datagrams: {
        send: (datagram) => {
          const text = Buffer.from(datagram).toString();
          if (waiting === undefined) received.push(text);
          else waiting(text);
          waiting = undefined;
          return true;
        },
        onDatagram: (listener) => (take = listener),
      },
      allowsMode: () => true,
      accept: () => accepted.resolve(undefined),
      refuse: end,
      reset: end,
    },
    testPrincipal('alice'),
    parts,
  );
  return {
    send: (text) => take(Buffer.from(text)),
    accepted: accepted.promise,
    next: async () =>
      received.shift() ??
      (await new Promise<string>((resolve) => {
        waiting = resolve;
      })),
    close: () => near.destroy(),
    served: Promise.resolve(served).then(() => undefined),
  };
}

test('datagrams go to the socket and back, and the event counts them', async () => {
  await using server = await echoServer();
  const { port } = server.address();
  await using path = pathTo(port);
  const flow = openFlow(path.parts, port);
  await flow.accepted;
  for (const text of ['one', 'two']) {
    flow.send(text);
    assert.equal(await flow.next(), text);
  }
  flow.close();
  await flow.served;
  const [event] = await path.events(1);
  assert.deepEqual(
    [event?.verdict, event?.rule, event?.protocol, event?.requestBytes, event?.responseBytes],
    ['allow', 'echo', 'udp', 6, 6],
  );
});

test('a flow whose stream was closed while its address was looked up ends at once, with its socket', async () => {
  await using server = await echoServer();
  const { port } = server.address();
  await using path = pathTo(port);
  const asked = Promise.withResolvers<undefined>();
  const held = Promise.withResolvers<undefined>();
  const { parts } = path;
  const dialer = Object.create(parts.dialer, {
    choose: {
      value: async (...request: Parameters<StreamParts['dialer']['choose']>) => {
        asked.resolve(undefined);
        await held.promise;
        return await parts.dialer.choose(...request);
      },
    },
  }) as StreamParts['dialer'];
  const flow = openFlow({ ...parts, dialer }, port);
  await asked.promise;
  flow.close();
  held.resolve(undefined);
  // Without its mend it would be served until `datagramIdleTimeoutMs`.
  await flow.served;
});
