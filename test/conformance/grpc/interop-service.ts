// The test service of gRPC's interoperability cases: its methods and what they do, with messages in JSON in place of protobuf.

import type { MethodDefinition } from '@grpc/grpc-js';

/** What a request asks for. */
export interface InteropRequest {
  /** Length of each payload that is to come back. */
  readonly sizes?: readonly number[];
  readonly payload?: string;
  readonly status?: { readonly code: number; readonly message: string };
}

export interface InteropReply {
  /** Octets of the payload. */
  readonly payload: string;
  /** Of all payloads that came. */
  readonly bytes: number;
}

export type Definition = MethodDefinition<InteropRequest, InteropReply>;

function method(service: string, name: string, requestStream: boolean, responseStream: boolean): Definition {
  return {
    path: `/grpc.testing.${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: (value) => Buffer.from(JSON.stringify(value)),
    // Written by the line above, or that below.
    requestDeserialize: (octets) => JSON.parse(octets.toString()) as InteropRequest,
    responseSerialize: (value) => Buffer.from(JSON.stringify(value)),
    responseDeserialize: (octets) => JSON.parse(octets.toString()) as InteropReply,
  };
}

export const testService = {
  EmptyCall: method('TestService', 'EmptyCall', false, false),
  UnaryCall: method('TestService', 'UnaryCall', false, false),
  StreamingInputCall: method('TestService', 'StreamingInputCall', true, false),
  StreamingOutputCall: method('TestService', 'StreamingOutputCall', false, true),
  FullDuplexCall: method('TestService', 'FullDuplexCall', true, true),
} satisfies Record<string, Definition>;

/** Served by nobody. */
export const missing = {
  method: method('TestService', 'UnimplementedCall', false, false),
  service: method('UnimplementedService', 'UnimplementedCall', false, false),
};

/** Names of fields that the service sends back: in the head, and in the trailers. */
export const echoedHead = 'x-grpc-test-echo-initial';
export const echoedTrailer = 'x-grpc-test-echo-trailing-bin';
