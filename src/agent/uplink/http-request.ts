// One hand-written HTTP/1.1 request: a single Buffer that is zeroed once it is written, for it holds a secret.

import type { Socket } from 'node:net';
import { ResponseReader } from '../../http/response-reader.ts';
import type { ReadResponse } from '../../http/response-reader.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { type Gateway, openConnection } from './gateway-connection.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below the gateway's base, starting with a slash. */
  readonly path: string;
  readonly fields?: readonly (readonly [name: string, value: string])[];
  /** `Authorization` as a scheme and bytes, so that a token never becomes a string. */
  readonly authorization?: { readonly scheme: 'Bearer' | 'DPoP'; readonly credential: Uint8Array };
  /** JSON, sent as UTF-8. */
  readonly body?: unknown;
  /** Bytes of a response body above which the response is refused. */
  readonly bodyBytesMax: number;
}

/** A whole response; its body as text is UTF-8. */
export interface HttpResponse extends ReadResponse {
  readonly body: Buffer;
}

/**
 * Sends one request and reads its response, all within `enrolTimeoutMs`.
 * Throws the errors of `openConnection`, and gateway_protocol for a response that is not one.
 */
export async function sendRequest(
  gateway: Gateway,
  request: HttpRequest,
  limits: Limits,
  signal?: AbortSignal,
): Promise<HttpResponse> {
  const socket = await openConnection(gateway, limits, signal);
  let reusable = false;
  try {
    const bytes = encodeRequest(gateway, request);
    const response = await converse(socket, bytes, { gateway, request, limits, signal });
    reusable = response.isReusable;
    return response;
  } finally {
    if (reusable) gateway.kept.keep(socket);
    else {
      // A late error after the response concerns nobody.
      socket.on('error', () => {});
      socket.destroy();
    }
  }
}

interface Conversation {
  readonly gateway: Gateway;
  readonly request: HttpRequest;
  readonly limits: Limits;
  readonly signal: AbortSignal | undefined;
}

async function converse(socket: Socket, bytes: Buffer, context: Conversation): Promise<HttpResponse> {
  const { gateway, request, limits, signal } = context;
  const place = `gateway ${gateway.address.hostField}`;
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const reader = new ResponseReader({
    request: { method: request.method, asksToSwitch: false },
    limits,
    bodyBytesMax: request.bodyBytesMax,
    fault: (reason) =>
      new ProxyError('gateway_protocol', `the response of the gateway is not acceptable: ${reason}`),
  });
  const timer = setTimeout(() => {
    reject(
      new ProxyError(
        'timeout',
        `${place} did not respond to ${request.path} within ${limits.enrolTimeoutMs} ms`,
      ),
    );
  }, limits.enrolTimeoutMs);
  const abort = (): void => reject(new ProxyError('cancelled', `the request to ${place} was cancelled`));
  signal?.addEventListener('abort', abort, { once: true });
  const lost = (cause?: unknown): void => {
    reject(
      new ProxyError('gateway_unreachable', `${place} closed the connection before its response`, { cause }),
    );
  };
  const onData = (chunk: Buffer): void => {
    try {
      reader.push(chunk);
      const { response } = reader;
      if (response !== undefined) resolve({ ...response, body: Buffer.from(response.body) });
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  };
  socket.on('data', onData).on('error', lost).on('end', lost).on('close', lost);
  if (signal?.aborted === true) abort();
  else socket.write(bytes, () => bytes.fill(0));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    socket.off('data', onData).off('error', lost).off('end', lost).off('close', lost);
    // Whatever happened to the write, the secret goes.
    bytes.fill(0);
  }
}

/** The whole request in one Buffer of exactly its size; the credential's bytes are copied once, into it. */
function encodeRequest(gateway: Gateway, request: HttpRequest): Buffer {
  const { address } = gateway;
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body), 'utf8');
  const lines = [
    `${request.method} ${address.prefix}${request.path} HTTP/1.1`,
    `Host: ${address.hostField}`,
    'Accept: application/json, application/x-pem-file;q=0.9, */*;q=0.1',
    'User-Agent: upstreamproxy-agent',
    ...(request.fields ?? []).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : ['Content-Type: application/json']),
    ...(body === undefined && request.method !== 'POST' ? [] : [`Content-Length: ${body?.length ?? 0}`]),
  ];
  const authorization = request.authorization;
  const start = `${lines.join('\r\n')}\r\n${authorization === undefined ? '' : `Authorization: ${authorization.scheme} `}`;
  const rest = authorization === undefined ? '\r\n' : '\r\n\r\n';
  const size = start.length + (authorization?.credential.length ?? 0) + rest.length + (body?.length ?? 0);
  const bytes = Buffer.alloc(size);
  let offset = bytes.write(start, 'latin1');
  if (authorization !== undefined) {
    bytes.set(authorization.credential, offset);
    offset += authorization.credential.length;
  }
  offset += bytes.write(rest, offset, 'latin1');
  if (body !== undefined) bytes.set(body, offset);
  return bytes;
}
