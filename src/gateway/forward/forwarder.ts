// How a validated request reaches its origin: an interface of one method, so that engines can be exchanged.

import type { Duplex, Readable } from 'node:stream';
import type { RequestHead } from '../../http/message-head.ts';
import type { LinkAbsence } from '../../net/link-absence.ts';
import type { DialTimes } from '../../net/dial-times.ts';
import { ProxyError } from '../../protocol/error.ts';

/** Extra trust and identity towards one origin, from the rule that admitted the request. */
export interface UpstreamTls {
  /** PEM certificates that are trusted beside the gateway's roots. */
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** The connection that carries an exchange. */
export interface OriginConnection {
  /** The address that was dialled for it. */
  readonly address: string;
  /** Whether it stood before this exchange wanted one. */
  readonly isKept?: boolean;
  /** When what it took to open it was over. */
  readonly dialTimes?: DialTimes | undefined;
  /** The names that the host led to, as far as they are known by now. */
  readonly aliases?: (() => readonly string[]) | undefined;
}

export interface ForwardRequest {
  /** What goes on the wire: regenerated, with the injected fields. */
  readonly head: RequestHead;
  /** Undefined if the request has no body. */
  readonly body: Readable | undefined;
  /** Length of the body if it was declared; undefined means chunked. Without a body, 0 is said where it is not undefined. */
  readonly bodyLength: number | undefined;
  /** The client said `te: trailers`. */
  readonly acceptsTrailers?: boolean;
  /**
   * Trailer fields of the request (name, value, …). To be called when the body ended, and before the origin is told so.
   * @throws ProxyError if they cannot be sent, or the body only broke off: the request then has no end
   */
  readonly trailers?: () => readonly string[];
  readonly principalId: string;
  /** Nothing is shared between sessions, of one principal either. */
  readonly sessionId: string;
  /** The credentials of the rule that admitted it: only requests that may get the same ones share a connection. */
  readonly credentials: readonly string[];
  /**
   * A connection may be used again behind a body: an origin that takes an unread body for the next request gives the workload
   * nothing by it, for here no request is judged by more than its destination, and none gets a credential.
   */
  readonly isKeptAfterBody?: boolean;
  /** Private networks (CIDR) that the admitting rule opens. */
  readonly addresses: readonly string[];
  /** The way out that the rule names. */
  readonly exit?: string | undefined;
  readonly tls?: UpstreamTls | undefined;
  /** Hops that the client's connection has behind it. */
  readonly via?: string | undefined;
  /** When the client could not be reached. */
  readonly absence?: LinkAbsence | undefined;
  readonly signal: AbortSignal;
  /** Told of every piece of the body that is sent on; throwing ends the request. */
  readonly onBodyBytes?: (bytes: number) => void;
  /** Told before the request goes out on a connection; again if it is sent once more on another. */
  readonly onConnection?: (connection: OriginConnection) => void;
}

/** Takes the response as it arrives. All header arrays are name, value, name, value … */
export interface ResponseReceiver {
  onInformation(status: number, rawHeaders: readonly string[]): void;
  /** `endsAtHead`: it is known that neither body nor trailers follow. */
  onHead(status: number, rawHeaders: readonly string[], endsAtHead?: boolean): void;
  /** The chunk holds until this returns: what is kept is `owned`. False means: stop until `resume` is called. */
  onData(chunk: Uint8Array, resume: () => void): boolean;
  onTrailers(rawTrailers: readonly string[]): void;
  /** The response is whole, told in the same turn as its last bytes by engines that know. */
  onComplete?(): void;
}

export interface ForwardResult {
  readonly protocol: 'http/1.1' | 'h2';
}

export interface UpgradeResult {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  /** Present if the origin switched protocols; else the response went to the receiver. */
  readonly socket?: Duplex;
  readonly head?: Buffer;
  readonly protocol: ForwardResult['protocol'];
}

export interface Forwarder extends AsyncDisposable {
  /**
   * Sends the request and hands the response to the receiver; resolves when the response is complete.
   * @throws ProxyError origin_*, name_not_found, address_denied, timeout, cancelled
   */
  forward(request: ForwardRequest, receiver: ResponseReceiver): Promise<ForwardResult>;
  /** Sends a request that asks to switch protocols; the connection is the caller's if the origin agrees. */
  upgrade(request: ForwardRequest, protocol: string, receiver: ResponseReceiver): Promise<UpgradeResult>;
}

/** Whether a connection of HTTP/1.1 is used up by it, if its body has octets. */
export function endsConnection({ body, bodyLength, isKeptAfterBody }: ForwardRequest): boolean {
  return body !== undefined && bodyLength !== 0 && isKeptAfterBody !== true;
}

/** @throws ProxyError cancelled if nobody waits for a response any more */
export function requireClient({ signal }: Pick<ForwardRequest, 'signal'>): void {
  if (signal.aborted) throw clientLeft();
}

/** Nobody waits for a response any more. */
export function clientLeft(): ProxyError {
  return new ProxyError('cancelled', 'the client went away');
}

/** The origin sent no head within `responseHeadTimeoutMs`. */
export function respondLate(host: string, cause?: unknown): ProxyError {
  const message = `${host} did not respond in time (responseHeadTimeoutMs)`;
  return new ProxyError('timeout', message, { cause, limit: 'responseHeadTimeoutMs' });
}

/** Nothing moved for `idleTimeoutMs`, and what it is that should have. */
export function idleFor(what: string): ProxyError {
  return new ProxyError('timeout', `${what} for too long (idleTimeoutMs)`, { limit: 'idleTimeoutMs' });
}

/** Why a body could not be sent to its end: what was found wrong in it, or that the client stopped sending. */
export function bodyFault(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  return new ProxyError('cancelled', 'the request body broke off', { cause: error });
}
