// The listener for clients without an agent: an HTTPS proxy. What comes without TLS is looked at for tokens alone, and refused.

import { constants } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { encodeLastResponse } from '../../http/response-writer.ts';
import { peekFirstBytes } from '../../intercept/peek.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { LimitName } from '../../protocol/limits.ts';
import type { PublicConnections } from '../admission/public-connections.ts';
import { handleStream } from '../tunnels/stream-handler.ts';
import type { SessionStream, StreamPlaces } from '../tunnels/stream-places.ts';
import type { StreamParts } from '../tunnels/stream-scene.ts';
import { passedPort, type ProxyScene, serveProxyConnection } from './proxy-connection.ts';
import type { ProxyDesk } from './proxy-desk.ts';
import { ProxyHttp2 } from './proxy-http2.ts';

export interface ProxyListenerOptions {
  /** Where it listens, or another process for it. */
  readonly at: Pick<StreamPlaces, 'onConnection' | 'port'> | ListeningPort;
  /** The gateway's own certificate. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly connections: PublicConnections;
  readonly desk: ProxyDesk;
  readonly parts: StreamParts;
  readonly onLimit: (limit: LimitName) => void;
  readonly serve: ProxyScene['serve'];
}

/** Begins to listen, and gives the number of the port. @throws ProxyError gateway_port_unusable */
export interface ListeningPort {
  readonly listen: (server: Server) => Promise<number>;
}

/** In the order of preference. Clients offer HTTP/2 to a proxy and then write HTTP/1.1 all the same (Go 1.24, Node 26): they get that. */
const alpn = ['http/1.1', 'h2'];

/** No tickets: each connection shows its token, and a resumed one would save a client little. */
const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;

export class ProxyListener implements AsyncDisposable {
  readonly #options: ProxyListenerOptions;
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #http2: ProxyHttp2;
  /** Connections, and streams that other workers passed on. */
  readonly #sockets = new Set<Duplex>();
  #port = 0;

  private constructor(options: ProxyListenerOptions) {
    this.#options = options;
    const { limits } = options.parts;
    this.#http2 = new ProxyHttp2(limits);
    this.#tls = createTlsServer({
      cert: options.certificatePem,
      key: options.keyPem,
      minVersion: 'TLSv1.2',
      ALPNProtocols: alpn,
      handshakeTimeout: limits.handshakeTimeoutMs,
      secureOptions,
    });
    this.#tls.on('secureConnection', (socket) => this.#serve(socket));
    this.#tls.on('tlsClientError', (_, socket) => socket.destroy());
    this.#server = createTcpServer({ noDelay: true }, (socket) => void this.#accept(socket));
    this.#server.maxConnections = limits.proxyConnectionsMax;
    this.#server.on('drop', () => options.onLimit('proxyConnectionsMax'));
    options.connections.guard(this.#server);
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Takes connections at once. @throws ProxyError gateway_port_unusable */
  static async open(options: ProxyListenerOptions): Promise<ProxyListener> {
    const listener = new ProxyListener(options);
    await listener.#begin();
    return listener;
  }

  get port(): number {
    return this.#port;
  }

  /** Serves a stream that came in at another worker. */
  takePassed({ principal, digest, port }: SessionStream): void {
    void this.#servePassed({ principal, digest, port });
  }

  /** Of connections from then on. */
  setSecureContext(options: Parameters<TlsServer['setSecureContext']>[0]): void {
    this.#tls.setSecureContext({ ...options, secureOptions });
  }

  /** Takes nothing new. Resolves when what runs is over, or the time is. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stop();
    const over = [...this.#sockets].map((socket) => once(socket, 'close'));
    const late = new AbortController();
    const wait = sleep(deadlineMs, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([Promise.allSettled(over), wait]);
    late.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#stop();
    for (const socket of this.#sockets) socket.destroy();
    this.#http2.close();
    await closed;
  }

  async #begin(): Promise<void> {
    const { at } = this.#options;
    if ('listen' in at) this.#port = await at.listen(this.#server);
    else {
      this.#port = at.port;
      at.onConnection((socket) => {
        // As the server's own option has it for connections that it accepts itself.
        socket.setNoDelay(true);
        this.#server.emit('connection', socket);
      });
    }
  }

  #stop(): void {
    const { at } = this.#options;
    if ('listen' in at) this.#server.close();
    else at.onConnection(undefined);
  }

  async #servePassed({ principal, digest, port }: SessionStream): Promise<void> {
    const { duplex } = port;
    this.#sockets.add(duplex);
    duplex.once('close', () => this.#sockets.delete(duplex));
    try {
      const pass = await this.#options.desk.takePassed({ principal, digest }, (error) => port.reset(error));
      duplex.once('close', () => pass.release());
      if (duplex.destroyed) return pass.release();
      void handleStream(passedPort(port, pass), principal, this.#options.parts);
    } catch (error) {
      port.refuse(asProxyError(error));
    }
  }

  /** Never throws. */
  async #accept(socket: Socket): Promise<void> {
    const { limits } = this.#options.parts;
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    try {
      const first = await peekFirstBytes(socket, { timeoutMs: limits.handshakeTimeoutMs, limits });
      if (socket.destroyed) return;
      if (first.kind === 'tls') {
        socket.off('error', onError);
        this.#tls.emit('connection', socket);
      } else if (first.kind === 'silent' || first.kind === 'ended') socket.destroy();
      else await this.#refuseClear(socket);
    } catch {
      // A ClientHello that is none, or none in time.
      socket.destroy();
    }
  }

  #serve(socket: TLSSocket): void {
    const { desk, parts, connections, serve } = this.#options;
    const scene: ProxyScene = {
      desk,
      parts,
      serve,
      address: connections.peerOf(socket),
      onPass: () => connections.showedSession(socket),
    };
    if (socket.alpnProtocol === 'h2') this.#http2.serve(socket, scene);
    else void serveProxyConnection(socket, scene);
  }

  /** Whoever is between has read it: a token in it ends. Nothing that was not sent already is asked for. */
  async #refuseClear(socket: Socket): Promise<void> {
    const { desk, connections, parts } = this.#options;
    const { bytes, isHttp } = await readClear(socket, parts.limits);
    const isExposed = await desk.exposed(bytes, connections.peerOf(socket));
    if (socket.destroyed) return;
    const told = isExposed
      ? 'The token came in the clear, so it is good for nothing any more. Give this client no proxy, or one that speaks TLS to proxies.'
      : 'This port speaks TLS alone: write https:// in front of the proxy.';
    socket.end(
      isHttp ? encodeLastResponse(400, [['Content-Type', 'text/plain']], `upstreamproxy: ${told}\n`) : '',
    );
    const timer = setTimeout(() => socket.destroy(), parts.limits.lingerTimeoutMs);
    socket.once('close', () => clearTimeout(timer));
    socket.resume();
  }
}

/** A head of HTTP up to its end, or what else came within a moment. */
async function readClear(
  socket: Socket,
  { connectHeadBytesMax, handshakeTimeoutMs }: StreamParts['limits'],
): Promise<{ readonly bytes: Buffer; readonly isHttp: boolean }> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const over = (): void => resolve(undefined);
  let bytes = Buffer.alloc(0);
  const isHttp = (): boolean => (bytes[0] ?? 0) >= 0x41;
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!isHttp() || bytes.length >= connectHeadBytesMax || bytes.includes('\r\n\r\n')) over();
  };
  const timer = setTimeout(over, handshakeTimeoutMs);
  socket.on('data', onData).once('end', over).once('close', over);
  await promise;
  clearTimeout(timer);
  socket.off('data', onData).off('end', over).off('close', over).pause();
  return { bytes: bytes.subarray(0, connectHeadBytesMax), isHttp: isHttp() };
}
