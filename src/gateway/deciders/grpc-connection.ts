// Unary calls of gRPC over one connection of HTTP/2, which is opened when it is needed and again when it is lost
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { defaultLimits } from '../../protocol/limits.ts';
import type { DialService } from '../forward/dial-service.ts';
import { DeciderFault } from './decider.ts';

export interface GrpcCall {
  /** Such as /package.Service/Method. */
  readonly path: string;
  readonly message: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const prefixLength = 5;

export class GrpcConnection implements AsyncDisposable {
  readonly #url: URL;
  readonly #dial: DialService;
  #session: Promise<SharedSession> | undefined;
  /** With those that no new question goes over. */
  readonly #all = new Set<SharedSession>();

  constructor(url: string, dial: DialService) {
    this.#url = new URL(url);
    this.#dial = dial;
  }

  /** The one message of the response. @throws DeciderFault, and what keeps it from coming */
  async call(call: GrpcCall): Promise<Uint8Array> {
    const shared = await (this.#session ??= this.#open());
    call.signal.throwIfAborted();
    using taken = shared.take();
    const stream = taken.session.request({
      ':method': 'POST',
      ':scheme': this.#url.protocol.slice(0, -1),
      ':authority': this.#url.host,
      ':path': call.path,
      te: 'trailers',
      'content-type': 'application/grpc',
      'grpc-timeout': `${String(call.timeoutMs)}m`,
      ...call.headers,
    });
    const response = new UnaryResponse(stream);
    const onAbort = (): void => {
      response.fail(call.signal.reason);
      // Nothing may come by it any more; others that wait for something have their own time.
      if (isLate(call.signal.reason)) this.#leave(shared);
    };
    call.signal.addEventListener('abort', onAbort, { once: true });
    stream.end(framed(call.message));
    try {
      return await response.message;
    } finally {
      call.signal.removeEventListener('abort', onAbort);
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.catch(() => undefined);
    for (const shared of this.#all) shared.session.destroy();
  }

  #open(): Promise<SharedSession> {
    const opened = this.#dial(['h2']).then((socket) => this.#start(socket));
    // The next question tries again.
    opened.catch(() => this.#forget(opened));
    return opened;
  }

  async #start(socket: Socket): Promise<SharedSession> {
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      socket.destroy();
      throw new DeciderFault('it does not speak HTTP/2');
    }
    const session = connect(this.#url, {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: 16_384 },
    });
    const shared = new SharedSession(session, () => this.#leave(shared));
    this.#all.add(shared);
    const gone = (): void => this.#leave(shared);
    // Each stream hears of it by itself.
    session.on('error', gone).once('goaway', gone);
    session.once('close', () => {
      this.#all.delete(shared);
      gone();
    });
    return shared;
  }

  /** New questions go over another connection. */
  #leave(shared: SharedSession): void {
    const known = this.#session;
    void known?.then(
      (one) => {
        if (one === shared) this.#forget(known);
      },
      () => {},
    );
    shared.leave();
  }

  #forget(opened: Promise<SharedSession>): void {
    if (this.#session === opened) this.#session = undefined;
  }
}

/** Ends when nobody uses it: at once where it was left, and else after a time. */
class SharedSession {
  readonly session: ClientHttp2Session;
  readonly #onIdle: () => void;
  #users = 0;
  #isLeft = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(session: ClientHttp2Session, onIdle: () => void) {
    this.session = session;
    this.#onIdle = onIdle;
  }

  take(): Disposable & { readonly session: ClientHttp2Session } {
    this.#users += 1;
    clearTimeout(this.#timer);
    return {
      session: this.session,
      [Symbol.dispose]: () => {
        this.#users -= 1;
        if (this.#users > 0) return;
        if (this.#isLeft) this.session.destroy();
        else this.#timer = setTimeout(this.#onIdle, defaultLimits.deciderIdleMs).unref();
      },
    };
  }

  leave(): void {
    this.#isLeft = true;
    clearTimeout(this.#timer);
    if (this.#users === 0) this.session.destroy();
  }
}

function isLate(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixLength);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Collects what comes on a stream, within its bound. */
class UnaryResponse {
  readonly message: Promise<Uint8Array>;
  readonly #stream: ClientHttp2Stream;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status: string | undefined;

  constructor(stream: ClientHttp2Stream) {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.message = promise;
    this.#stream = stream;
    this.#reject = reject;
    stream.once('response', (headers) => this.#judgeHead(headers));
    stream.once('trailers', (trailers) => this.#noteStatus(trailers));
    stream.on('data', (chunk: Buffer) => this.#push(chunk));
    stream.once('error', reject);
    stream.once('close', () => {
      try {
        resolve(this.#whole());
      } catch (error) {
        reject(error);
      }
    });
  }

  /** The first that says what is wrong is heard. */
  fail(error: unknown): void {
    this.#reject(error);
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #judgeHead(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    const type = headers['content-type'] ?? '';
    if (headers[':status'] !== 200)
      this.fail(new DeciderFault(`it responds with status ${String(headers[':status'])}`));
    else if (!/^application\/grpc(?:\+proto)?\s*(?:;|$)/.test(type))
      this.fail(new DeciderFault('its response is not gRPC'));
    this.#noteStatus(headers);
  }

  #push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    const max = defaultLimits.deciderResponseBytesMax;
    if (this.#bytes <= max + prefixLength) this.#chunks.push(chunk);
    else this.fail(new DeciderFault(`its response is longer than ${String(max)} bytes`));
  }

  #noteStatus(fields: Readonly<Record<string, unknown>>): void {
    const status = fields['grpc-status'];
    if (status !== undefined) this.#status = String(status);
  }

  /** @throws DeciderFault */
  #whole(): Uint8Array {
    if (this.#status === undefined) throw new Error('the connection ended before it had said anything');
    if (this.#status !== '0')
      throw new DeciderFault(`it responds with the gRPC status ${this.#status.slice(0, 8)}`);
    const octets = Buffer.concat(this.#chunks);
    if (octets.length < prefixLength) throw new DeciderFault('its response has no message');
    if (octets[0] !== 0) throw new DeciderFault('its message is compressed');
    if (octets.readUInt32BE(1) !== octets.length - prefixLength)
      throw new DeciderFault('its response is not one message');
    return octets.subarray(prefixLength);
  }
}
