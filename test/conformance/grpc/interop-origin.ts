// A server of grpc-js for gRPC's interoperability cases. It keeps count of calls that were given up.

import { Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import type {
  sendUnaryData as SendUnary,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';

import type { TestAuthority } from '../../support/test-authority.ts';
import { echoedHead, echoedTrailer, testService } from './interop-service.ts';
import type { InteropReply, InteropRequest } from './interop-service.ts';

export interface InteropOrigin extends AsyncDisposable {
  readonly port: number;
  readonly cancelled: () => number;
}

export async function startInteropOrigin(authority: TestAuthority): Promise<InteropOrigin> {
  let cancelled = 0;
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(testService, {
    EmptyCall: unary,
    UnaryCall: unary,
    StreamingInputCall: streamingInput,
    StreamingOutputCall: streamingOutput,
    FullDuplexCall: (call: Duplex) => {
      call.on('cancelled', () => (cancelled += 1));
      fullDuplex(call);
    },
  });
  const { cert, key } = authority.issue('grpc.test');
  const identity = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createSsl(null, [identity]), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  return {
    port: await promise,
    cancelled: () => cancelled,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

type Duplex = ServerDuplexStream<InteropRequest, InteropReply>;

function echo(metadata: Metadata, send: (head: Metadata) => void): Metadata {
  const [head, trailers] = [new Metadata(), new Metadata()];
  for (const value of metadata.get(echoedHead)) head.add(echoedHead, value);
  for (const value of metadata.get(echoedTrailer)) trailers.add(echoedTrailer, value);
  if (Object.keys(head.getMap()).length > 0) send(head);
  return trailers;
}

function unary(call: ServerUnaryCall<InteropRequest, InteropReply>, done: SendUnary<InteropReply>): void {
  const { sizes: [size = 0] = [], payload = '', status } = call.request;
  const trailers = echo(call.metadata, (head) => call.sendMetadata(head));
  if (status !== undefined) done({ code: status.code, details: status.message, metadata: trailers });
  else done(null, { payload: 'a'.repeat(size), bytes: payload.length }, trailers);
}

function streamingInput(
  call: ServerReadableStream<InteropRequest, InteropReply>,
  done: SendUnary<InteropReply>,
): void {
  let bytes = 0;
  call.on('data', ({ payload = '' }: InteropRequest) => (bytes += payload.length));
  call.on('end', () => done(null, { payload: '', bytes }));
}

function streamingOutput(call: ServerWritableStream<InteropRequest, InteropReply>): void {
  for (const size of call.request.sizes ?? []) call.write({ payload: 'a'.repeat(size), bytes: 0 });
  call.end();
}

function fullDuplex(call: Duplex): void {
  const trailers = echo(call.metadata, (head) => call.sendMetadata(head));
  call.on('data', ({ sizes = [], payload = '', status }: InteropRequest) => {
    if (status !== undefined) {
      call.emit('error', { code: status.code, details: status.message });
      return;
    }
    for (const size of sizes) call.write({ payload: 'a'.repeat(size), bytes: payload.length });
  });
  call.on('end', () => call.end(trailers));
}
