// Two connected streams: over TCP, or in JavaScript alone with the meaning of ends and resets kept.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';

export interface StreamPair {
  readonly client: Duplex;
  readonly server: Duplex;
}

/** Connected TCP sockets of this process, half-close allowed on both. */
export async function nativePair(): Promise<StreamPair> {
  const listener = createServer({ allowHalfOpen: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  // A listening server has an address with a port.
  const { port } = listener.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  // The event's argument is the accepted socket.
  const [[server]] = (await Promise.all([once(listener, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ];
  listener.close();
  return { client, server };
}

/** One end in JavaScript. Destroyed before it ended, it resets the other, as a tunnel's stream does. */
class PairEnd extends Duplex {
  other: PairEnd | undefined;
  #resume: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#deliver(chunk, callback);
  }

  override _final(callback: () => void): void {
    this.#deliver(null, callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const other = this.other;
    if (other !== undefined && !other.destroyed && !(this.writableFinished && this.readableEnded)) {
      const cut = Object.assign(new Error('the other side reset the stream'), { code: 'ECONNRESET' });
      setImmediate(() => {
        if (!other.destroyed && !other.readableEnded) other.destroy(cut);
      });
    }
    callback(error);
  }

  #deliver(chunk: Buffer | null, callback: () => void): void {
    const other = this.other;
    if (other === undefined || other.destroyed) {
      callback();
      return;
    }
    if (other.push(chunk)) setImmediate(callback);
    else if (chunk === null) callback();
    else other.#resume = callback;
  }
}

/** Connected streams without any handle below. */
export function scriptPair(): Promise<StreamPair> {
  const [client, server] = [new PairEnd(), new PairEnd()];
  client.other = server;
  server.other = client;
  for (const end of [client, server]) end.on('error', () => undefined);
  return Promise.resolve({ client, server });
}

export const pairKinds: readonly (readonly [name: string, make: () => Promise<StreamPair>])[] = [
  ['a TCP socket', nativePair],
  ['a stream in JavaScript', scriptPair],
];
