// A relay in front of a real tunnel over loopback, with the far ends of its streams at hand; and a client's socket.

import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ClientTls } from '../../../src/agent/relay/client-tls.ts';
import { type Relay, startRelay } from '../../../src/agent/relay/relay.ts';
import type { RelayTunnel } from '../../../src/agent/relay/relay-connection.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { PlainMode } from '../../../src/protocol/frame.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { tunnelPair } from '../../net/tunnel-pair.ts';

export interface RelayFixture extends AsyncDisposable {
  readonly relay: Relay;
  /** The next stream that arrives at the far end of the tunnel. */
  nextStream(): Promise<TunnelStream>;
  /** While set, no stream can be opened and waiting for one fails with it. */
  down: ProxyError | undefined;
  /** Lets the tunnel agree on modes. */
  whenAgreed: () => Promise<void>;
  /** The agent's ends of the streams. */
  readonly opened: TunnelStream[];
}

export async function relayFixture(
  changes: Partial<Limits> = {},
  host?: string,
  tls?: { readonly client: ClientTls; readonly modes: (authority: string) => readonly PlainMode[] },
): Promise<RelayFixture> {
  const limits: Limits = { ...defaultLimits, ...changes };
  const arrived: TunnelStream[] = [];
  const waiting: ((stream: TunnelStream) => void)[] = [];
  const pair = await tunnelPair({
    onStream: (stream) => {
      stream.on('error', () => {});
      const waiter = waiting.shift();
      if (waiter === undefined) arrived.push(stream);
      else waiter(stream);
    },
  });
  const fixture: Omit<RelayFixture, 'relay'> & { relay?: Relay } = {
    down: undefined,
    opened: [],
    whenAgreed: () => Promise.resolve(),
    nextStream: () => {
      const stream = arrived.shift();
      return stream === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(stream);
    },
    async [Symbol.asyncDispose]() {
      await fixture.relay?.close();
      await pair[Symbol.asyncDispose]();
    },
  };
  const tunnel: RelayTunnel = {
    get isUp() {
      return fixture.down === undefined;
    },
    whenUp: () => Promise.reject(fixture.down ?? new ProxyError('internal', 'it is up')),
    whenAgreed: () => fixture.whenAgreed(),
    openStream: (fields) => {
      const stream = pair.agent.openStream(fields);
      fixture.opened.push(stream);
      return stream;
    },
    plainModes: (authority) => tls?.modes(authority) ?? [],
  };
  fixture.relay = await startRelay({ tunnel, limits, ...(host === undefined ? {} : { host }) }, tls?.client);
  return fixture as RelayFixture;
}

/** Waits for the end of a socket or stream; unlike `once` it does not throw for an error on the way. */
export function closedOf(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}

/** A client of the relay: all that it received, and how its connection ended. */
export class RelayClient {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #waiting = new Set<() => void>();
  #ended = false;
  #errorCode: string | undefined;

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect({ port, host, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    this.socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#errorCode = error.code ?? error.message;
      this.#wake();
    });
    this.socket.on('close', () => this.#wake());
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** Sends CONNECT, with bytes right behind it in the same packet, and waits for the 200. */
  async tunnelTo(authority: string, behind = ''): Promise<void> {
    this.socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n${behind}`, 'latin1');
    await this.received('HTTP/1.1 200 Connection established\r\n\r\n');
  }

  /** Waits until the text so far contains this. */
  async received(part: string): Promise<void> {
    while (!this.text.includes(part)) {
      if (this.#ended || this.socket.destroyed)
        throw new Error(`ended before ${JSON.stringify(part)}: ${this.text}`);
      await this.#woken();
    }
  }

  /** How the other side ended: `end` is a FIN, anything else the error of a reset. */
  async ending(): Promise<string> {
    while (!this.#ended && this.#errorCode === undefined && !this.socket.destroyed) await this.#woken();
    return this.#errorCode ?? (this.#ended ? 'end' : 'closed');
  }

  async closed(): Promise<void> {
    await closedOf(this.socket);
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
