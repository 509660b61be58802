// The ports of a gateway of several workers: the supervisor listens, counts strangers, and hands each connection to a worker.

import { createServer, type Server } from 'node:net';
import type { LimitName, Limits } from '../protocol/limits.ts';
import type { StrangerConnections, StrangerLimit } from './admission/stranger-connections.ts';
import type { GatewayConfig } from './config/config.ts';
import { listen, listenForProxy, openProxyStrangers, openStrangers } from './public-listener.ts';
import {
  HandedConnections,
  type HandedLimit,
  type HandedPort,
  type Taker,
} from './workers/handed-connections.ts';

export interface HandedPortsOptions {
  /** Opened already, in place of the public port. */
  readonly descriptor: number | undefined;
  readonly takers: () => readonly Taker[];
  readonly onLimit: (limit: LimitName) => void;
}

interface Opened {
  readonly server: Server;
  readonly hands: HandedConnections;
  readonly number: number;
}

const limitNames: Readonly<Record<HandedPort, Readonly<Record<HandedLimit, LimitName>>>> = {
  public: {
    strangersMax: 'strangersMax',
    strangersPerSourceMax: 'strangersPerSourceMax',
    // It has none of its own.
    connectionsMax: 'strangersMax',
  },
  proxy: {
    strangersMax: 'proxyStrangersMax',
    strangersPerSourceMax: 'proxyStrangersPerSourceMax',
    connectionsMax: 'proxyConnectionsMax',
  },
};

export class HandedPorts implements Disposable {
  readonly #options: HandedPortsOptions;
  readonly #public: Opened;
  readonly #proxy: Opened | undefined;

  private constructor(options: HandedPortsOptions, at: Opened, proxy: Opened | undefined) {
    this.#options = options;
    this.#public = at;
    this.#proxy = proxy;
  }

  /** Listens at both. @throws ProxyError gateway_port_unusable */
  static async open(config: GatewayConfig, options: HandedPortsOptions): Promise<HandedPorts> {
    const { limits, proxy } = config;
    let count = 0;
    const newNumber = (): number => (count += 1);
    const begin = (port: HandedPort, strangers: StrangerConnections): Omit<Opened, 'number'> =>
      opened(port, { strangers, newNumber, limits, ...options });
    const own = begin('public', await openStrangers(config));
    const at = { ...own, number: await listen(own.server, config, options.descriptor) };
    if (proxy === undefined) return new HandedPorts(options, at, undefined);
    const other = begin('proxy', await openProxyStrangers(config));
    try {
      const number = await listenForProxy(other.server, proxy, limits);
      return new HandedPorts(options, at, { ...other, number });
    } catch (error) {
      end(at);
      throw error;
    }
  }

  get port(): number {
    return this.#public.number;
  }

  /** For clients without an agent, where the configuration has them. */
  get proxyPort(): number | undefined {
    return this.#proxy?.number;
  }

  /** A worker serves now, or takes again. */
  handWaiting(): void {
    for (const { hands } of this.#all()) hands.handWaiting(this.#options.takers());
  }

  /** It is from elsewhere, as a trusted proxy says. The limit by which it is not taken. */
  readmit(worker: number, connection: number, address: string): StrangerLimit | undefined {
    for (const [port, opened] of this.#named()) {
      const limit = opened.hands.readmit(worker, connection, address);
      if (limit === undefined) continue;
      this.#options.onLimit(limitNames[port][limit]);
      return limit;
    }
    return undefined;
  }

  /** What a worker says of a connection. One that is not of a port means nothing there. */
  heard(worker: number, { kind, connection }: Heard): void {
    for (const { hands } of this.#all()) hands[kind](worker, connection);
    if (kind !== 'shown') this.handWaiting();
  }

  leave(worker: number): void {
    for (const { hands } of this.#all()) hands.leave(worker);
  }

  /** Takes no client without an agent any more. Agents may come back until the workers end. */
  stopProxy(): void {
    if (this.#proxy !== undefined) end(this.#proxy);
  }

  stopListening(): void {
    for (const { server } of this.#all()) server.close();
  }

  [Symbol.dispose](): void {
    for (const one of this.#all()) end(one);
  }

  #all(): readonly Opened[] {
    return this.#proxy === undefined ? [this.#public] : [this.#public, this.#proxy];
  }

  #named(): readonly (readonly [HandedPort, Opened])[] {
    return this.#all().map((opened) => [opened === this.#public ? 'public' : 'proxy', opened]);
  }
}

interface Heard {
  readonly kind: 'taken' | 'shown' | 'closed';
  readonly connection: number;
}

function opened(
  port: HandedPort,
  {
    strangers,
    newNumber,
    limits,
    takers,
    onLimit,
  }: HandedPortsOptions & {
    readonly strangers: StrangerConnections;
    readonly newNumber: () => number;
    readonly limits: Limits;
  },
): Omit<Opened, 'number'> {
  const hands = new HandedConnections({
    port,
    strangers,
    newNumber,
    waitMs: limits.handshakeTimeoutMs,
    ...(port === 'proxy' ? { connectionsMax: limits.proxyConnectionsMax } : {}),
    onLimit: (limit) => onLimit(limitNames[port][limit]),
  });
  const server = createServer({ pauseOnConnect: true, noDelay: true });
  server.on('connection', (socket) => hands.hand(socket, takers()));
  return { server, hands };
}

function end({ server, hands }: Opened): void {
  hands.close();
  server.close();
}
