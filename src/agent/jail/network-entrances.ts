// How listeners get out of the workload's namespace: the helper opens them inside and sends them over its IPC channel;
// a listening socket works where it was opened, whoever holds it.

import type { ChildProcess } from 'node:child_process';
import { createSocket, Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Server } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type EntrancePorts, type Entrances, resolverPort } from '../capture/entrances.ts';
import { type Kernel, type ListenerAddress, openRawListener } from './raw-listener.ts';

type EntranceKind = 'relay' | 'captured' | 'resolver-udp' | 'resolver-tcp' | 'udp';

/** One message over the channel; all but the last come with a listener. */
type EntranceMessage =
  | { readonly kind: EntranceKind }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly reason: string };

const loopback = '127.0.0.1';
const everyAddress = '0.0.0.0';

/** Inside: opens the resolver and the ports that are captured in any case, while the session is still opened. */
export async function sendEarlyEntrances(kernel: Kernel, ports: readonly number[]): Promise<void> {
  await sendOrTell(async () => {
    await sendServer(kernel, 'resolver-tcp', { host: loopback, port: resolverPort });
    await sendUdp(kernel, 'resolver-udp', resolverPort);
    for (const port of ports) await sendServer(kernel, 'captured', { host: everyAddress, port });
  });
}

/** Inside: opens the other entrances and sends them out. Returns when the agent has them, or has been told why not. */
export async function sendEntrances(
  kernel: Kernel,
  { relay, captured, udp = [] }: EntrancePorts,
): Promise<void> {
  await sendOrTell(async () => {
    await sendServer(kernel, 'relay', { host: loopback, port: relay });
    for (const port of udp) await sendUdp(kernel, 'udp', port);
    for (const port of captured) await sendServer(kernel, 'captured', { host: everyAddress, port });
    await send({ kind: 'complete' });
  });
  // What was opened here is closed by exec; nobody can connect before it.
  process.disconnect?.();
}

async function sendOrTell(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await send({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
}

async function sendServer(kernel: Kernel, kind: EntranceKind, address: ListenerAddress): Promise<void> {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen({ fd: openRawListener(kernel, 'tcp', address) });
  await listening;
  await send({ kind }, server);
}

async function sendUdp(kernel: Kernel, kind: 'resolver-udp' | 'udp', port: number): Promise<void> {
  const socket = createSocket('udp4');
  // Of a descriptor that is bound it is said at once.
  const listening = once(socket, 'listening');
  socket.bind({ fd: openRawListener(kernel, 'udp', { host: loopback, port }) });
  await listening;
  await send({ kind }, socket);
}

function send(message: EntranceMessage, handle?: Server | UdpSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (process.send === undefined) throw new Error('there is no channel to the agent');
  process.send(message, handle, {}, (error) => (error === null ? resolve() : reject(error)));
  return promise;
}

/** Outside: takes the entrances that a helper sends, from its start. Disposed, it closes those that nobody took. */
export class EntranceReceiver implements Disposable {
  readonly #child: ChildProcess;
  readonly #complete = Promise.withResolvers<void>();
  readonly #captured: Server[] = [];
  #relay: Server | undefined;
  #resolverTcp: Server | undefined;
  #resolverUdp: UdpSocket | undefined;
  readonly #udp: UdpSocket[] = [];
  readonly #onMessage = (message: unknown, handle: unknown): void => this.#take(message, handle);
  readonly #onEnd = (): void => this.#complete.reject(new Error('the helper ended'));

  constructor(child: ChildProcess) {
    this.#child = child;
    // Who asks for the entrances hears it.
    this.#complete.promise.catch(() => {});
    child.on('message', this.#onMessage).once('exit', this.#onEnd);
  }

  /** All of them, once the helper was told to send the rest. Throws jail_refused, with none of them left open. */
  async entrances(): Promise<Omit<Entrances, 'hasAllPorts'>> {
    const timer = setTimeout(
      () => this.#complete.reject(new Error(`not within ${defaultLimits.jailEnterTimeoutMs} ms`)),
      defaultLimits.jailEnterTimeoutMs,
    );
    try {
      await this.#complete.promise;
      const [relay, resolverTcp, resolverUdp] = [this.#relay, this.#resolverTcp, this.#resolverUdp];
      if (relay === undefined || resolverTcp === undefined || resolverUdp === undefined)
        throw new Error('a listener is missing');
      const captured = this.#captured.splice(0);
      const udp = this.#udp.splice(0);
      this.#forget();
      return { form: 'network', taken: [], relay, captured, resolverTcp, resolverUdp, udp };
    } catch (error) {
      this[Symbol.dispose]();
      const reason = error instanceof Error ? error.message : String(error);
      throw new ProxyError('jail_refused', `the entrances of the jail cannot be opened: ${reason}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    for (const server of [...this.#captured.splice(0), this.#relay, this.#resolverTcp]) server?.close();
    for (const socket of [...this.#udp.splice(0), this.#resolverUdp]) socket?.close();
    this.#forget();
  }

  /** What was handed over belongs to who asked. */
  #forget(): void {
    this.#child.off('message', this.#onMessage).off('exit', this.#onEnd);
    [this.#relay, this.#resolverTcp, this.#resolverUdp] = [undefined, undefined, undefined];
  }

  #take(message: unknown, handle: unknown): void {
    // Written by our own program: the type is what stands above.
    const entrance = message as EntranceMessage;
    if (entrance.kind === 'complete') this.#complete.resolve();
    else if (entrance.kind === 'failed') this.#complete.reject(new Error(entrance.reason));
    else if (handle instanceof UdpSocket) {
      if (entrance.kind === 'udp') this.#udp.push(handle);
      else this.#resolverUdp = handle;
    } else if (handle instanceof Server) {
      if (entrance.kind === 'captured') this.#captured.push(handle);
      else if (entrance.kind === 'relay') this.#relay = handle;
      else this.#resolverTcp = handle;
    }
  }
}
