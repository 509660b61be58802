// Ends a client's TLS on any duplex, with a leaf for the one host that the caller names.

import { AsyncLocalStorage } from 'node:async_hooks';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Server, TLSSocket } from 'node:tls';
import type { LeafIssuer } from '../pki/certificate-authority.ts';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import { ignore } from '../protocol/ignore.ts';
import type { Limits } from '../protocol/limits.ts';
import { Roster } from '../protocol/roster.ts';
import { type Deadline, plainDeadline, type StartDeadline } from './deadline.ts';
import { LeafServers } from './leaf-servers.ts';

export interface TerminatedTls {
  /** For `emit('connection', socket)` of a node:http or node:http2 server, or to be read and written. */
  readonly socket: TLSSocket;
  /** The protocol agreed on; undefined if the client offered none, or none was offered to it. */
  readonly alpn: 'http/1.1' | 'h2' | undefined;
  /** The client's SNI as it came; a claim. */
  readonly servername: string | undefined;
}

export interface TlsTerminatorOptions {
  readonly issuer: LeafIssuer;
  readonly limits: Limits;
  readonly clock: () => number;
  /** Names that no leaf is made for; default: none. */
  readonly isOwnName?: (host: string) => boolean;
}

export interface TerminateOptions {
  /** Canonical. The only name that a leaf is made for, whatever SNI says. */
  readonly host: string;
  /** Protocols in our order of preference; empty leaves ALPN out. */
  readonly alpn: readonly string[];
  /** Whose share of `leavesPerSecondMax` a new leaf is; default: one share for all. */
  readonly owner?: string;
  readonly signal?: AbortSignal;
  /** Default: a timer. */
  readonly startDeadline?: StartDeadline | undefined;
}

export class TlsTerminator {
  readonly #options: TlsTerminatorOptions;
  readonly #servers: LeafServers;
  /** Which handshake a server's event belongs to: TLS sockets do not tell which stream they were made on. */
  readonly #current = new AsyncLocalStorage<HandshakeOfSocket>();
  readonly #handshakes = new Roster<Handshake>();
  #closed = false;

  constructor(options: TlsTerminatorOptions) {
    this.#options = options;
    const { issuer, limits } = options;
    this.#servers = new LeafServers({ issuer, limits, prepare: this.#prepare });
  }

  /**
   * Does the handshake. Throws ProxyError `tls_handshake` with OpenSSL's reason, `timeout` after `handshakeTimeoutMs`, or
   * `cancelled`, and the stream is destroyed then. With `limit_exceeded`, `loop_detected`, `shutting_down` and what the issuer throws, the
   * stream was not touched.
   */
  async terminate(stream: Duplex, options: TerminateOptions): Promise<TerminatedTls> {
    if (this.#closed) throw new ProxyError('shutting_down', 'the gateway takes no new TLS connection');
    const { host, alpn, owner = '', signal, startDeadline } = options;
    if (signal?.aborted === true) throw asProxyError(signal.reason, 'cancelled');
    if (stream.destroyed)
      throw new ProxyError('cancelled', `the client of ${host} closed the connection before TLS began`);
    if (this.#options.isOwnName?.(host) === true)
      throw new ProxyError('loop_detected', `${host} is the gateway itself, which is no destination`);
    const found = this.#servers.get({ host, alpn, owner, nowMs: this.#options.clock() });
    // Only where another process signs is anything waited for: who calls may close in the same turn.
    const server = found instanceof Promise ? await this.#stillWanted(found, stream, options) : found;
    const handshake = new Handshake(stream, {
      host,
      timeoutMs: this.#options.limits.handshakeTimeoutMs,
      signal,
      startDeadline,
    });
    const place = this.#handshakes.add(handshake);
    const own: HandshakeOfSocket = { handshake };
    try {
      this.#begin(server, stream, own);
      const socket = await handshake.result;
      return { socket, alpn: protocolOf(socket), servername: serverNameOf(socket) };
    } finally {
      this.#handshakes.remove(place);
      own.handshake = undefined;
    }
  }

  /** The client may be gone when the leaf is there. */
  async #stillWanted(
    coming: Promise<Server>,
    stream: Duplex,
    { host, signal }: TerminateOptions,
  ): Promise<Server> {
    const server = await coming;
    if (this.#closed) throw new ProxyError('shutting_down', 'the gateway takes no new TLS connection');
    if (signal?.aborted === true) throw asProxyError(signal.reason, 'cancelled');
    if (stream.destroyed)
      throw new ProxyError('cancelled', `the client of ${host} closed the connection before TLS began`);
    return server;
  }

  /** Ends the handshakes that are under way. Terminated sockets belong to their callers. */
  close(): void {
    this.#closed = true;
    for (const handshake of this.#handshakes.members) {
      handshake.fail(new ProxyError('shutting_down', 'the gateway ended before the TLS handshake did'));
    }
    this.#servers.clear();
  }

  #begin(server: Server, stream: Duplex, own: HandshakeOfSocket): void {
    const { allowHalfOpen } = stream;
    try {
      // The TLS socket copies it. With half-open ends it would wait for ever for a client that leaves during the handshake.
      stream.allowHalfOpen = false;
      this.#current.run(own, () => server.emit('connection', stream));
    } catch (error) {
      own.handshake?.fail(asProxyError(error, 'tls_handshake'));
    } finally {
      stream.allowHalfOpen = allowHalfOpen;
    }
  }

  readonly #prepare = (server: Server): void => {
    server.on('secureConnection', (socket) => {
      const own = this.#current.getStore();
      // Never a socket without its own handshake: it would be served under another one's destination.
      if (own?.handshake?.complete(socket) !== true) socket.destroy();
    });
    server.on('tlsClientError', (error: Error & { readonly code?: string; readonly reason?: string }) => {
      // Only OpenSSL's own errors come out of the socket's own context; a lost stream tells its handshake itself.
      if (error.code?.startsWith('ERR_SSL_') === true) this.#current.getStore()?.handshake?.failWith(error);
    });
  };
}

/** What a socket is made in keeps this for as long as it lives, so it lets go of the handshake that is over. */
interface HandshakeOfSocket {
  handshake: Handshake | undefined;
}

interface HandshakeOptions {
  readonly host: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly startDeadline: StartDeadline | undefined;
}

/** One handshake: ends once, by success, error, end of the stream, deadline or signal. */
class Handshake {
  readonly result: Promise<TLSSocket>;
  readonly #stream: Duplex;
  readonly #options: HandshakeOptions;
  readonly #settle = Promise.withResolvers<TLSSocket>();
  readonly #deadline: Deadline;
  #settled = false;

  constructor(stream: Duplex, options: HandshakeOptions) {
    this.#stream = stream;
    this.#options = options;
    this.result = this.#settle.promise;
    const { host, timeoutMs, startDeadline = plainDeadline } = options;
    this.#deadline = startDeadline(timeoutMs, () => {
      this.fail(
        new ProxyError(
          'timeout',
          `${host}: the client did not finish its TLS handshake in ${String(timeoutMs)} ms`,
          { limit: 'handshakeTimeoutMs' },
        ),
      );
    });
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  /** True if the socket is now the result. */
  complete(socket: TLSSocket): boolean {
    if (!this.#end()) return false;
    socket.allowHalfOpen = this.#stream.allowHalfOpen;
    resetWhenCut(socket, this.#stream);
    this.#settle.resolve(socket);
    return true;
  }

  fail(error: ProxyError): void {
    if (!this.#end()) return;
    this.#settle.reject(error);
    // Without a listener of its own a destroyed stream would end the process.
    this.#stream.on('error', ignore);
    this.#stream.destroy(error);
  }

  failWith(error: Error & { readonly code?: string; readonly reason?: string }): void {
    const { host } = this.#options;
    const reason = error.reason ?? error.message;
    const hint = isDistrust(error.code)
      ? ': the client does not trust the CA; it needs the bundle that the agent wrote'
      : '';
    this.fail(
      new ProxyError('tls_handshake', `${host}: the TLS handshake failed (${reason})${hint}`, {
        cause: error,
      }),
    );
  }

  readonly #onError = (error: Error): void => {
    if (error instanceof ProxyError && error.code !== 'cancelled' && error.code !== 'stream_reset')
      this.fail(error);
    else this.#clientLeft(error);
  };

  readonly #onClose = (): void => {
    this.#clientLeft();
  };

  #clientLeft(cause?: Error): void {
    const { host } = this.#options;
    const message = `${host}: the client closed the connection during the TLS handshake, as clients do that do not trust the CA`;
    // The alert that says why may be one turn behind the end of its stream.
    setImmediate(() => {
      this.fail(new ProxyError('tls_handshake', message, { cause }));
    });
  }

  readonly #onAbort = (): void => {
    this.fail(asProxyError(this.#options.signal?.reason, 'cancelled'));
  };

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#deadline.clear();
    this.#stream.off('error', this.#onError);
    this.#stream.off('close', this.#onClose);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

/**
 * Ends a terminated connection abruptly: no close_notify, and the stream below is reset with the error. The client sees
 * that something is missing. After an orderly end that was sent whole, it only releases the stream.
 */
export function abortTls(socket: TLSSocket, error: Error): void {
  socket.destroy(error);
}

/**
 * Whoever destroys the socket before it ended, an HTTP server too, cuts the client's data: then the stream below is reset.
 * A plain close would be a FIN, which HTTP/1.0 clients take for the end of the file.
 */
function resetWhenCut(socket: TLSSocket, stream: Duplex): void {
  // TLS around this one goes with it, without the alert that would be an end: nothing below is touched while its octets pass through.
  if ('encrypted' in stream) return;
  const destroy = socket._destroy.bind(socket);
  socket._destroy = (error, callback) => {
    if (isCut(socket) && !stream.destroyed) reset(stream, error);
    destroy(error, callback);
  };
}

/** One whose end is on its way lacks nothing. A reset in that moment leaves the descriptor open for good, or ends the process (Node 26.10). */
function isCut({ writableEnded, writableFinished, writableLength }: TLSSocket): boolean {
  return !writableFinished && !(writableEnded && writableLength === 0);
}

function reset(stream: Duplex, error: Error | null): void {
  // Only TCP has a RST; a Unix socket has no remote address.
  if (stream instanceof Socket && stream.remoteAddress !== undefined) stream.resetAndDestroy();
  else stream.destroy(error ?? undefined);
}

/** Alerts by which a client says that the chain does not end in a root that it trusts. */
function isDistrust(code: string | undefined): boolean {
  return code !== undefined && /ALERT_(?:UNKNOWN_CA|CERTIFICATE_UNKNOWN|BAD_CERTIFICATE)$/.test(code);
}

function protocolOf({ alpnProtocol }: TLSSocket): 'http/1.1' | 'h2' | undefined {
  return alpnProtocol === 'h2' || alpnProtocol === 'http/1.1' ? alpnProtocol : undefined;
}

/** Node's types do not know `servername` on the server's side; it is a name, false or null. */
function serverNameOf(socket: TLSSocket): string | undefined {
  const name: unknown = 'servername' in socket ? socket.servername : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
