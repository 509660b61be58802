// A SOCKS5 proxy as a company has one: it keeps what it was asked for, and leads everything to one port of this machine.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { SocksServer, socksReply } from '../../src/http/socks-server.ts';
import type { SocksStep } from '../../src/http/socks-server.ts';

export interface SocksParent extends AsyncDisposable {
  readonly port: number;
  /** What it was asked for, with name and password where it was told them, and from where. */
  readonly seen: { readonly target: string; readonly login: string | undefined; readonly from: string }[];
}

/** @param login `user:password` that it wants; without it nobody logs in */
export async function socksParent(originPort: number, login?: string): Promise<SocksParent> {
  const seen: { target: string; login: string | undefined; from: string }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const conversation = new SocksServer(login !== undefined);
    let told: string | undefined;
    const take = (step: SocksStep): void => {
      socket.write(step.reply);
      const { outcome } = step;
      if (outcome.kind === 'login') {
        told = `${outcome.name}:${outcome.password}`;
        take(conversation.loggedIn(told === login));
      } else if (outcome.kind === 'refused') socket.end();
      else if (outcome.kind === 'connect') {
        const { host, port } = outcome.authority;
        seen.push({ target: `${host}:${String(port)}`, login: told, from: socket.remoteAddress ?? '' });
        socket.removeListener('data', onData);
        const origin = connect(originPort, '127.0.0.1');
        sockets.add(origin);
        origin.on('error', () => socket.destroy());
        socket.write(socksReply('succeeded'));
        origin.write(outcome.rest);
        socket.pipe(origin).pipe(socket);
      }
    };
    const onData = (chunk: Buffer): void => take(conversation.push(chunk));
    socket.on('data', onData);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
