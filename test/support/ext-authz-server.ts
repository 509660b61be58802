// A server of Envoy's external authorization for tests: gRPC by `@grpc/grpc-js`, messages by the published files.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Metadata, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { TestAuthority } from './test-authority.ts';

const folder = fileURLToPath(new URL('envoy-proto/', import.meta.url));
const root = new protobuf.Root();
// Options of the files are left out with what they are of; what is Google's own comes with the library.
root.resolvePath = (_origin, target) => (existsSync(`${folder}${target}`) ? `${folder}${target}` : null);
root.loadSync('envoy/service/auth/v3/external_auth.proto');

const requestType = root.lookupType('envoy.service.auth.v3.CheckRequest');
const responseType = root.lookupType('envoy.service.auth.v3.CheckResponse');

// eslint-disable-next-line typescript/no-explicit-any -- of whatever form the protocol's files give it
export type Decoded = any;

/** As plain data. Throws for what has fields that the protocol does not. */
export function readCheckRequest(octets: Uint8Array): Decoded {
  const message = requestType.decode(octets);
  const again = requestType.toObject(requestType.decode(requestType.encode(message).finish()), {
    longs: String,
  });
  return again;
}

/** A response by its fields, as octets. Throws for what is none. */
export function writeCheckResponse(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const problem = responseType.verify(fields);
  if (problem !== null) throw new Error(problem);
  return responseType.encode(responseType.fromObject(fields)).finish();
}

export interface ExtAuthzAsked {
  readonly request: Decoded;
  readonly metadata: Metadata;
}

export interface ExtAuthzServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly asked: readonly ExtAuthzAsked[];
  /** How many calls were given up by who asked. */
  readonly cancelled: number;
}

/** `check` gives the octets of the response, or undefined for none. */
export async function openExtAuthz({
  check,
  tls,
}: {
  readonly check: (request: Decoded) => Uint8Array | Promise<Uint8Array | undefined> | undefined;
  readonly tls?: {
    readonly authority: TestAuthority;
    readonly host: string;
    /** Only clients with this certificate (PEM) are served. */
    readonly clients?: string;
  };
}): Promise<ExtAuthzServer> {
  const asked: ExtAuthzAsked[] = [];
  let cancelled = 0;
  const server = new Server();
  server.addService(
    {
      Check: {
        path: '/envoy.service.auth.v3.Authorization/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: (octets: Buffer) => octets,
        requestDeserialize: (octets: Buffer) => octets,
        responseSerialize: (octets: Uint8Array) => Buffer.from(octets),
        responseDeserialize: (octets: Buffer) => octets,
      },
    },
    {
      Check: (call: ServerUnaryCall<Buffer, Uint8Array>, callback: sendUnaryData<Uint8Array>) => {
        call.on('cancelled', () => (cancelled += 1));
        const request = readCheckRequest(call.request);
        asked.push({ request, metadata: call.metadata });
        void Promise.resolve(check(request)).then((octets) => {
          if (octets !== undefined) callback(null, octets);
        });
      },
    },
  );
  const { certificate, key } = tls === undefined ? {} : pair(tls);
  const credentials =
    certificate === undefined || key === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          tls?.clients === undefined ? null : Buffer.from(tls.clients),
          [{ cert_chain: certificate, private_key: key }],
          tls?.clients !== undefined,
        );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  const port = await promise;
  return {
    port,
    url: tls === undefined ? `http://127.0.0.1:${String(port)}` : `https://${tls.host}:${String(port)}`,
    asked,
    get cancelled() {
      return cancelled;
    },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

function pair({ authority, host }: { readonly authority: TestAuthority; readonly host: string }): {
  readonly certificate: Buffer;
  readonly key: Buffer;
} {
  const { cert, key } = authority.issue(host);
  return { certificate: Buffer.from(cert), key: Buffer.from(key) };
}
