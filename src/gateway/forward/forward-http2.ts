// Requests over HTTP/2 to origins that chose it by ALPN, through node:http2.

import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { hostField } from '../../http/authority.ts';
import type { DialResult } from '../../net/dialer.ts';
import { Silence } from '../../net/link-absence.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { type Limits, defaultLimits } from '../../protocol/limits.ts';
import { respondLate, bodyFault, idleFor, requireClient } from './forwarder.ts';
import type {
  ForwardRequest,
  ForwardResult,
  OriginConnection,
  ResponseReceiver,
  UpgradeResult,
} from './forwarder.ts';
import { http2FieldObject } from '../../net/http2-fields.ts';
import { Http2OriginWindows, type SessionRoom } from './http2-origin-windows.ts';
import { receiveResponse } from './http2-response.ts';
import { openHttp2WebSocket } from './http2-websocket.ts';

const connectionWindowBytes = 16 * 1024 * 1024;
const sessionIdleMs = 60_000;

/** One HTTP/2 connection to an origin, of one principal. */
export class Http2Origin implements OriginConnection {
  readonly session: ClientHttp2Session;
  readonly address: string;
  readonly aliases: OriginConnection['aliases'];
  readonly dialTimes: OriginConnection['dialTimes'];
  /** Whether it carried an exchange before. */
  isKept = false;
  /** Resolves when the first SETTINGS of the origin are there, or the session has ended. */
  readonly settled: Promise<void>;
  /** Exchanges, and the WebSockets that came of them. */
  readonly #active = new Set<ActiveStream>();
  readonly #windows: Http2OriginWindows;
  #usable = true;

  constructor({ socket, address, aliases, dialTimes }: DialResult, authority: string, room?: SessionRoom) {
    this.address = address;
    this.aliases = aliases;
    this.dialTimes = dialTimes;
    const options = {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: defaultLimits.http2OriginWindowBytes },
      // What stands twice goes on twice, as over HTTP/1.1; which may not is for the validation to say. Node's types know it for servers.
      strictSingleValueFields: false,
    };
    this.session = connectHttp2(`https://${authority}`, options);
    this.#windows = new Http2OriginWindows(this.session, room);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.session.once('remoteSettings', () => resolve()).once('close', () => resolve());
    this.session.once('connect', () => {
      if (!this.session.destroyed) this.session.setLocalWindowSize(connectionWindowBytes);
    });
    this.session.on('error', () => {
      this.#usable = false;
    });
    this.session.on('goaway', () => {
      this.#usable = false;
    });
    this.session.on('close', () => {
      this.#usable = false;
    });
    this.session.setTimeout(sessionIdleMs, () => {
      if (this.#active.size === 0) this.close();
    });
    // HTTP/2 has no half-closed connection: what has not ended by now never will. Node would wait for it.
    socket.once('end', () => {
      this.#usable = false;
      for (const { peerLeft } of this.#active) peerLeft?.();
      if (this.#active.size === 0) this.destroy();
    });
    // An idle connection must not keep the process alive.
    this.session.unref();
  }

  get hasRoom(): boolean {
    const max = Math.min(
      this.session.remoteSettings.maxConcurrentStreams ?? defaultLimits.http2OriginStreamsMax,
      defaultLimits.http2OriginStreamsMax,
    );
    return this.isUsable && this.#active.size < max;
  }

  /** Whether exchanges may begin on it; one that is not goes on to the end of those that run. */
  get isUsable(): boolean {
    return this.#usable && !this.session.closed && !this.session.destroyed;
  }

  close(): void {
    this.#usable = false;
    this.session.close();
  }

  destroy(): void {
    this.#usable = false;
    this.session.destroy();
  }

  async forward(request: ForwardRequest, receiver: ResponseReceiver, limits: Limits): Promise<ForwardResult> {
    const active: ActiveStream = {};
    this.#active.add(active);
    const endWindow = this.#windows.begin();
    try {
      requireClient(request);
      this.#tell(request);
      await exchange({ session: this.session, active }, request, receiver, limits);
      return { protocol: 'h2' };
    } finally {
      endWindow();
      this.#end(active);
    }
  }

  /** The origin has left, and with the last exchange there is nothing to wait for: node would wait for it all the same. */
  #end(active: ActiveStream): void {
    this.#active.delete(active);
    if (this.#active.size === 0 && !this.isUsable) this.destroy();
  }

  #tell({ onConnection }: ForwardRequest): void {
    onConnection?.(this);
    this.isKept = true;
  }

  /** Opens a WebSocket as an extended CONNECT; a response other than 200 goes to the receiver. */
  async upgrade(request: ForwardRequest, receiver: ResponseReceiver, limits: Limits): Promise<UpgradeResult> {
    const active: ActiveStream = { peerLeft: () => this.destroy() };
    this.#active.add(active);
    const endWindow = this.#windows.begin();
    const release = (): void => {
      if (!this.#active.has(active)) return;
      endWindow();
      this.#end(active);
    };
    this.#tell(request);
    try {
      const result = await openHttp2WebSocket(this, request, receiver, limits);
      if (result.socket === undefined) release();
      else {
        const stream = result.socket.once('close', release);
        active.peerLeft = () => {
          if (!stream.readableEnded)
            stream.destroy(new ProxyError('origin_truncated', 'the origin closed its connection'));
        };
      }
      return result;
    } catch (error) {
      release();
      throw error;
    }
  }
}

/** What is told when the origin has closed its side of the connection. */
interface ActiveStream {
  peerLeft?: () => void;
}

async function exchange(
  { session, active }: { readonly session: ClientHttp2Session; readonly active: ActiveStream },
  request: ForwardRequest,
  receiver: ResponseReceiver,
  limits: Limits,
): Promise<void> {
  const cancel = new AbortController();
  const stream = session.request(http2Fields(request), {
    endStream: request.body === undefined,
    waitForTrailers: true,
    signal: cancel.signal,
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const { host } = request.head.destination;
  const fail = (error: ProxyError): void => {
    reject(error);
    // Not `close(code)`: node ends the stream first, and the origin would take a cut body for a complete one.
    cancel.abort();
  };
  const onAbort = (): void => {
    fail(new ProxyError('cancelled', 'the client went away'));
  };
  request.signal.addEventListener('abort', onAbort, { once: true });
  let silence: Silence | undefined;
  let moved = 0;
  const count = (chunk: Buffer): void => void (moved += chunk.length);
  request.body?.on('data', count);
  stream.setTimeout(limits.responseHeadTimeoutMs);
  stream.on('timeout', () => {
    const moreMs = silence?.moreMs();
    if (moreMs !== undefined) stream.setTimeout(moreMs);
    else
      fail(silence !== undefined ? idleFor(`nothing of the response of ${host} moved`) : respondLate(host));
  });
  stream.once('response', () => {
    silence = new Silence(request.absence, limits.idleTimeoutMs, () => moved - stream.bufferSize);
    stream.on('data', count);
    stream.setTimeout(limits.idleTimeoutMs);
  });
  const isEnded = receiveResponse(stream, receiver, { resolve: () => resolve(undefined), fail, host });
  active.peerLeft = () => {
    if (!isEnded())
      fail(
        new ProxyError('origin_truncated', `${host} closed the connection before its response was complete`),
      );
  };
  const stopSending = sendBody(stream, request, fail);
  try {
    await promise;
  } finally {
    request.signal.removeEventListener('abort', onAbort);
    stopSending();
    request.body?.off('data', count);
    // An early final response: nobody waits for the rest of the body.
    if (!stream.closed && !stream.writableFinished) cancel.abort();
  }
}

function http2Fields(request: ForwardRequest): string[] {
  const { head } = request;
  const fields = [
    ':method',
    head.method,
    ':scheme',
    head.destination.scheme,
    ':authority',
    hostField(head.destination),
    ':path',
    head.path + head.query,
  ];
  for (const [name, value] of head.headers) fields.push(name.toLowerCase(), value);
  // The one hop-by-hop field that HTTP/2 has (RFC 9113 §8.2.2); gRPC servers insist on it.
  if (request.acceptsTrailers) fields.push('te', 'trailers');
  if (request.body !== undefined && request.bodyLength !== undefined)
    fields.push('content-length', String(request.bodyLength));
  return fields;
}

/** Gives what ends it: who goes on reading the body is not the exchange any more. */
function sendBody(
  stream: ClientHttp2Stream,
  request: ForwardRequest,
  fail: (error: ProxyError) => void,
): () => void {
  stream.on('wantTrailers', () => {
    try {
      const trailers = http2FieldObject(request.trailers?.() ?? []);
      if (!stream.destroyed) stream.sendTrailers(trailers);
    } catch (error) {
      fail(asProxyError(error, 'request_malformed'));
    }
  });
  const { body } = request;
  if (body === undefined) return () => undefined;
  const count = (chunk: Buffer): void => {
    try {
      request.onBodyBytes?.(chunk.length);
    } catch (error) {
      fail(
        error instanceof ProxyError
          ? error
          : new ProxyError('internal', 'the body could not be counted', { cause: error }),
      );
    }
  };
  body.on('data', count);
  const onBodyFault = (error: unknown): void => {
    fail(bodyFault(error));
  };
  body.once('error', onBodyFault);
  // A rewritten body can be found wrong before the connection stands.
  if (body.errored !== null) onBodyFault(body.errored);
  body.pipe(stream);
  return () => {
    body.off('data', count);
    body.unpipe(stream);
  };
}
