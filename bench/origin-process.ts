// The benchmark's origin, a process of its own: HTTP/1.1 by hand over TLS, with responses that are made once, so that it takes as little of
// the machine as can be. With `http2` it is Node's own server, which has both protocols.
// usage: origin-process.ts CERTIFICATE KEY [http2]

import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { crc32 } from 'node:zlib';

import { downloadChunk, smallBytes, sumText } from './load/bodies.ts';

const [certificate = '', key = '', protocol] = process.argv.slice(2);
const identity = { cert: readFileSync(certificate), key: readFileSync(key) };
const small = Buffer.alloc(smallBytes, 0x63);
const smallResponse = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${smallBytes}\r\n\r\n`),
  small,
]);
const continues = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

/** What is still to come of a request's body, and what is said when it has come. */
interface Sink {
  left: number;
  bytes: number;
  sum: number;
  readonly isSmall: boolean;
}

function serveConnection(socket: TLSSocket): void {
  let head: Buffer | undefined;
  let sink: Sink | undefined;
  const take = (chunk: Buffer): void => {
    let rest = chunk;
    while (rest.length > 0) {
      if (sink !== undefined) {
        const piece = rest.length > sink.left ? rest.subarray(0, sink.left) : rest;
        rest = rest.subarray(piece.length);
        sink.left -= piece.length;
        sink.bytes += piece.length;
        if (!sink.isSmall) sink.sum = crc32(piece, sink.sum);
        if (sink.left > 0) return;
        socket.write(sink.isSmall ? smallResponse : textResponse(sumText(sink.bytes, sink.sum)));
        sink = undefined;
        continue;
      }
      const whole = head === undefined ? rest : Buffer.concat([head, rest]);
      const end = whole.indexOf('\r\n\r\n');
      if (end === -1) {
        head = whole;
        return;
      }
      head = undefined;
      rest = whole.subarray(end + 4);
      sink = begin(socket, whole.toString('latin1', 0, end));
    }
  };
  socket.on('data', take);
  socket.on('error', () => socket.destroy());
}

/** Serves a request whose head has come; gives the body that is awaited. */
function begin(socket: TLSSocket, head: string): Sink | undefined {
  const path = head.slice(head.indexOf(' ') + 1, head.indexOf(' ', head.indexOf(' ') + 1));
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  if (/\r\nexpect:/i.test(head)) socket.write(continues);
  const isSmall = path === '/small';
  if (length > 0) return { left: length, bytes: 0, sum: 0, isSmall };
  if (isSmall) socket.write(smallResponse);
  else sendBytes(socket, Number(path.split('/')[2]));
  return undefined;
}

function textResponse(text: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

function sendBytes(socket: TLSSocket, bytes: number): void {
  let left = bytes;
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
  const write = (): void => {
    while (left > 0 && !socket.destroyed) {
      const piece = left < downloadChunk.length ? downloadChunk.subarray(0, left) : downloadChunk;
      left -= piece.length;
      if (!socket.write(piece)) {
        socket.once('drain', write);
        return;
      }
    }
  };
  write();
}

function serveSmall(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(200, { 'content-length': smallBytes }).end(small);
}

const server =
  protocol === 'http2'
    ? createSecureServer({ ...identity, allowHTTP1: true }, (request, response) => {
        // The compatible interface has all that is used here.
        serveSmall(request as unknown as IncomingMessage, response as unknown as ServerResponse);
      })
    : createServer({ ...identity, ALPNProtocols: ['http/1.1'] }, serveConnection);
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  // A server that listens has an address with a port.
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
