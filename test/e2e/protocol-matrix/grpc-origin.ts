// A gRPC server of grpc-js with one method of each kind, and one that never responds.

import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type {
  handleBidiStreamingCall as HandleBidirectional,
  handleClientStreamingCall as HandleClientStream,
  handleServerStreamingCall as HandleServerStream,
  handleUnaryCall as HandleUnary,
  ServiceDefinition,
} from '@grpc/grpc-js';

import type { TestAuthority } from '../../support/test-authority.ts';

export interface GrpcOrigin extends AsyncDisposable {
  readonly port: number;
  /** Calls of `Hang` that the client gave up. */
  readonly cancelled: () => number;
}

const plain = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] {
  return {
    path: `/matrix.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: plain,
    requestDeserialize: plain,
    responseSerialize: plain,
    responseDeserialize: plain,
  };
}

/** The service; messages are plain bytes. */
export const echoService = {
  Unary: method('Unary', false, false),
  ServerStream: method('ServerStream', false, true),
  ClientStream: method('ClientStream', true, false),
  Bidirectional: method('Bidirectional', true, true),
  Fail: method('Fail', false, false),
  Hang: method('Hang', false, false),
};

/** Starts it with a certificate for `grpc.test`. */
export async function startGrpcOrigin(authority: TestAuthority): Promise<GrpcOrigin> {
  let cancelled = 0;
  const server = new Server();
  server.addService(
    echoService,
    implementation(() => (cancelled += 1)),
  );
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

interface EchoImplementation {
  readonly [name: string]: EchoHandler;
}

type EchoHandler =
  | HandleUnary<Buffer, Buffer>
  | HandleServerStream<Buffer, Buffer>
  | HandleClientStream<Buffer, Buffer>
  | HandleBidirectional<Buffer, Buffer>;

function implementation(onCancelled: () => void): EchoImplementation {
  const unary: HandleUnary<Buffer, Buffer> = (call, done) => done(null, call.request);
  const serverStream: HandleServerStream<Buffer, Buffer> = (call) => {
    for (let i = 0; i < 5; i++) call.write(Buffer.from(`${String(call.request)} ${i}`));
    call.end();
  };
  const clientStream: HandleClientStream<Buffer, Buffer> = (call, done) => {
    let bytes = 0;
    call.on('data', (message: Buffer) => (bytes += message.length));
    call.on('end', () => done(null, Buffer.from(String(bytes))));
  };
  const bidirectional: HandleBidirectional<Buffer, Buffer> = (call) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  };
  const fail: HandleUnary<Buffer, Buffer> = (_call, done) => {
    done({ code: status.FAILED_PRECONDITION, details: 'not now: ünïcode' });
  };
  const hang: HandleUnary<Buffer, Buffer> = (call) => {
    // The client learns from this that the call arrived.
    call.sendMetadata(new Metadata());
    call.on('cancelled', onCancelled);
  };
  return {
    Unary: unary,
    ServerStream: serverStream,
    ClientStream: clientStream,
    Bidirectional: bidirectional,
    Fail: fail,
    Hang: hang,
  };
}
