// The test service by hand on node:http2, whose messages are compressed: the server of grpc-js can't.

import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';

import type { TestAuthority } from '../../support/test-authority.ts';
import { testService } from './interop-service.ts';
import type { InteropReply } from './interop-service.ts';

/** UnaryCall and StreamingOutputCall, whose responses are the same on the wire. */
export async function startCompressingOrigin(
  authority: TestAuthority,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createSecureServer({ ...authority.issue('grpc.test'), ALPNProtocols: ['h2'] });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    void respond(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function respond(stream: ServerHttp2Stream): Promise<void> {
  const { requestDeserialize } = testService.UnaryCall;
  // One message, that is not compressed: five octets, then JSON.
  const { sizes = [], payload = '' } = requestDeserialize((await buffer(stream)).subarray(5));
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc+json', 'grpc-encoding': 'gzip' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  for (const size of sizes) stream.write(compressed({ payload: 'a'.repeat(size), bytes: payload.length }));
  stream.end();
}

function compressed(reply: InteropReply): Buffer {
  const message = gzipSync(JSON.stringify(reply));
  const prefix = Buffer.from([1, 0, 0, 0, 0]);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
