// How listeners get out of the workload's namespace: the helper opens them inside and sends them over its IPC channel;
// a listening socket works where it was opened, whoever holds it.

import type { ChildProcess } from 'node:child_process';
import { createSocket, Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Server } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import { type EntrancePorts, type Entrances, resolverPort } from '../capture/entrances.ts';

type EntranceKind = 'relay' | 'captured' | 'resolver-udp' | 'resolver-tcp';

/** One message over the channel; all but the last come with a listener. */
type EntranceMessage =
  | { readonly kind: EntranceKind }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Opening takes milliseconds; the rest is for a loaded machine. */
const openTimeoutMs = 20_000;
const loopback = '127.0.0.1';
const everyAddress = '0.0.0.0';

/** Inside: opens the entrances and sends them out. Returns when the agent has them, or has been told why not. */
export async function sendEntrances({ relay, captured }: EntrancePorts): Promise<void> {
  try {
    await sendServer('relay', loopback, relay);
    for (const port of captured) await sendServer('captured', everyAddress, port);
    await sendServer('resolver-tcp', loopback, resolverPort);
    await sendUdpResolver();
    await send({ kind: 'complete' });
  } catch (error) {
    await send({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
  // What was opened here is closed by exec; nobody can connect before it.
  process.disconnect?.();
}

async function sendServer(kind: EntranceKind, host: string, port: number): Promise<void> {
  const server = createServer();
  server.listen({ host, port });
  await once(server, 'listening');
  await send({ kind }, server);
}

async function sendUdpResolver(): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind({ address: loopback, port: resolverPort });
  await once(socket, 'listening');
  await send({ kind: 'resolver-udp' }, socket);
}

function send(message: EntranceMessage, handle?: Server | UdpSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (process.send === undefined) throw new Error('there is no channel to the agent');
  process.send(message, handle, {}, (error) => (error === null ? resolve() : reject(error)));
  return promise;
}

/** Outside: takes the entrances that the helper sends. Throws jail_refused, with none of them left open. */
export async function receiveEntrances(child: ChildProcess): Promise<Entrances> {
  const captured: Server[] = [];
  const found: { relay?: Server; resolverTcp?: Server; resolverUdp?: UdpSocket } = {};
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onMessage = (message: unknown, handle: unknown): void => {
    // Written by our own program: the type is what stands above.
    const entrance = message as EntranceMessage;
    if (entrance.kind === 'complete') resolve();
    else if (entrance.kind === 'failed') reject(new Error(entrance.reason));
    else if (handle instanceof UdpSocket) found.resolverUdp = handle;
    else if (handle instanceof Server) {
      if (entrance.kind === 'captured') captured.push(handle);
      else found[entrance.kind === 'relay' ? 'relay' : 'resolverTcp'] = handle;
    }
  };
  const onEnd = (): void => reject(new Error('the helper ended'));
  const timer = setTimeout(() => reject(new Error(`not within ${openTimeoutMs} ms`)), openTimeoutMs);
  child.on('message', onMessage).once('exit', onEnd);
  try {
    await promise;
    const { relay, resolverTcp, resolverUdp } = found;
    if (relay === undefined || resolverTcp === undefined || resolverUdp === undefined)
      throw new Error('a listener is missing');
    return { relay, captured, resolverTcp, resolverUdp };
  } catch (error) {
    for (const server of [...captured, found.relay, found.resolverTcp]) server?.close();
    found.resolverUdp?.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProxyError('jail_refused', `the entrances of the jail cannot be opened: ${reason}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    child.off('message', onMessage).off('exit', onEnd);
  }
}
