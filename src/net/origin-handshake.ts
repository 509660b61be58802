// TLS with an origin on a connection that stands: its certificate is verified, in a bounded time.

import type { Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { formatAuthority, isAddressLiteral } from '../http/authority.ts';
import type { Destination } from '../http/destination.ts';
import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { checkOriginCertificate } from './origin-certificate.ts';
import { checkOriginChain } from './origin-chain.ts';
import type { TlsSessions } from './tls-sessions.ts';
import type { TrustContexts } from './trust-contexts.ts';
import { untrustedOrigin } from './untrusted-origin.ts';

export interface DialTls {
  /** PEM certificates that are trusted for this dial beside the dialer's trust. */
  readonly ca?: readonly string[];
  /** Client certificate and its key, PEM. */
  readonly cert?: string;
  readonly key?: string;
}

interface HandshakeRequest {
  readonly destination: Destination;
  readonly alpn?: readonly string[];
  readonly tls?: DialTls;
  readonly sessions?: TlsSessions;
  readonly signal?: AbortSignal;
}

interface HandshakeParts {
  readonly contexts: TrustContexts;
  readonly limits: Limits;
}

/** The connection with TLS, verified. The socket is destroyed if it fails. @throws ProxyError origin_unreachable, origin_untrusted, timeout, cancelled */
export function secureOrigin(
  socket: Socket,
  { destination, alpn, tls, signal, sessions }: HandshakeRequest,
  { contexts, limits }: HandshakeParts,
): Promise<TLSSocket> {
  const { host } = destination;
  const { handshakeTimeoutMs } = limits;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const resumed = sessions?.take();
  const secured = startTls(socket, { host, alpn, tls, contexts }, resumed);
  sessions?.collect(secured, resumed);
  const fail = (error: ProxyError): void => {
    done();
    // A late error of a socket that is being destroyed has no one else to go to.
    secured.on('error', () => undefined);
    secured.destroy();
    socket.destroy();
    reject(error);
  };
  const onSecure = (): void => {
    done();
    resolve(secured);
  };
  const onError = (cause: unknown): void => {
    fail(handshakeError(destination, secured, cause));
  };
  const onClose = (): void => {
    fail(handshakeError(destination, secured, undefined));
  };
  const onAbort = (): void => {
    fail(cancelled(destination));
  };
  const timer = setTimeout(() => {
    fail(
      new ProxyError(
        'timeout',
        `The TLS handshake with ${host} took more than ${handshakeTimeoutMs} ms (handshakeTimeoutMs).`,
        { limit: 'handshakeTimeoutMs' },
      ),
    );
  }, handshakeTimeoutMs);
  const done = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    secured.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
  };
  secured.once('secureConnect', onSecure).once('error', onError).once('close', onClose);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  return promise;
}

function startTls(
  socket: Socket,
  {
    host,
    alpn,
    tls,
    contexts,
  }: Pick<HandshakeRequest, 'alpn' | 'tls'> & {
    readonly host: string;
    readonly contexts: TrustContexts;
  },
  resumed: ReturnType<TlsSessions['take']>,
): TLSSocket {
  try {
    const secured: TLSSocket = connectTls({
      socket,
      secureContext: contexts.get(tls),
      // Of the same key of pools: nothing that one session negotiated is offered for another. What it resumes was verified.
      ...(resumed === undefined ? {} : { session: resumed.session }),
      ...(isAddressLiteral(host) === 0 ? { servername: host } : {}),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      rejectUnauthorized: true,
      checkServerIdentity: (_name, certificate) =>
        checkOriginCertificate(host, certificate) ??
        checkOriginChain(host, secured.getPeerX509Certificate(), contexts.anchors(tls), Date.now()),
    });
    return secured;
  } catch (cause) {
    socket.destroy();
    throw new ProxyError(
      'config_invalid',
      `The certificates for ${host} in the configuration cannot be used.`,
      { cause },
    );
  }
}

/** `authorizationError` is set exactly when the chain or the name did not verify; everything else is no TLS peer. */
function handshakeError(destination: Destination, secured: TLSSocket, cause: unknown): ProxyError {
  const { host } = destination;
  if (cause instanceof ProxyError) return cause;
  if (!secured.authorized && hasAuthorizationError(secured)) {
    return untrustedOrigin(host, cause);
  }
  return new ProxyError(
    'origin_unreachable',
    `The TLS handshake with ${formatAuthority(destination)} failed.`,
    { cause },
  );
}

function hasAuthorizationError(secured: TLSSocket): boolean {
  // Typed as Error, it is a string or null in fact; only its presence counts.
  const error: unknown = secured.authorizationError;
  return error !== null && error !== undefined;
}

export function cancelled(destination: Destination): ProxyError {
  return new ProxyError('cancelled', `The connection to ${formatAuthority(destination)} was cancelled.`);
}
