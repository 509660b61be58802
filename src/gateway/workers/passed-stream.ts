// A stream on its way between two workers: whether it was accepted, its octets, and how each direction ended. A socket of the machine
// cannot say that it broke off, and what broke off must not be taken for an end.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** What a message is; its length stands behind it. */
const kinds = { data: 0, end: 1, accept: 2, refuse: 3 } as const;
const headBytes = 5;

type Callback = (error?: Error | null) => void;

export class PassedStream extends Duplex {
  readonly #socket: Socket;
  /** The start of a message that is not whole yet: of its octets where it is one of data, those are given on as they come. */
  #start = Buffer.alloc(0);
  #dataLeft = 0;
  /** The other end's direction is over, whether or not anybody has read up to there. */
  #isEndRead = false;
  readonly #opened = Promise.withResolvers<ProxyError | undefined>();

  /** `head` was read before. The socket has no listeners, and is the stream's from now on. */
  constructor(socket: Socket, head: Uint8Array = Buffer.alloc(0)) {
    super({ allowHalfOpen: true });
    // A stream that fails before its user listens must not end the process.
    this.on('error', () => undefined);
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#brokeOff(error));
    socket.once('end', () => this.#brokeOff());
    socket.once('close', () => this.#closed());
    if (head.length > 0) socket.unshift(Buffer.from(head));
    socket.resume();
  }

  /** What the other end says of it: undefined is a yes. Never rejects. */
  get opened(): Promise<ProxyError | undefined> {
    return this.#opened.promise;
  }

  accept(): void {
    this.#say(kinds.accept);
  }

  /** The last word. */
  refuse({ code, message, retryAfterSeconds }: ProxyError): void {
    const text = JSON.stringify({ code, message: message.slice(0, 1024), retryAfterSeconds });
    this.#say(kinds.refuse, Buffer.from(text));
    this.end();
    this.resume();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: Callback): void {
    this.#say(kinds.data, chunk, done);
  }

  override _final(done: Callback): void {
    const over = headOf(kinds.end, 0);
    this.#socket.end(over, () => done());
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#opened.resolve(lost(error));
    this.#socket.destroy();
    done(error);
  }

  #say(kind: number, body: Uint8Array = Buffer.alloc(0), done: Callback = () => undefined): void {
    this.#socket.cork();
    if (body.length === 0) this.#socket.write(headOf(kind, 0), done);
    else {
      this.#socket.write(headOf(kind, body.length));
      this.#socket.write(body, done);
    }
    this.#socket.uncork();
  }

  #take(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0;) {
      if (this.#dataLeft > 0) {
        const data = rest.subarray(0, this.#dataLeft);
        this.#dataLeft -= data.length;
        rest = rest.subarray(data.length);
        if (!this.push(data)) this.#socket.pause();
        continue;
      }
      const whole = Buffer.concat([this.#start, rest]);
      const taken = this.#message(whole);
      if (taken === undefined) {
        this.#start = whole;
        return;
      }
      this.#start = Buffer.alloc(0);
      rest = whole.subarray(taken);
    }
  }

  /** Reads what a message is, and its body unless that is data. Gives its octets; undefined: it is not whole. */
  #message(bytes: Buffer): number | undefined {
    if (bytes.length < headBytes) return undefined;
    const [kind, length] = [bytes[0], bytes.readUInt32BE(1)];
    if (kind === kinds.data) {
      this.#dataLeft = length;
      return headBytes;
    }
    if (length > defaultLimits.passedUpgradeBytesMax) {
      this.destroy(new ProxyError('internal', 'another worker sent something too long'));
      return bytes.length;
    }
    if (bytes.length < headBytes + length) return undefined;
    if (kind === kinds.end) {
      this.#isEndRead = true;
      this.push(null);
    }
    if (kind === kinds.accept) this.#opened.resolve(undefined);
    if (kind === kinds.refuse) this.#opened.resolve(refusalOf(bytes.subarray(headBytes, headBytes + length)));
    return headBytes + length;
  }

  /** Nothing goes to the other end any more. What came from it is read to its end first. */
  #closed(): void {
    this.#brokeOff();
    if (this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }

  #brokeOff(error?: Error): void {
    this.#opened.resolve(lost(error ?? null));
    if (!this.#isEndRead && !this.destroyed) this.destroy(lost(error ?? null));
  }
}

function headOf(kind: number, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head[0] = kind;
  head.writeUInt32BE(length, 1);
  return head;
}

function lost(cause: Error | null): ProxyError {
  if (cause instanceof ProxyError) return cause;
  return new ProxyError('stream_reset', 'the worker that serves the session broke off', { cause });
}

function refusalOf(text: Uint8Array): ProxyError {
  // Written by `refuse`, in another process of this very program.
  const said = JSON.parse(Buffer.from(text).toString()) as {
    readonly code: string;
    readonly message: string;
    readonly retryAfterSeconds?: number;
  };
  const { retryAfterSeconds } = said;
  const code = knownErrorCode(said.code) ?? 'internal';
  return new ProxyError(code, said.message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}
