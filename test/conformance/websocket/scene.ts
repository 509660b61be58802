// A WebSocket through the agent and the gateway with both ends in the test's hands, as octets.

import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';

import { deploy } from '../../support/deployment.ts';
import { tlsThrough } from '../../support/proxy-client.ts';
import type { ProxyTarget } from '../../support/proxy-client.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

/** One end: what it got behind the head, and whether the other side closed. */
export interface End {
  readonly socket: TLSSocket;
  readonly octets: () => Buffer;
  /** Waits until it holds, or the connection is closed. */
  until(holds: () => boolean): Promise<void>;
}

export interface Ends {
  readonly client: End;
  readonly server: End;
}

export interface WebSocketScene extends AsyncDisposable {
  open(): Promise<Ends>;
}

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** For what must come; only what does not conform waits so long. */
const waitMs = 10_000;

export async function openWebSocketScene(): Promise<WebSocketScene> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const opened = new EventEmitter();
  const server = createServer({ ...authority.issue('ws.test'), ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => undefined);
    void acceptUpgrade(socket).then((end) => opened.emit('end', end));
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  const rules = [{ name: 'all', hosts: ['ws.test'], ports: [port], addresses: ['127.0.0.1/32'] }];
  const deployment = stack.use(await deploy({ rules, hosts: { 'ws.test': '127.0.0.1' }, authority }));
  const agent = stack.use(await deployment.startAgent());
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const target = { relayPort: agent.relayPort, host: 'ws.test', port, ca };
  const owned = stack.move();
  return {
    open: async () => {
      const accepted = once(opened, 'end') as Promise<[End]>;
      const client = await upgrade(target);
      return { client, server: (await accepted)[0] };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function upgrade(target: ProxyTarget): Promise<End> {
  const socket = await tlsThrough(target);
  const end = endOf(socket);
  const fields = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ];
  socket.write(['GET / HTTP/1.1', `Host: ${target.host}:${target.port}`, ...fields, '', ''].join('\r\n'));
  const head = await end.takeHead();
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no switch of protocols: ${head}`);
  return end;
}

async function acceptUpgrade(socket: TLSSocket): Promise<End> {
  const end = endOf(socket);
  const key = /^sec-websocket-key: (.*)\r$/im.exec(await end.takeHead())?.[1] ?? '';
  const accept = createHash('sha1')
    .update(key + guid)
    .digest('base64');
  const fields = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`];
  socket.write(['HTTP/1.1 101 Switching Protocols', ...fields, '', ''].join('\r\n'));
  return end;
}

function endOf(socket: TLSSocket): End & { takeHead(): Promise<string> } {
  let octets = Buffer.alloc(0);
  let wake = (): void => undefined;
  socket.on('data', (chunk: Buffer) => {
    octets = Buffer.concat([octets, chunk]);
    wake();
  });
  for (const name of ['end', 'close']) socket.on(name, () => wake());
  const until = async (holds: () => boolean): Promise<void> => {
    const deadline = performance.now() + waitMs;
    for (
      let left = waitMs;
      !holds() && !socket.readableEnded && !socket.destroyed && left > 0;
      left = deadline - performance.now()
    ) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  };
  return {
    socket,
    octets: () => octets,
    until,
    takeHead: async () => {
      await until(() => octets.includes('\r\n\r\n'));
      const end = octets.indexOf('\r\n\r\n') + 4;
      const head = octets.subarray(0, end).toString('latin1');
      octets = octets.subarray(end);
      return head;
    },
  };
}
