// The listener to which other systems send what people decided. It has one route, and nothing else of the gateway is reached by it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type LimitName } from '../../protocol/limits.ts';
import { closeServer, socketsOf } from '../../net/close-server.ts';
import { faultProblem, problemResponse } from '../../net/problem-response.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import { openAdminPort } from '../admin/admin-port.ts';
import { newTraceId } from '../audit/event-identity.ts';
import type { AdminListen } from '../config/admin-settings.ts';
import type { ReceivedCallback } from './read-callback.ts';

export interface CallbackServerOptions {
  readonly listen: AdminListen;
  /** Whether there is a sender of that name: nothing is read for another. */
  readonly isKnown: (sender: string) => boolean;
  /** Takes a message for the sender of that name. @throws ProxyError */
  readonly take: (sender: string, received: ReceivedCallback) => Promise<void>;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly onLimit: (limit: LimitName) => void;
  /** Told of who is not known, bounded. */
  readonly onStranger: (error: ProxyError, traceId: string) => void;
}

/** Listens at once. @throws ProxyError gateway_port_unusable */
export async function listenCallbacks(
  options: CallbackServerOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const { listen, log, onLimit } = options;
  await using stack = new AsyncDisposableStack();
  const { server, port, following } = await openAdminPort({
    what: 'the listener for callbacks',
    listen,
    options: {
      maxHeaderSize: defaultLimits.adminHeadBytesMax,
      requestTimeout: defaultLimits.callbackTimeoutMs,
      headersTimeout: defaultLimits.callbackTimeoutMs,
      insecureHTTPParser: false,
    },
    log,
  });
  const sockets = socketsOf(server);
  stack.defer(() => closeServer(server, sockets));
  if (following !== undefined) stack.use(following);
  server.maxConnections = defaultLimits.callbackConnectionsMax;
  server.on('drop', () => onLimit('callbackConnectionsMax'));
  const bounded = { ...options, log: boundedLog(log) };
  server.on('request', (request, response) => {
    void serve(request, response, bounded);
  });
  const owned = stack.move();
  return { port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Never throws. A message that was taken has a response without a body: senders read none. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { isKnown, take, log, onLimit, onStranger }: CallbackServerOptions,
): Promise<void> {
  const traceId = newTraceId();
  try {
    const sender = senderOf(request);
    if (!isKnown(sender)) throw new ProxyError('operation_unknown', 'there is no such path here');
    const { headers } = request;
    await take(sender, { headers, body: await bodyOf(request) });
    response.writeHead(200, { 'content-length': 0 }).end();
  } catch (thrown) {
    const error = asProxyError(thrown);
    // Nobody is there to be told, and anybody can do it as often as they like.
    if (error.code === 'cancelled') return void response.destroy();
    if (error.limit !== undefined) onLimit(error.limit);
    if (error.code === 'operator_unknown') onStranger(error, traceId);
    if (error.httpStatus >= 500) log('error', `a callback: ${error.message} (trace ${traceId})`);
    if (error.code === 'method_refused') response.setHeader('allow', 'POST');
    // What is left of a body that was not read is nobody's.
    problemResponse(response, faultProblem(error, traceId), { connection: 'close' });
  }
}

/** Previews follow links by GET: nothing is decided by one, and no other path is known. */
function senderOf({ method = '', url = '' }: IncomingMessage): string {
  const [, name] = /^\/v1\/callbacks\/([a-z][a-z0-9-]{0,39})$/.exec(url) ?? [];
  if (name === undefined) throw new ProxyError('operation_unknown', 'there is no such path here');
  if (method !== 'POST') throw new ProxyError('method_refused', 'decisions are sent by POST');
  return name;
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const { callbackBodyBytesMax: max } = defaultLimits;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // A request is a stream of octets.
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > max)
        throw new ProxyError('body_too_large', `the message is longer than ${max} bytes`, {
          limit: 'callbackBodyBytesMax',
        });
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw new ProxyError('cancelled', 'the message broke off', { cause: error });
  }
  return Buffer.concat(chunks);
}

/** Who is not known can make the gateway write no more than the audit has of them. */
function boundedLog(log: CallbackServerOptions['log']): CallbackServerOptions['log'] {
  const { strangerRefusalsPerMinuteMax: perMinute } = defaultLimits;
  const bucket = new TokenBucket(perMinute / 60, performance.now(), perMinute);
  return (level, message) => {
    if (bucket.take(perMinute / 60, performance.now()) === 0) log(level, message);
  };
}
