// A port for datagrams in the container: each client of it has a flow of its own through the tunnel. What cannot go out is dropped.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { TunnelStream } from '../../net/tunnel-stream.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { OpenFields } from '../../protocol/frame.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Logger } from '../../system/logger.ts';
import { isLoopback } from '../uplink/gateway-address.ts';
import type { DatagramMapping } from './datagram-mapping.ts';

/** As far as flows need it. */
export interface DatagramTunnel {
  readonly isUp: boolean;
  /** Throws where the tunnel carries no datagrams, or is not up. */
  openStream(fields: OpenFields): TunnelStream;
}

export interface DatagramContext {
  readonly tunnel: DatagramTunnel;
  readonly limits: Limits;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

interface Flow {
  readonly stream: TunnelStream;
  /** Until the gateway has taken it. */
  early: Buffer[] | undefined;
  timer: NodeJS.Timeout;
}

/** On 127.0.0.1 of the container itself, where the workload has no network of its own. @throws ProxyError config_invalid */
export async function openDatagramPort({ port }: DatagramMapping): Promise<Socket> {
  const socket = createSocket('udp4');
  const listening = once(socket, 'listening');
  socket.bind({ port, address: '127.0.0.1', exclusive: true });
  try {
    await listening;
    return socket;
  } catch (cause) {
    throw new ProxyError('config_invalid', `the port ${String(port)} for datagrams cannot be opened`, {
      cause,
    });
  }
}

/** Owns the socket. Disposing it ends its flows. */
export class DatagramEntrance implements Disposable {
  readonly #socket: Socket;
  readonly #authority: string;
  readonly #context: DatagramContext;
  /** By the address of the client; the one that was quiet for longest is first. */
  readonly #flows = new Map<string, Flow>();
  #sending = 0;
  #isClosed = false;
  #isTold = false;

  constructor(socket: Socket, { authority }: DatagramMapping, context: DatagramContext) {
    this.#socket = socket;
    this.#authority = authority;
    this.#context = context;
    // A client that is gone before its response is no fault of anybody.
    socket.on('error', () => undefined);
    socket.on('message', (datagram, { address, port }) => {
      if (isLoopback(address)) this.#take(datagram, address, port);
    });
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const [key, flow] of this.#flows) this.#end(key, flow);
    this.#socket.close();
  }

  #take(datagram: Buffer, address: string, port: number): void {
    if (this.#isClosed || datagram.length > defaultLimits.datagramBytesMax) return;
    const key = `${address} ${String(port)}`;
    const flow = this.#flows.get(key) ?? this.#open(key, address, port);
    if (flow === undefined) return;
    // Re-inserted last: the map's order is the order of use.
    this.#flows.delete(key);
    this.#flows.set(key, flow);
    flow.timer.refresh();
    if (flow.early === undefined) flow.stream.sendDatagram(datagram);
    else if (flow.early.length < defaultLimits.datagramsEarlyMax) flow.early.push(datagram);
  }

  #open(key: string, address: string, port: number): Flow | undefined {
    const { tunnel, limits } = this.#context;
    let stream: TunnelStream;
    try {
      if (!tunnel.isUp) return undefined;
      stream = tunnel.openStream({ authority: this.#authority, mode: 'udp' });
    } catch (error) {
      this.#tell(asProxyError(error).message);
      return undefined;
    }
    const timer = setTimeout(() => this.#end(key, flow), limits.datagramIdleTimeoutMs).unref();
    const flow: Flow = { stream, early: [], timer };
    stream.on('accept', () => {
      for (const datagram of flow.early ?? []) stream.sendDatagram(datagram);
      flow.early = undefined;
    });
    stream.on('datagram', (datagram: Uint8Array) => {
      flow.timer.refresh();
      if (this.#isClosed || this.#sending >= defaultLimits.captureDnsWaitingMax) return;
      this.#sending += 1;
      this.#socket.send(datagram, port, address, () => {
        this.#sending -= 1;
      });
    });
    stream.once('close', () => {
      const { streamError } = stream;
      if (streamError !== undefined && streamError.code !== 'cancelled' && streamError.code !== 'timeout')
        this.#tell(streamError.message);
      this.#end(key, flow);
    });
    stream.resume();
    this.#makeRoom();
    return flow;
  }

  #makeRoom(): void {
    if (this.#flows.size < defaultLimits.datagramFlowsMax) return;
    const [oldest] = this.#flows;
    if (oldest !== undefined) this.#end(...oldest);
  }

  #end(key: string, flow: Flow): void {
    clearTimeout(flow.timer);
    if (this.#flows.get(key) === flow) this.#flows.delete(key);
    flow.stream.destroy();
  }

  /** The first reason as a warning: what the workload sends must not fill the log. */
  #tell(message: string): void {
    const level = this.#isTold ? 'info' : 'warn';
    this.#isTold = true;
    this.#context.logger[level](`datagrams to ${this.#authority} are dropped: ${message}`);
  }
}
