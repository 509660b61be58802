// What goes to the other side of a channel, one piece after the other, whichever of its streams it is for: the library has one window for
// both, and only one of them can wait for it.

import type { Writable } from 'node:stream';
import type { Channel, ServerChannel } from 'ssh2';
import { ProxyError } from '../../protocol/error.ts';
import type { SshWire } from './ssh-wire.ts';

type Done = (error?: Error | null) => void;

interface Piece {
  readonly to: Writable;
  readonly chunk: Buffer;
  readonly done: Done;
}

/** What once waited for the window the library keeps, and sends again when the other stream has waited. */
const nothingWaited = {
  _chunk: undefined,
  _chunkcb: undefined,
  _chunkErr: undefined,
  _chunkcbErr: undefined,
} as const;

export class ChannelWriter<Written extends Channel = Channel> {
  readonly channel: Written;
  readonly #wire: SshWire;
  #waiting: Piece[] = [];
  #current: Piece | undefined;
  #isClosed = false;

  constructor(channel: Written, wire: SshWire) {
    this.channel = channel;
    this.#wire = wire;
    // A client that closed its channel wants no more of it, which is no fault.
    channel.once('close', () => this.#close());
    wire.once('close', () =>
      this.#close(wire.errored ?? new ProxyError('stream_reset', 'the connection is closed')),
    );
  }

  /** @param done called once it has gone out, or cannot any more */
  write(to: Writable, chunk: Buffer, done: Done): void {
    this.#waiting.push({ to, chunk, done });
    if (this.#isClosed) this.#close(this.#wire.errored);
    else this.#next();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const piece = this.#waiting.shift();
    if (piece === undefined) return;
    this.#current = piece;
    Object.assign(this.channel, nothingWaited);
    const total = this.#wire.given + piece.chunk.length;
    piece.to.write(piece.chunk, (error) => {
      if (error === undefined || error === null)
        this.#wire.whenWritten(total, (fault) => this.#settle(piece, fault));
      else this.#settle(piece, error);
    });
  }

  #settle(piece: Piece, error?: Error | null): void {
    if (this.#current !== piece) return;
    this.#current = undefined;
    piece.done(error);
    this.#next();
  }

  /** The library forgets to say so of what waits. */
  #close(why?: Error | null): void {
    this.#isClosed = true;
    const pieces = this.#current === undefined ? this.#waiting : [this.#current, ...this.#waiting];
    this.#current = undefined;
    this.#waiting = [];
    for (const { done } of pieces) done(why);
  }
}

/** Words of the gateway on standard error, and behind them the status of the command, or the signal that ended it, and its end. */
export function finish(
  writer: ChannelWriter<ServerChannel>,
  lines: readonly string[],
  ending: number | string,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { channel } = writer;
  const end = (): void => {
    if (typeof ending === 'number') channel.exit(ending);
    else channel.exit(ending, false, '');
    channel.end();
    resolve();
  };
  const text = lines.map((line) => `upstreamproxy: ${line}\n`).join('');
  if (text === '') end();
  else writer.write(channel.stderr, Buffer.from(text), end);
  return promise;
}
