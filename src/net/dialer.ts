// The one way out: resolve once, check every address, dial exactly what was checked, verify the certificate.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { formatAuthority, isAddressLiteral } from '../http/authority.ts';
import type { Destination } from '../http/destination.ts';
import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { DialTimes } from './dial-times.ts';
import { type AddressVerdict, checkAddress, plainAddress } from './address-guard.ts';
import { deniedAddress } from './denied-address.ts';
import { checkOriginCertificate } from './origin-certificate.ts';
import { checkOriginChain } from './origin-chain.ts';
import { knownSoFar, namesInTime } from './names-in-time.ts';
import { OwnAddresses, checkConnected } from './own-addresses.ts';
import type { ProxyChain } from './proxy-chain.ts';
import { knownAddresses } from './known-addresses.ts';
import { interleaveFamilies, raceAttempts, type RaceFailure } from './race-attempts.ts';
import type { Resolver } from './resolver.ts';
import type { TlsSessions } from './tls-sessions.ts';
import { untrustedOrigin } from './untrusted-origin.ts';
import { TrustContexts } from './trust-contexts.ts';

export interface DialTls {
  /** PEM certificates that are trusted for this dial beside the dialer's trust. */
  readonly ca?: readonly string[];
  /** Client certificate and its key, PEM. */
  readonly cert?: string;
  readonly key?: string;
}

export interface DialRequest {
  /** Scheme `https` is dialled with TLS, all others plain. */
  readonly destination: Destination;
  /** Networks (CIDR) that the admitting rule opens beside the public ones. */
  readonly addresses: readonly string[];
  readonly principalId: string;
  /** In whose share of the resolver's cache its name is. */
  readonly sessionId?: string;
  readonly alpn?: readonly string[];
  readonly tls?: DialTls;
  /** Sessions of TLS of those who share connections with this dial; without it every handshake is a full one. */
  readonly sessions?: TlsSessions;
  /** Asks for TLS in the way of the protocol that is spoken; false: it goes on without. Absent: TLS begins at once. */
  readonly startTls?: (socket: Socket) => Promise<boolean>;
  /** One that an earlier dial was connected to: it alone is checked and dialled. */
  readonly address?: string;
  /** Hops before this one, for a proxy in between. */
  readonly via?: string;
  readonly signal?: AbortSignal;
}

export interface DialResult {
  /** Open, half-open allowed, without listeners of the dialer. */
  readonly socket: Socket | TLSSocket;
  /** The address that was checked and dialled, for the audit. */
  readonly address: string;
  readonly alpn: string | undefined;
  /** The names that the host led to, as far as they are known by now: a connection does not wait for them. */
  readonly aliases?: () => readonly string[];
  readonly dialTimes?: DialTimes;
}

/**
 * Opens a new connection; none is ever shared. Throws `name_not_found`, `address_denied`, `origin_unreachable`,
 * `origin_untrusted`, `timeout`, `limit_exceeded` or `cancelled`. Messages name the host only; addresses and the
 * system's errors are in the cause, for the operator.
 */
export interface Dialer {
  dial(request: DialRequest): Promise<DialResult>;
}

export interface DialerOptions {
  readonly resolver: Resolver;
  /** PEM certificates that origins are verified against. */
  readonly trust: readonly string[];
  readonly limits: Limits;
  /** The way out through another proxy, which then resolves names: the guard judges names and literals only. */
  readonly chain?: ProxyChain;
  /** Addresses of this machine, which a rule has to open one by one. */
  readonly ownAddresses?: () => ReadonlySet<string>;
  /** Ports that no rule opens, by the address that would be dialled: what steers this machine. */
  readonly isNever?: (address: string, port: number) => boolean;
  /** Those who ask are not workloads: an address of this machine is as good as any. */
  readonly reachesThisMachine?: boolean;
}

/** Creates the dialer; it holds no connection between dials, and TLS sessions where the request brings a place for them. */
export function createDialer(options: DialerOptions): Dialer {
  return new GuardedDialer(options);
}

class GuardedDialer implements Dialer {
  readonly #options: DialerOptions;
  readonly #contexts: TrustContexts;
  readonly #ownAddresses: () => ReadonlySet<string>;
  /** Dials under way, by principal: black holes of one must not take the sockets of all. */
  readonly #pending = new Map<string, number>();

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#contexts = new TrustContexts(options.trust);
    const own = new OwnAddresses();
    const none: ReadonlySet<string> = new Set();
    this.#ownAddresses =
      options.reachesThisMachine === true ? () => none : (options.ownAddresses ?? (() => own.get()));
  }

  async dial(request: DialRequest): Promise<DialResult> {
    const { principalId } = request;
    const { dialsPendingMax } = this.#options.limits;
    const pending = this.#pending.get(principalId) ?? 0;
    if (pending >= dialsPendingMax) {
      throw new ProxyError(
        'limit_exceeded',
        `More than ${dialsPendingMax} connections are being opened (dialsPendingMax).`,
        { limit: 'dialsPendingMax' },
      );
    }
    this.#pending.set(principalId, pending + 1);
    try {
      return await this.#dial(request);
    } finally {
      const left = (this.#pending.get(principalId) ?? 1) - 1;
      if (left > 0) this.#pending.set(principalId, left);
      else this.#pending.delete(principalId);
    }
  }

  async #dial(request: DialRequest): Promise<DialResult> {
    const { destination, signal } = request;
    if (signal?.aborted === true) throw cancelled(destination);
    const { socket, address, aliases, resolvedMs } = await this.#open(request);
    const dialledMs = performance.now();
    const secured = (await startsTls(socket, request)) ? await this.#secure(socket, request) : undefined;
    return {
      socket: secured ?? socket,
      address,
      alpn:
        secured === undefined || secured.alpnProtocol === false
          ? undefined
          : (secured.alpnProtocol ?? undefined),
      ...(aliases === undefined ? {} : { aliases: knownSoFar(aliases) }),
      dialTimes: {
        dialledMs,
        ...(resolvedMs === undefined ? {} : { resolvedMs }),
        ...(secured === undefined ? {} : { securedMs: performance.now() }),
      },
    };
  }

  async #open(request: DialRequest): Promise<OpenedSocket> {
    const { destination, principalId, signal } = request;
    const { chain, resolver } = this.#options;
    if (chain === undefined || !chain.serves(destination.host)) {
      const addresses = await this.#resolveAndCheck(request);
      const isName = isAddressLiteral(destination.host) === 0;
      // While the connection is made.
      const aliases = isName ? resolver.aliases?.(destination.host, principalId) : undefined;
      const resolvedMs = performance.now();
      return { ...(await this.#connect(addresses, request)), aliases, resolvedMs };
    }
    const target = this.#chainTarget(request);
    return {
      socket: await chain.connect(destination, { signal, via: request.via, target }),
      address: chain.label,
      aliases: undefined,
    };
  }

  /**
   * What the proxy is asked for: it resolves names itself, so the guard judges what is known of them here. A name that the
   * configuration maps to addresses goes as the first of them.
   */
  #chainTarget({ destination, addresses: opened }: DialRequest): string {
    const { host } = destination;
    const fixed = this.#options.resolver.fixed?.(host);
    const known = isAddressLiteral(host) === 0 ? (fixed ?? knownAddresses(host)) : [host];
    const own = this.#ownAddresses();
    for (const address of known) {
      const verdict = this.#verdictOn(address, destination, { opened, own });
      if (!verdict.allowed) throw deniedAddress(host, address, verdict);
    }
    return fixed?.[0] ?? host;
  }

  #verdictOn(
    address: string,
    { port }: Destination,
    { opened, own }: { readonly opened: readonly string[]; readonly own: ReadonlySet<string> },
  ): AddressVerdict {
    if (this.#options.isNever?.(plainAddress(address), port) === true)
      return { allowed: false, reason: 'it is a port by which this gateway is steered, which no rule opens' };
    return checkAddress(address, opened, own);
  }

  /** Invariant 2: the address that is dialled is the address that was checked. One look-up, all answers checked. */
  async #resolveAndCheck(request: DialRequest): Promise<readonly string[]> {
    const { destination, addresses: opened, principalId, sessionId, signal } = request;
    const { host } = destination;
    const literal = request.address ?? (isAddressLiteral(host) === 0 ? undefined : host);
    const found =
      literal !== undefined
        ? [literal]
        : await this.#options.resolver.resolve(host, { principalId, sessionId, signal });
    const { dialAddressesMax } = this.#options.limits;
    if (found.length === 0) throw new ProxyError('name_not_found', `The name ${host} has no address.`);
    if (found.length > dialAddressesMax) {
      throw new ProxyError(
        'address_denied',
        `The name ${host} has more than ${dialAddressesMax} addresses (dialAddressesMax).`,
        { limit: 'dialAddressesMax' },
      );
    }
    const own = this.#ownAddresses();
    for (const address of found) {
      const verdict = this.#verdictOn(address, destination, { opened, own });
      // One forbidden address refuses the name: an honest name does not mix, a rebinding one does.
      if (verdict.allowed) continue;
      const reason = await this.#detail(verdict.reason, request);
      throw deniedAddress(host, address, { ...verdict, reason });
    }
    return [...new Set(found.map(plainAddress))];
  }

  /** Why an address is refused, and which names led to it: it is the operator who wonders. */
  async #detail(reason: string, { destination, principalId, signal }: DialRequest): Promise<string> {
    const { host } = destination;
    const asked =
      isAddressLiteral(host) === 0 ? this.#options.resolver.aliases?.(host, principalId) : undefined;
    const names = asked === undefined ? [] : await namesInTime(asked, signal);
    return names.length === 0 ? reason : `${reason}; ${host} leads to ${names.join(', ')}`;
  }

  async #connect(
    addresses: readonly string[],
    { destination, addresses: opened, signal }: DialRequest,
  ): Promise<{ readonly socket: Socket; readonly address: string }> {
    const { attemptDelayMs, connectTimeoutMs } = this.#options.limits;
    const { port } = destination;
    const outcome = await raceAttempts(interleaveFamilies(addresses), {
      // `lookup` is never reached for a literal: the socket goes to the checked address.
      connect: (address) =>
        connectTcp({ host: address, port, allowHalfOpen: true, noDelay: true, autoSelectFamily: false }),
      delayMs: attemptDelayMs,
      timeoutMs: connectTimeoutMs,
      signal,
    });
    if (outcome.kind !== 'connected') throw connectError(destination, outcome, connectTimeoutMs);
    const { socket, address } = outcome;
    if (this.#options.reachesThisMachine === true) return outcome;
    const verdict = checkConnected(socket, address, opened);
    if (verdict.allowed) return outcome;
    socket.destroy();
    throw deniedAddress(destination.host, address, verdict);
  }

  #secure(socket: Socket, { destination, alpn, tls, signal, sessions }: DialRequest): Promise<TLSSocket> {
    const { host } = destination;
    const { handshakeTimeoutMs } = this.#options.limits;
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
    const resumed = sessions?.take();
    const secured = this.#startTls(socket, { host, alpn, tls }, resumed);
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

  #startTls(
    socket: Socket,
    { host, alpn, tls }: Pick<DialRequest, 'alpn' | 'tls'> & { readonly host: string },
    resumed: ReturnType<NonNullable<DialRequest['sessions']>['take']>,
  ): TLSSocket {
    try {
      const secured: TLSSocket = connectTls({
        socket,
        secureContext: this.#contexts.get(tls),
        // Of the same key of pools: nothing that one session negotiated is offered for another. What it resumes was verified.
        ...(resumed === undefined ? {} : { session: resumed.session }),
        ...(isAddressLiteral(host) === 0 ? { servername: host } : {}),
        ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
        rejectUnauthorized: true,
        checkServerIdentity: (_name, certificate) =>
          checkOriginCertificate(host, certificate) ??
          checkOriginChain(host, secured.getPeerX509Certificate(), this.#contexts.anchors(tls), Date.now()),
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
}

async function startsTls(socket: Socket, { destination, startTls }: DialRequest): Promise<boolean> {
  if (destination.scheme !== 'https' || startTls === undefined) return destination.scheme === 'https';
  try {
    return await startTls(socket);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface OpenedSocket {
  readonly socket: Socket;
  readonly address: string;
  /** Being asked for. */
  readonly aliases: Promise<readonly string[]> | undefined;
  readonly resolvedMs?: number;
}

function connectError(destination: Destination, failure: RaceFailure, timeoutMs: number): ProxyError {
  const where = formatAuthority(destination);
  const cause = new AggregateError(failure.errors, failure.errors.map(({ message }) => message).join('; '));
  switch (failure.kind) {
    case 'cancelled':
      return cancelled(destination);
    case 'timeout':
      return new ProxyError(
        'timeout',
        `No connection to ${where} within ${timeoutMs} ms (connectTimeoutMs).`,
        { cause, limit: 'connectTimeoutMs' },
      );
    case 'failed':
      return new ProxyError(
        'origin_unreachable',
        `No connection to ${where}: it refuses or cannot be reached.`,
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

function cancelled(destination: Destination): ProxyError {
  return new ProxyError('cancelled', `The connection to ${formatAuthority(destination)} was cancelled.`);
}
