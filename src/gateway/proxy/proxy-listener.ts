// The listener for clients without an agent: an HTTPS proxy. What comes without TLS is looked at for tokens alone, and refused.

import { constants } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { encodeLastResponse } from '../../http/response-writer.ts';
import { peekFirstBytes } from '../../intercept/peek.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { LimitName } from '../../protocol/limits.ts';
import type { PublicConnections } from '../admission/public-connections.ts';
import type { ProxySettings } from '../config/proxy-settings.ts';
import type { StreamParts } from '../tunnels/stream-scene.ts';
import { type ProxyScene, serveProxyConnection } from './proxy-connection.ts';
import type { ProxyDesk } from './proxy-desk.ts';
import { ProxyHttp2 } from './proxy-http2.ts';

export interface ProxyListenerOptions {
  readonly listen: ProxySettings;
  /** The gateway's own certificate. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly connections: PublicConnections;
  readonly desk: ProxyDesk;
  readonly parts: StreamParts;
  readonly onLimit: (limit: LimitName) => void;
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
  readonly #sockets = new Set<Socket>();

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

  /** Listens at once. @throws ProxyError gateway_port_unusable */
  static async open(options: ProxyListenerOptions): Promise<ProxyListener> {
    const listener = new ProxyListener(options);
    const { address, port } = options.listen;
    try {
      const listening = once(listener.#server, 'listening');
      // Where they come at once, the system holds those that the process has not taken yet.
      const backlog = options.parts.limits.proxyStrangersMax;
      listener.#server.listen({ host: address, port, backlog });
      await listening;
      return listener;
    } catch (error) {
      const reason = asProxyError(error).message;
      throw new ProxyError(
        'gateway_port_unusable',
        `the proxy cannot listen on ${address}:${port}: ${reason}`,
        {
          cause: error,
        },
      );
    }
  }

  get port(): number {
    // A server that listens on TCP has a port.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Of connections from then on. */
  setSecureContext(options: Parameters<TlsServer['setSecureContext']>[0]): void {
    this.#tls.setSecureContext({ ...options, secureOptions });
  }

  /** Takes nothing new. Resolves when what runs is over, or the time is. */
  async drain(deadlineMs: number): Promise<void> {
    this.#server.close();
    const over = [...this.#sockets].map((socket) => once(socket, 'close'));
    const late = new AbortController();
    const wait = sleep(deadlineMs, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([Promise.allSettled(over), wait]);
    late.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#http2.close();
    await closed;
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
    const { desk, parts, connections } = this.#options;
    const scene: ProxyScene = {
      desk,
      parts,
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
