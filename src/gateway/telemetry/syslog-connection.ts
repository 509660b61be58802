// One connection to a syslog receiver over TLS (RFC 5425). The protocol has no receipt: what the system has taken counts as sent, and a
// connection that breaks may take what was on its way with it. A batch that is not taken whole goes again; the id tells who gets an event twice.

import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEvent } from '../../api/audit-event.ts';
import type { Dialer, DialResult } from '../../net/dialer.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ClientCertificate, ClientPair } from '../credentials/sources/client-certificate.ts';
import type { Delivery } from './delivery-queue.ts';
import { syslogFrame, type SyslogSender } from './syslog-message.ts';

export interface SyslogConnectionOptions {
  readonly dialer: Dialer;
  readonly host: string;
  readonly port: number;
  /** PEM certificates beside the gateway's roots. */
  readonly ca: readonly string[];
  /** Shown to a receiver that asks for one. */
  readonly client?: ClientCertificate;
  readonly sender: SyslogSender;
}

type Socket = DialResult['socket'];

/** So many events are written before the streams have their turn. */
const eventsPerTurn = 64;

/** The operator wrote the address, so a private network is as good as a public one. */
const anyNetwork = ['0.0.0.0/0', '::/0'] as const;

export class SyslogConnection implements AsyncDisposable {
  readonly #options: SyslogConnectionOptions;
  #socket: Socket | undefined;
  /** What the receiver was shown on this connection. */
  #shown: ClientPair | undefined;

  constructor(options: SyslogConnectionOptions) {
    this.#options = options;
  }

  /** Never throws. */
  async deliver(batch: readonly string[], end: AbortSignal): Promise<Delivery> {
    try {
      const frames = await this.#framesOf(batch);
      const socket = await this.#connected(end);
      await written(socket, frames, end);
      return { outcome: 'taken', refused: 0 };
    } catch (error) {
      this.#socket?.destroy();
      this.#socket = undefined;
      const { host, port } = this.#options;
      const why = end.aborted ? 'it takes nothing in time' : faultReason(error);
      return { outcome: 'later', reason: `${host}:${port}: ${why}` };
    }
  }

  /** Says to the receiver that this is the end (RFC 5425 §4.4). */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closed();
  }

  /** What is on its way gets there first, if the receiver takes it in time. */
  async #closed(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, defaultLimits.telemetryCloseTimeoutMs);
    socket.end(resolve);
    await promise;
    clearTimeout(timer);
    socket.destroy();
  }

  async #framesOf(batch: readonly string[]): Promise<Buffer> {
    const frames: Buffer[] = [];
    for (const [i, json] of batch.entries()) {
      if (i > 0 && i % eventsPerTurn === 0) await nextTurn();
      // The JSON is our own.
      frames.push(syslogFrame(JSON.parse(json) as AuditEvent, json, this.#options.sender));
    }
    return Buffer.concat(frames);
  }

  async #connected(signal: AbortSignal): Promise<Socket> {
    const { dialer, host, port, ca, client } = this.#options;
    const shown = await client?.();
    // One that was renewed is shown from now on; whoever was shown the one before may soon take nothing more.
    if (shown !== this.#shown) await this.#closed();
    if (this.#socket !== undefined) return this.#socket;
    const { socket } = await dialer.dial({
      // Which of our schemes means TLS.
      destination: { scheme: 'https', host, port },
      addresses: anyNetwork,
      principalId: 'gateway',
      signal,
      ...(ca.length === 0 && shown === undefined
        ? {}
        : { tls: { ...(ca.length === 0 ? {} : { ca }), ...shown } }),
    });
    this.#socket = socket;
    this.#shown = shown;
    const lost = (): void => {
      if (this.#socket === socket) this.#socket = undefined;
      socket.destroy();
    };
    // Nothing is expected from there, but its end is only seen by who reads.
    let readBytes = 0;
    socket.on('data', (chunk: Buffer) => {
      readBytes += chunk.length;
      if (readBytes > defaultLimits.syslogReadBytesMax) lost();
    });
    for (const event of ['end', 'error', 'close']) socket.on(event, lost);
    return socket;
  }
}

/** Until the system has taken all of it. */
async function written(socket: Socket, octets: Buffer, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const closed = new AbortController();
  const gone = once(socket, 'close', { signal: closed.signal }).then(
    () => reject(new Error('it closed the connection')),
    () => undefined,
  );
  const onAbort = (): void => reject(new Error('it was ended'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  socket.write(octets, (error) => {
    if (error === undefined || error === null) resolve();
    else reject(error);
  });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    closed.abort();
    await gone;
  }
}
