// HTTP/2 on the proxy listener: each CONNECT is a stream (RFC 9113 §8.5), and each shows a token. Sockets are handed in, it never listens.

import { constants, createServer } from 'node:http2';
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { formatAuthority, parseAuthority } from '../../http/authority.ts';
import type { Authority } from '../../http/destination.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { Http2Floods, resetOptions } from '../front/http2-floods.ts';
import type { StreamPort } from '../tunnels/stream-scene.ts';
import type { ProxyScene } from './proxy-connection.ts';
import type { ProxyPass } from './proxy-desk.ts';
import { refusalOf } from './proxy-response.ts';

interface Adopted {
  readonly scene: ProxyScene;
  /** Streams that showed a token and run. */
  passes: number;
  refusals: number;
}

export class ProxyHttp2 {
  readonly #server: Http2Server;
  readonly #limits: Limits;
  readonly #adopted = new WeakMap<ServerHttp2Session, Adopted>();
  /** Set while a socket is handed over: node emits `session` before `emit` returns. */
  #arriving: { readonly scene: ProxyScene; readonly socket: TLSSocket } | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#server = createProxyServer(limits);
    this.#server.on('session', (session) => this.#adopt(session));
    this.#server.on('sessionError', () => undefined);
    this.#server.on('stream', (stream, _headers, _flags, rawHeaders) => {
      // On a server every stream is a server's; the type of the event is the common one.
      this.#serve(stream as ServerHttp2Stream, rawHeaders).catch(() => stream.destroy());
    });
  }

  /** Serves HTTP/2 on the socket until it ends. */
  serve(socket: TLSSocket, scene: ProxyScene): void {
    this.#arriving = { scene, socket };
    try {
      this.#server.emit('connection', socket);
    } finally {
      this.#arriving = undefined;
    }
  }

  close(): void {
    this.#server.close();
  }

  #adopt(session: ServerHttp2Session): void {
    if (this.#arriving === undefined) return void session.destroy();
    const { scene, socket } = this.#arriving;
    // HTTP/2 has no half-closed connection, and node would leave it open.
    socket.once('end', () => session.destroy());
    const adopted: Adopted = { scene, passes: 0, refusals: 0 };
    this.#adopted.set(session, adopted);
    const floods = new Http2Floods(session, this.#limits, scene.parts.clock);
    session.on('error', (error) => {
      const limit = floods.faultOf(error)?.limit;
      if (limit !== undefined) scene.parts.onLimit?.(limit);
    });
    session.setLocalWindowSize(defaultLimits.http2ConnectionWindowBytes);
    // Streams that run have deadlines of their own. Those that were refused are left open by whoever wants the connection to stay.
    const timer = setInterval(() => {
      if (adopted.passes > 0) return;
      if (session.closed) session.destroy();
      else session.close();
    }, this.#limits.headTimeoutMs);
    session.once('close', () => clearInterval(timer));
  }

  async #serve(stream: ServerHttp2Stream, rawHeaders: readonly string[]): Promise<void> {
    stream.on('error', () => undefined);
    const { session } = stream;
    // As above: of a server.
    const adopted = session === undefined ? undefined : this.#adopted.get(session as ServerHttp2Session);
    if (adopted === undefined) return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    let pass: ProxyPass | undefined;
    try {
      pass = await admit(stream, rawHeaders, adopted.scene);
      const fields = connectFields(rawHeaders);
      if (stream.destroyed) return pass.release();
      adopted.passes += 1;
      adopted.scene.onPass();
      const { release } = pass;
      stream.once('close', () => {
        adopted.passes -= 1;
        release();
      });
      void adopted.scene.serve(connectPort(stream, fields), pass);
    } catch (error) {
      pass?.release();
      this.#refuse(stream, asProxyError(error), adopted);
    }
  }

  #refuse(stream: ServerHttp2Stream, error: ProxyError, adopted: Adopted): void {
    const told = error.code === 'request_malformed' ? adopted.scene.desk.malformed(error) : error;
    respond(stream, told);
    adopted.refusals += 1;
    // Who guesses opens a connection for every few attempts, and connections of strangers are counted.
    if (adopted.refusals >= defaultLimits.proxyRefusalsMax) stream.session?.close();
  }
}

function admit(
  stream: ServerHttp2Stream,
  rawHeaders: readonly string[],
  { desk, address }: ProxyScene,
): Promise<ProxyPass> {
  const end = (): void => stream.close(constants.NGHTTP2_CONNECT_ERROR);
  return desk.admit(valuesOf(rawHeaders, 'proxy-authorization'), address, { end });
}

/** Plain requests, and CONNECT for other protocols than TCP (RFC 8441), are not served here. @throws ProxyError */
function connectFields(rawHeaders: readonly string[]): {
  readonly authority: Authority;
  readonly via: string;
} {
  const [method, more] = valuesOf(rawHeaders, ':method');
  const isOther = [':scheme', ':path', ':protocol'].some((name) => valuesOf(rawHeaders, name).length > 0);
  if (method !== 'CONNECT' || more !== undefined || isOther)
    throw new ProxyError(
      'request_malformed',
      'Over HTTP/2 this proxy takes CONNECT alone; use it for http:// too.',
    );
  const [authority = '', another] = valuesOf(rawHeaders, ':authority');
  if (another !== undefined) throw new ProxyError('request_malformed', 'The request names two authorities.');
  return { authority: parseAuthority(authority), via: valuesOf(rawHeaders, 'via').join(', ') };
}

function connectPort(
  stream: ServerHttp2Stream,
  { authority, via }: { readonly authority: Authority; readonly via: string },
): StreamPort {
  const reset = (): void => stream.close(constants.NGHTTP2_CONNECT_ERROR);
  return {
    duplex: stream,
    fields: { authority: formatAuthority(authority), mode: 'raw', ...(via === '' ? {} : { via }) },
    allowsMode: () => false,
    accept: () => {
      if (!stream.headersSent && !stream.destroyed) stream.respond({ ':status': 200 });
    },
    refuse: (error) => {
      if (stream.headersSent) reset();
      else respond(stream, error);
    },
    reset,
  };
}

function respond(stream: ServerHttp2Stream, error: ProxyError): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const { status, fields, body } = refusalOf(error);
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of fields) headers[name] = [...[headers[name] ?? []].flat(), value];
  stream.respond({ ...headers, ':status': status });
  stream.end(body);
  stream.resume();
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.flatMap((text, i) => (i % 2 === 0 && text === name ? [rawHeaders[i + 1] ?? ''] : []));
}

function createProxyServer(limits: Limits): Http2Server {
  return createServer({
    settings: {
      maxConcurrentStreams: limits.http2StreamsMax,
      initialWindowSize: defaultLimits.http2WindowBytes,
      maxHeaderListSize: limits.connectHeadBytesMax,
      enableConnectProtocol: false,
    },
    maxSessionMemory: defaultLimits.http2SessionMegabytesMax,
    maxHeaderListPairs: limits.headersCountMax,
    maxSettings: defaultLimits.http2SettingsEntriesMax,
    strictSingleValueFields: false,
    ...resetOptions(limits),
    unknownProtocolTimeout: limits.handshakeTimeoutMs,
  });
}
