// A WebSocket towards an origin that speaks HTTP/2 only (RFC 8441): what comes back is as HTTP/1.1 would have responded.

import { createHash } from 'node:crypto';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { hostField } from '../../http/authority.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { respondLate } from './forwarder.ts';
import type { ForwardRequest, ResponseReceiver, UpgradeResult } from './forwarder.ts';
import { receiveResponse } from './http2-response.ts';

/** RFC 6455 §4.2.2 */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export interface Http2Connection {
  readonly session: ClientHttp2Session;
  /** Resolves when the first SETTINGS of the origin are there, or the session has ended. */
  readonly settled: Promise<void>;
}

/**
 * Sends the extended CONNECT. Resolves with the stream as the socket if the origin agrees, else when its response went
 * to the receiver. Throws `origin_unreachable` if the origin does not offer RFC 8441.
 */
export async function openHttp2WebSocket(
  connection: Http2Connection,
  request: ForwardRequest,
  receiver: ResponseReceiver,
  limits: Limits,
): Promise<UpgradeResult> {
  const { host } = request.head.destination;
  await requireConnectProtocol(connection, host, limits);
  // It may have gone while the SETTINGS were waited for, and its signal tells that once.
  if (request.signal.aborted) throw new ProxyError('cancelled', 'the client went away');
  const cancel = new AbortController();
  const stream = connection.session.request(connectFields(request), {
    endStream: false,
    signal: cancel.signal,
  });
  const { promise, resolve, reject } = Promise.withResolvers<UpgradeResult>();
  const fail = (error: ProxyError): void => {
    reject(error);
    cancel.abort();
  };
  const onAbort = (): void => {
    fail(new ProxyError('cancelled', 'the client went away'));
  };
  request.signal.addEventListener('abort', onAbort, { once: true });
  stream.setTimeout(limits.responseHeadTimeoutMs, () => {
    fail(respondLate(host));
  });
  receiveResponse(stream, receiver, {
    host,
    fail,
    resolve: () => resolve({ status: 0, rawHeaders: [], protocol: 'h2' }),
    takesOver: (status, fields) => {
      // Anything else is a response to read, and nothing more is sent to it.
      if (status !== 200) stream.end();
      else resolve(switched(stream, request, fields));
      return status === 200;
    },
  });
  try {
    return await promise;
  } finally {
    request.signal.removeEventListener('abort', onAbort);
    stream.setTimeout(0);
  }
}

/** RFC 8441 §3: the extended CONNECT may be used once the origin's SETTINGS offer it. */
async function requireConnectProtocol(
  connection: Http2Connection,
  host: string,
  limits: Limits,
): Promise<void> {
  const { session, settled } = connection;
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), limits.handshakeTimeoutMs);
  await Promise.race([settled, late.promise]);
  clearTimeout(timer);
  if (session.destroyed || session.remoteSettings.enableConnectProtocol !== true) {
    throw new ProxyError(
      'origin_unreachable',
      `${host} speaks HTTP/2 only and offers no WebSocket over it (RFC 8441)`,
    );
  }
}

function connectFields(request: ForwardRequest): string[] {
  const { destination, path, query, headers } = request.head;
  const fields = [':method', 'CONNECT', ':protocol', 'websocket', ':scheme', destination.scheme];
  fields.push(':authority', hostField(destination), ':path', path + query);
  // The key is HTTP/1.1's alone (RFC 8441 §5).
  for (const [name, value] of headers.without('sec-websocket-key')) fields.push(name.toLowerCase(), value);
  return fields;
}

function switched(
  stream: ClientHttp2Stream,
  request: ForwardRequest,
  fields: readonly string[],
): UpgradeResult {
  const key = request.head.headers.first('sec-websocket-key') ?? '';
  const accept = createHash('sha1')
    .update(key + acceptGuid)
    .digest('base64');
  const rawHeaders = ['upgrade', 'websocket', 'sec-websocket-accept', accept, ...fields];
  return { status: 101, rawHeaders, socket: stream, protocol: 'h2' };
}
