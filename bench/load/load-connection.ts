// A connection of the load generator: CONNECT and TLS by hand, requests that are made once, and responses of which only the first is
// parsed: those that follow are compared with it by length and status.

import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';

import type { LoadTarget } from './load-job.ts';

const contexts = new Map<string, SecureContext>();

/** One context for all connections, and one curve, so that every row pays the same handshake. */
function contextOf(caPem: string): SecureContext {
  let context = contexts.get(caPem);
  if (context === undefined) {
    context = createSecureContext({ ca: caPem, ecdhCurve: 'X25519' });
    contexts.set(caPem, context);
  }
  return context;
}

let turn = 0;

function portOf({ proxyPort, originPort }: LoadTarget): number {
  if (proxyPort === undefined || typeof proxyPort === 'number') return proxyPort ?? originPort;
  turn += 1;
  return proxyPort[turn % proxyPort.length] ?? originPort;
}

/** Calls back once TLS is up, or with an error. */
export function openConnection(
  to: LoadTarget,
  done: (error: Error | undefined, connection: Socket) => void,
): void {
  const port = portOf(to);
  const raw = connectTcp({ host: '127.0.0.1', port, noDelay: true });
  const failed = (error: Error): void => {
    raw.destroy();
    done(error, raw);
  };
  raw.once('error', failed);
  const secure = (): void => {
    raw.off('error', failed);
    const socket: TLSSocket = connectTls({
      socket: raw,
      servername: to.host,
      secureContext: contextOf(to.caPem),
      ALPNProtocols: ['http/1.1'],
    });
    const early = (error: Error): void => done(error, socket);
    socket.once('error', early);
    socket.once('secureConnect', () => {
      socket.off('error', early);
      done(undefined, socket);
    });
  };
  if (to.via === 'plain') {
    raw.once('connect', () => {
      raw.off('error', failed);
      done(undefined, raw);
    });
    return;
  }
  if (to.proxyPort === undefined || to.via === 'line') {
    raw.once('connect', secure);
    return;
  }
  const authority = `${to.connectHost ?? to.host}:${to.originPort}`;
  raw.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  let head = '';
  const onData = (chunk: Buffer): void => {
    head += chunk.toString('latin1');
    if (!head.includes('\r\n\r\n')) return;
    raw.off('data', onData);
    raw.pause();
    if (head.startsWith('HTTP/1.1 200') || head.startsWith('HTTP/1.0 200')) secure();
    else failed(new Error(`CONNECT got a response ${head.slice(0, 60)}`));
  };
  raw.on('data', onData);
}

/** A request of the target, made once. */
export function requestBytes(to: LoadTarget, method: string, path: string, bodyBytes: number): Buffer {
  const authority = `${to.host}:${to.originPort}`;
  const target = to.via === 'plain' ? `http://${authority}${path}` : path;
  const framing = method === 'POST' ? `Content-Length: ${bodyBytes}\r\n` : '';
  return Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${framing}\r\n`);
}

/** Reads responses of one connection, one after the other; each calls back with the number of body bytes. */
export class ResponseReader {
  /** Length of the last whole response that came in one piece, and of its head. */
  #lastLength = -1;
  #lastHead = -1;
  #head: Buffer | undefined;
  #left = -1;
  #total = 0;
  readonly #each: (bytes: number) => void;
  readonly #fail: (error: Error) => void;
  /** Gets the pieces of bodies that are not in the fast path. */
  readonly #piece: ((piece: Buffer) => void) | undefined;

  constructor(each: (bytes: number) => void, fail: (error: Error) => void, piece?: (piece: Buffer) => void) {
    this.#each = each;
    this.#fail = fail;
    this.#piece = piece;
  }

  take(chunk: Buffer): void {
    if (this.#left < 0) {
      // As the one before it: `HTTP/1.1 200`, the same length, and the head ends where that one's did.
      const end = this.#lastHead;
      if (
        this.#head === undefined &&
        chunk.length === this.#lastLength &&
        chunk[9] === 0x32 &&
        chunk[end - 1] === 0x0a &&
        chunk[end - 3] === 0x0a
      ) {
        this.#each(chunk.length - end);
        return;
      }
      this.#takeHead(chunk);
    } else this.#takeBody(chunk);
  }

  #takeHead(chunk: Buffer): void {
    const whole = this.#head === undefined ? chunk : Buffer.concat([this.#head, chunk]);
    const end = whole.indexOf('\r\n\r\n');
    if (end === -1) {
      this.#head = whole;
      return;
    }
    this.#head = undefined;
    const text = whole.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (!text.startsWith('HTTP/1.1 200') || length === undefined) {
      this.#fail(new Error(`unexpected response: ${text.slice(0, 200)}`));
      return;
    }
    this.#left = Number(length);
    this.#total = this.#left;
    this.#lastHead = end + 4;
    this.#lastLength = this.#lastHead + this.#total;
    this.#takeBody(whole.subarray(this.#lastHead));
  }

  #takeBody(piece: Buffer): void {
    if (piece.length > this.#left) {
      this.#fail(new Error('more came than the length says'));
      return;
    }
    this.#left -= piece.length;
    this.#piece?.(piece);
    if (this.#left > 0) return;
    this.#left = -1;
    this.#each(this.#total);
  }
}
