// The benchmark's origin, a process of its own: bodies of any size, and a sink that hashes what it gets.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

const [certificate = '', key = '', protocol] = process.argv.slice(2);
const chunk = Buffer.alloc(256 * 1024, 0x62);
const small = Buffer.alloc(1024, 0x63);

const identity = { cert: readFileSync(certificate), key: readFileSync(key) };
const serve = (request: IncomingMessage, response: ServerResponse): void => {
  const [, kind, size] = (request.url ?? '').split('/');
  if (kind === 'sink') {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      hash.update(piece);
    });
    request.on('end', () => {
      const text = `${bytes} ${hash.digest('hex')}`;
      response.writeHead(200, { 'content-length': text.length }).end(text);
    });
    return;
  }
  if (kind === 'small') {
    request.resume();
    response.writeHead(200, { 'content-length': small.length }).end(small);
    return;
  }
  let left = Number(size);
  response.writeHead(200, { 'content-length': left });
  const write = (): void => {
    while (left > 0) {
      const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
      left -= piece.length;
      if (!response.write(piece)) {
        response.once('drain', write);
        return;
      }
    }
    response.end();
  };
  write();
};
const server =
  protocol === 'http2'
    ? createSecureServer({ ...identity, allowHTTP1: true }, (request, response) => {
        // The compatible interface has all that is used here.
        serve(request as unknown as IncomingMessage, response as unknown as ServerResponse);
      })
    : createServer({ ...identity, keepAliveTimeout: 60_000 }, serve);
server.listen(0, '127.0.0.1', () => {
  // A server that listens has an address with a port.
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
