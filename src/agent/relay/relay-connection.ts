// One connection of a client to the relay: its first head, then bytes both ways until either side ends or resets.

import type { Socket } from 'node:net';
import { endsWithTls, resetSocket } from '../../net/reset-socket.ts';
import { childAuthority } from '../../protocol/child-lines.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { OpenFields, PlainMode } from '../../protocol/frame.ts';
import { ignore } from '../../protocol/ignore.ts';
import type { Limits } from '../../protocol/limits.ts';
import { formatAuthority } from '../../http/authority.ts';
import type { Authority } from '../../http/destination.ts';
import { encodeRefusal, encodeResponseHead } from '../../http/response-writer.ts';
import { parseProxyRequest, type ProxyHead } from '../../http/proxy-head.ts';
import { ProxyHeadReader } from '../../http/proxy-head-reader.ts';
import type { Logger } from '../../system/logger.ts';
import { DestinationRefused } from '../uplink/destination-refused.ts';
import type { ClientTls } from './client-tls.ts';
import { identityHead, isIdentityTarget } from './emulated-request.ts';
import { join, linger, type RelayStream } from './join.ts';
import { readSocksRequest, socksEstablished, socksRefusal, socksVersion } from './relay-socks.ts';

/** What the relay needs of a tunnel. */
export interface RelayTunnel {
  /** Whether a stream can be opened now. */
  readonly isUp: boolean;
  /** Waits until one can, with a deadline of its own; throws why not. */
  whenUp(): Promise<void>;
  /** Waits until it is known which modes the tunnel that is up takes, with a deadline of its own. */
  whenAgreed?(): Promise<void>;
  /**
   * Throws DestinationRefused where it is known by then that the gateway refuses the destination, and protocol_denied for a mode that is not
   * one of `plainModes` now.
   */
  openStream(fields: OpenFields): RelayStream | Promise<RelayStream>;
  /** Modes of TLS that ended in the agent in which a stream to the authority may be opened now; without it, none. */
  plainModes?(authority: string): readonly PlainMode[];
}

export interface RelayContext {
  readonly tunnel: RelayTunnel;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Ends TLS of clients, where the tunnel takes the modes for it. */
  readonly clientTls?: ClientTls;
  /** Serves who asks for a session that may less (`childAuthority`). Without it that host is one as all others. */
  readonly serveChild?: (socket: Socket) => void;
}

const established = encodeResponseHead(200);

/** Serves one accepted socket to its end. Never throws; every fault ends this connection alone. */
export function serveRelayConnection(socket: Socket, context: RelayContext): void {
  const { limits } = context;
  const reader = new ProxyHeadReader(limits);
  const timer = setTimeout(() => {
    finish();
    respondWithError(
      socket,
      new ProxyError('timeout', `no request head within ${limits.headTimeoutMs} ms`),
      limits,
      408,
    );
  }, limits.headTimeoutMs);
  const onEnd = (): void => {
    finish();
    socket.destroy();
  };
  const finish = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('close', finish);
  };
  const onData = (chunk: Buffer): void => {
    if (reader.bytes.length === 0 && chunk[0] === socksVersion) {
      finish();
      return void serveSocks(socket, chunk, context);
    }
    try {
      const head = reader.push(chunk);
      if (head.state === 'incomplete') {
        if (reader.bytes.length <= limits.connectHeadBytesMax) return;
        throw new ProxyError(
          'head_too_large',
          `the request head is longer than ${limits.connectHeadBytesMax} bytes`,
        );
      }
      const received = receivedOf(head, reader.bytes, limits);
      if (received === undefined) return;
      finish();
      socket.pause();
      if (head.state === 'connect') {
        const opening = { greeting: established, first: received.subarray(head.headBytes) };
        connect(socket, head, opening, context);
      } else {
        const fields: OpenFields = { authority: '', mode: 'proxy' };
        void openAndJoin(socket, { fields, greeting: '', first: received }, context);
      }
    } catch (error) {
      finish();
      respondWithError(socket, asProxyError(error, 'request_malformed'), limits);
    }
  };
  // A client that resets is no fault; what follows is told by 'close'.
  socket.on('error', ignore);
  socket.on('data', onData).once('end', onEnd).once('close', finish);
}

/** What the gateway is sent of it; undefined if the head is needed whole, and is not there yet. */
function receivedOf(
  head: Exclude<ProxyHead, { readonly state: 'incomplete' }>,
  bytes: Uint8Array,
  limits: Limits,
): Buffer | undefined {
  if (head.state === 'connect' || !isIdentityTarget(head.target)) return Buffer.from(bytes);
  const request = parseProxyRequest(bytes, limits);
  if (request.state === 'incomplete') return undefined;
  return Buffer.concat([identityHead(request), bytes.subarray(request.headBytes)]);
}

async function serveSocks(socket: Socket, chunk: Buffer, context: RelayContext): Promise<void> {
  try {
    const { authority, rest } = await readSocksRequest(socket, chunk, context.limits);
    const opening = { greeting: socksEstablished, first: rest, refusal: socksRefusal };
    connect(socket, { authority }, opening, context);
  } catch (error) {
    const fault = asProxyError(error, 'request_malformed');
    if (fault.code === 'cancelled') return void socket.destroy();
    context.logger.info(`a connection of the workload was refused: ${fault.message}`);
    socket.end();
    linger(socket, context.limits);
  }
}

/** `opening.first` is not read yet. */
function connect(
  socket: Socket,
  { authority, via }: { readonly authority: Authority; readonly via?: string },
  opening: Omit<Opening, 'fields'>,
  context: RelayContext,
): void {
  const { serveChild } = context;
  if (serveChild !== undefined && isChildAuthority(authority)) {
    if (opening.first.length > 0) socket.unshift(opening.first);
    socket.write(opening.greeting);
    serveChild(socket);
    return;
  }
  const hops = via === undefined ? {} : { via };
  const fields: OpenFields = { authority: formatAuthority(authority), mode: 'raw', ...hops };
  void openAndJoin(socket, { ...opening, fields }, context);
}

function isChildAuthority({ host, port }: Authority): boolean {
  return host === childAuthority.host && port === childAuthority.port;
}

/** Serves a socket whose client named no proxy and means `authority`. Never throws; a fault is a reset, in no protocol's words. */
export function serveCapturedConnection(socket: Socket, authority: Authority, context: RelayContext): void {
  socket.on('error', ignore);
  const fields: OpenFields = { authority: formatAuthority(authority), mode: 'raw' };
  void openAndJoin(socket, { fields, greeting: '', first: Buffer.alloc(0), resetsOnFault: true }, context);
}

interface Opening {
  readonly fields: OpenFields;
  /** What the client reads before the first byte of the other end. */
  readonly greeting: string | Uint8Array;
  /** Bytes that the client sent along with its head. */
  readonly first: Buffer;
  /** A refusal in the words of the client's protocol; HTTP by default. */
  readonly refusal?: (error: ProxyError) => Uint8Array;
  /** The client did not speak to a proxy, so it would not understand a proxy's response. */
  readonly resetsOnFault?: boolean;
}

async function openAndJoin(socket: Socket, opening: Opening, context: RelayContext): Promise<void> {
  const { tunnel, limits, clientTls } = context;
  const { authority, mode } = opening.fields;
  let stream: RelayStream;
  try {
    if (!tunnel.isUp) await tunnel.whenUp();
    if (socket.destroyed) return;
    const takesPlain = mode === 'raw' && (tunnel.plainModes?.(authority).length ?? 0) > 0;
    if (clientTls !== undefined && takesPlain) return await endTls(socket, opening, context, clientTls);
    const opened = tunnel.openStream(opening.fields);
    // Not awaited where it is there at once: the client's next bytes travel with its open.
    stream = opened instanceof Promise ? await opened : opened;
  } catch (error) {
    const fault = asProxyError(error, 'tunnel_lost');
    const isRefusal = fault instanceof DestinationRefused;
    // What the workload asks for must not fill the log.
    context.logger[isRefusal ? 'info' : 'warn'](`a connection of the workload was refused: ${fault.message}`);
    if (opening.resetsOnFault === true) return void resetSocket(socket);
    if (opening.refusal !== undefined) {
      socket.end(opening.refusal(fault));
      return linger(socket, limits);
    }
    return respondWithError(socket, fault, limits, isRefusal ? fault.httpStatus : 503);
  }
  if (socket.destroyed) return stream.reset(new ProxyError('cancelled', 'the client closed its connection'));
  // Optimistic: the client's next bytes travel with the open instead of a round trip later. A refusal then comes
  // inside the client's TLS, or as a reset.
  if (opening.greeting.length > 0) socket.write(opening.greeting);
  if (opening.first.length > 0) stream.write(opening.first);
  join(socket, stream, limits);
}

/** The client is told that it is connected and has its TLS ended here; what is no such thing goes to the gateway as it came. */
async function endTls(
  socket: Socket,
  opening: Opening,
  context: RelayContext,
  clientTls: ClientTls,
): Promise<void> {
  const { tunnel, limits } = context;
  if (opening.greeting.length > 0) socket.write(opening.greeting);
  if (opening.first.length > 0) socket.unshift(opening.first);
  const modes = (): readonly PlainMode[] => tunnel.plainModes?.(opening.fields.authority) ?? [];
  const outcome = await clientTls.end(socket, opening.fields, modes);
  const tls = outcome.kind === 'ended' ? new EndedTls(outcome.socket, socket) : undefined;
  const fields = outcome.kind === 'left' ? opening.fields : outcome.fields;
  let stream: RelayStream;
  try {
    if (!tunnel.isUp) await tunnel.whenUp();
    // Handshake and wait may have outlived the link that was asked: each has to prove itself, and one that is just up has a moment to.
    const isTaken = (): boolean => outcome.kind === 'left' || modes().some((mode) => mode === fields.mode);
    if (!isTaken()) await tunnel.whenAgreed?.();
    // Nothing may come between this and the open.
    if (!isTaken()) throw noLongerPlain(fields);
    const opened = tunnel.openStream(fields);
    stream = opened instanceof Promise ? await opened : opened;
  } catch (error) {
    context.logger.warn(`a connection of the workload was refused: ${asProxyError(error).message}`);
    return void resetSocket(socket);
  }
  if (outcome.kind === 'failed') {
    // The gateway's audit has what failed.
    stream.on('error', ignore);
    return stream.reset(outcome.error);
  }
  if (socket.destroyed) {
    stream.on('error', ignore);
    return stream.reset(new ProxyError('cancelled', 'the client closed its connection'));
  }
  if (tls === undefined) join(socket, stream, limits);
  else tls.join(stream, limits);
}

/** TLS of a client behind its handshake. The runtime leaves a connection open whose TLS breaks, and tells it once: maybe before there is a stream. */
class EndedTls {
  readonly #tls: Socket;
  /** The connection below. */
  readonly #socket: Socket;
  #broken: ProxyError | undefined;
  #stream: RelayStream | undefined;

  constructor(tls: Socket, socket: Socket) {
    this.#tls = tls;
    this.#socket = socket;
    endsWithTls(socket, tls);
    // What else comes of it is told by 'close'.
    tls.on('error', (error: NodeJS.ErrnoException) => this.#broke(error));
    // TLS knows no reset: the connection below it has one, which sends no close_notify.
    tls.resetAndDestroy = () => {
      resetSocket(socket);
      return tls.destroy();
    };
  }

  join(stream: RelayStream, limits: Limits): void {
    this.#stream = stream;
    if (this.#broken === undefined) return join(this.#tls, stream, limits);
    stream.on('error', ignore);
    this.#cut(stream, this.#broken);
  }

  #broke(error: NodeJS.ErrnoException): void {
    if (this.#broken !== undefined) return;
    this.#broken = brokenTls(error);
    if (this.#stream !== undefined) this.#cut(this.#stream, this.#broken);
  }

  #cut(stream: RelayStream, error: ProxyError): void {
    stream.reset(error);
    // Not the connection below: its end may be on its way.
    resetSocket(this.#tls);
    this.#socket.destroy();
  }
}

function brokenTls(error: NodeJS.ErrnoException): ProxyError {
  return hasLeft(error)
    ? new ProxyError('cancelled', 'the client reset its connection')
    : new ProxyError('tls_handshake', `TLS of the client broke: ${error.message}`);
}

function noLongerPlain({ authority, mode }: OpenFields): ProxyError {
  return new ProxyError('protocol_denied', `${authority}: the tunnel that is up now does not take ${mode}`);
}

/** The connection below was reset, which Bun tells as an error of TLS. */
function hasLeft({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** A response in words, then the end. */
function respondWithError(socket: Socket, error: ProxyError, limits: Limits, status = 400): void {
  if (socket.destroyed || socket.writableEnded) return;
  socket.end(encodeRefusal(error, status));
  linger(socket, limits);
}
