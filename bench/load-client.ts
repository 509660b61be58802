// A load generator: HTTP/1.1 by hand over TLS through CONNECT, so that its own cost is small and the same for all.

import { createHash } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';

/** Every wait of the generator ends by then. */
const waitMsMax = 60_000;

export interface Target {
  /** Port of a CONNECT proxy on loopback; undefined goes to the origin directly. */
  readonly proxyPort: number | undefined;
  readonly originPort: number;
  readonly host: string;
  readonly context: SecureContext;
}

export function target(options: Omit<Target, 'context'> & { readonly ca: string }): Target {
  const { ca, ...rest } = options;
  // One context for all connections, and one curve, so that every row pays the same handshake.
  return { ...rest, context: createSecureContext({ ca, ecdhCurve: 'X25519' }) };
}

/** A connection with TLS up. */
export async function open(to: Target): Promise<TLSSocket> {
  const socket = connectTcp({ host: '127.0.0.1', port: to.proxyPort ?? to.originPort, noDelay: true });
  await event(socket, 'connect');
  if (to.proxyPort !== undefined) {
    const authority = `${to.host}:${to.originPort}`;
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const head = await readHead(socket);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`CONNECT got a response ${head.slice(0, 60)}`);
  }
  const secured = connectTls({
    socket,
    servername: to.host,
    secureContext: to.context,
    ALPNProtocols: ['http/1.1'],
  });
  await event(secured, 'secureConnect');
  return secured;
}

/** One request on the connection; gives the number of body bytes, checked against Content-Length. */
export function get(socket: TLSSocket, to: Target, path: string): Promise<number> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${to.host}:${to.originPort}\r\n\r\n`);
  return readBody(socket);
}

/** As `get`, with a body. */
export function post(socket: TLSSocket, to: Target, path: string, body: string): Promise<number> {
  const head = `POST ${path} HTTP/1.1\r\nHost: ${to.host}:${to.originPort}\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(head + body);
  return readBody(socket);
}

/** Uploads `bytes`; the origin responds with the count and the hash that it saw. */
export async function upload(socket: TLSSocket, to: Target, bytes: number): Promise<string> {
  const chunk = Buffer.alloc(256 * 1024, 0x61);
  socket.write(
    `POST /sink HTTP/1.1\r\nHost: ${to.host}:${to.originPort}\r\nContent-Length: ${bytes}\r\n\r\n`,
  );
  const response = readText(socket);
  for (let left = bytes; left > 0; left -= chunk.length) {
    const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
    if (!socket.write(piece)) await event(socket, 'drain');
  }
  return response;
}

/** What `upload` should get a response with. */
export function expectedUpload(bytes: number): string {
  const chunk = Buffer.alloc(256 * 1024, 0x61);
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= chunk.length)
    hash.update(left < chunk.length ? chunk.subarray(0, left) : chunk);
  return `${bytes} ${hash.digest('hex')}`;
}

async function event(socket: Socket, name: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`no ${name} within ${waitMsMax} ms`)), waitMsMax);
  const failed = (error: Error): void => reject(error);
  const closed = (): void => reject(new Error(`closed before ${name}`));
  socket.once(name, resolve);
  socket.once('error', failed);
  socket.once('close', closed);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    socket.off(name, resolve);
    socket.off('error', failed);
    socket.off('close', closed);
  }
}

async function readHead(socket: Socket): Promise<string> {
  let text = '';
  for (;;) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      await event(socket, 'readable');
      continue;
    }
    text += chunk.toString('latin1');
    if (text.includes('\r\n\r\n')) return text;
  }
}

function readBody(socket: TLSSocket): Promise<number> {
  return consume(socket, () => undefined);
}

async function readText(socket: TLSSocket): Promise<string> {
  const chunks: Buffer[] = [];
  await consume(socket, (chunk) => chunks.push(chunk));
  return Buffer.concat(chunks).toString();
}

/** Reads one response with a Content-Length, or chunked; the generator needs no more. */
function consume(socket: TLSSocket, take: (chunk: Buffer) => void): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let head: Buffer | undefined = Buffer.alloc(0);
  let expected = -1;
  let received = 0;
  const finish = (error?: Error): void => {
    socket.off('data', onData);
    socket.off('close', onClose);
    socket.off('error', onError);
    clearTimeout(timer);
    if (error === undefined) resolve(received);
    else reject(error);
  };
  const timer = setTimeout(() => finish(new Error(`no complete response within ${waitMsMax} ms`)), waitMsMax);
  const onClose = (): void => finish(new Error(`closed after ${received} of ${expected} bytes`));
  const onError = (error: Error): void => finish(error);
  const body = (chunk: Buffer): void => {
    received += chunk.length;
    if (chunk.length > 0) take(chunk);
    if (received >= expected) finish();
  };
  const onData = (chunk: Buffer): void => {
    if (head === undefined) {
      body(chunk);
      return;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const text = head.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (!text.startsWith('HTTP/1.1 200') || length === undefined) {
      finish(new Error(`unexpected response: ${text.slice(0, 200)}`));
      return;
    }
    expected = Number(length);
    const rest = head.subarray(end + 4);
    head = undefined;
    body(rest);
  };
  socket.on('data', onData);
  socket.once('close', onClose);
  socket.once('error', onError);
  return promise;
}
