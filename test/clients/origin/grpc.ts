// gRPC: every unary method gives its request back.

import type { OriginHandler } from './handler.ts';

export const grpcService: OriginHandler = ({ method, headers, body }) => {
  if (method !== 'POST' || !String(headers['content-type']).startsWith('application/grpc')) return undefined;
  return {
    body,
    headers: { 'content-type': String(headers['content-type']) },
    trailers: { 'grpc-status': '0', 'grpc-message': 'OK' },
  };
};
