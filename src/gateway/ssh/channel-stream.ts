// A channel of SSH as a stream like others: it fails with a reason, its end is not its close, and what it writes has gone out before the
// next is taken.

import { Duplex } from 'node:stream';
import type { Channel } from 'ssh2';
import { ProxyError } from '../../protocol/error.ts';
import { ChannelWriter } from './channel-writer.ts';
import type { SshWire } from './ssh-wire.ts';

interface ChannelStreamOptions {
  readonly channel: Channel;
  readonly wire: SshWire;
  /** What else writes to this channel goes through it too. Default: nothing else does. */
  readonly writer?: ChannelWriter;
  /** Says that nothing more is written. */
  readonly end: (channel: Channel) => Promise<void>;
}

export class ChannelStream extends Duplex {
  readonly #channel: Channel;
  readonly #wire: SshWire;
  readonly #writer: ChannelWriter;
  readonly #end: ChannelStreamOptions['end'];
  #hasEnded = false;

  constructor({ channel, wire, writer = new ChannelWriter(channel, wire), end }: ChannelStreamOptions) {
    super({ allowHalfOpen: true });
    this.#channel = channel;
    this.#wire = wire;
    this.#writer = writer;
    this.#end = end;
    channel.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) channel.pause();
    });
    channel.pause();
    channel.once('end', () => {
      this.#hasEnded = true;
      this.push(null);
    });
    channel.once('close', () => {
      // The library ends what was cut off too: whoever has to know looks for the status of the command.
      if (!this.#hasEnded) this.push(null);
      if (this.writableFinished && this.readableEnded) this.destroy();
      else if (!this.writableFinished && this.readableEnded) this.destroy();
      else this.once('end', () => this.destroy());
    });
    wire.once('close', () => {
      this.destroy(wire.errored ?? undefined);
    });
  }

  override _read(): void {
    this.#channel.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writer.write(this.#channel, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#end(this.#channel).then(
      () => done(),
      (error: unknown) =>
        done(error instanceof Error ? error : new ProxyError('stream_reset', 'it broke off')),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (error !== null) this.#wire.destroy(error);
    done(error);
  }
}
