// What an origin of the matrix is: a function from a request to a response.

import type { IncomingHttpHeaders } from 'node:http';

export interface OriginRequest {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly httpVersion: string;
  /** Scheme and authority as the client wrote them, for URLs in responses. */
  readonly base: string;
  readonly body: Buffer;
}

export interface OriginResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON. */
  readonly body?: string | Uint8Array | object;
  /** Sent behind the body, by HTTP/2 only. */
  readonly trailers?: Readonly<Record<string, string>>;
}

/** No response means 404. */
export type OriginHandler = (
  request: OriginRequest,
) => OriginResponse | undefined | Promise<OriginResponse | undefined>;

/** Responds to GET and HEAD from a table of paths; a value is made when it is first asked for. */
export function staticFiles(files: Readonly<Record<string, OriginResponse>>): OriginHandler {
  return ({ method, path }) =>
    method === 'GET' || method === 'HEAD' ? files[decodeURIComponent(path)] : undefined;
}

export function binary(body: Uint8Array, type = 'application/octet-stream'): OriginResponse {
  return { body, headers: { 'content-type': type } };
}

export function text(body: string, type = 'text/plain; charset=utf-8'): OriginResponse {
  return { body, headers: { 'content-type': type } };
}
