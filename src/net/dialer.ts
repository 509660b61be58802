// The one way out: resolve once, check every address, dial exactly what was checked, verify the certificate.

import { connect as connectTcp, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { formatAuthority, isAddressLiteral } from '../http/authority.ts';
import type { Destination } from '../http/destination.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import type { DialTimes } from './dial-times.ts';
import { type AddressVerdict, checkAddress, plainAddress } from './address-guard.ts';
import { deniedAddress } from './denied-address.ts';
import { earlierAddress } from './earlier-address.ts';
import { knownSoFar, namesInTime } from './names-in-time.ts';
import { type DialTls, cancelled, secureOrigin } from './origin-handshake.ts';
import { OwnAddresses, checkConnected } from './own-addresses.ts';
import { type Exit, directExit, exitUnavailable, proxyExit } from './exit.ts';
import { localAddressFor } from './local-place.ts';
import type { LocalAddresses } from './local-place.ts';
import type { ProxyChain } from './proxy-chain.ts';
import { knownAddresses } from './known-addresses.ts';
import { interleaveFamilies, raceAttempts, type RaceFailure } from './race-attempts.ts';
import type { Resolver } from './resolver.ts';
import type { TlsSessions } from './tls-sessions.ts';
import { TrustContexts } from './trust-contexts.ts';

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
  /** The name of the exit that the rule names; absent: the one of all that name none. */
  readonly exit?: string | undefined;
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
  /**
   * Where datagrams may be sent, and from where: of one family, checked as for a connection. Throws as `dial`, and `exit_unavailable`
   * where the way out is a proxy.
   */
  choose(request: DialRequest): Promise<ChosenAddress>;
}

export interface ChosenAddress {
  readonly address: string;
  /** The local address; undefined: the system chooses. */
  readonly from: string | undefined;
}

export interface DialerOptions {
  readonly resolver: Resolver;
  /** PEM certificates that origins are verified against. */
  readonly trust: readonly string[];
  readonly limits: Limits;
  /** The way out through another proxy, which then resolves names: the guard judges names and literals only. */
  readonly chain?: ProxyChain;
  /** By name, for those that name one. */
  readonly exits?: ReadonlyMap<string, Exit>;
  /** For all others, in place of `chain`. */
  readonly exit?: Exit;
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
  readonly #exit: Exit;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#exit =
      options.exit ??
      (options.chain === undefined ? directExit('direct') : proxyExit('proxy', options.chain));
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

  async choose(request: DialRequest): Promise<ChosenAddress> {
    const { destination, principalId, signal } = request;
    const exit = this.#exitOf(request);
    const [hop] = await exit.hops(destination, { principalId, signal });
    if (hop !== 'direct')
      throw exitUnavailable(exit.name, destination, 'it leads through a proxy, which takes no datagrams');
    const addresses = await this.#resolveAndCheck(request);
    const from = exit.from?.();
    const [address] = from === undefined ? addresses : usableFrom(from, addresses);
    if (address === undefined)
      throw exitUnavailable(exit.name, destination, 'it has no address of the family of the destination');
    return { address, from: from === undefined ? undefined : localAddressFor(from, address) };
  }

  async #dial(request: DialRequest): Promise<DialResult> {
    const { destination, signal } = request;
    if (signal?.aborted === true) throw cancelled(destination);
    const { socket, address, aliases, resolvedMs } = await this.#open(request);
    const dialledMs = performance.now();
    const secured = (await startsTls(socket, request))
      ? await secureOrigin(socket, request, { contexts: this.#contexts, limits: this.#options.limits })
      : undefined;
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

  async #open({ address, ...asked }: DialRequest): Promise<OpenedSocket> {
    const request = { ...asked, ...earlierAddress(address) };
    const { destination, principalId, signal } = request;
    const exit = this.#exitOf(request);
    const hops = await exit.hops(destination, { principalId, signal });
    let last: unknown;
    for (const hop of hops) {
      if (hop === 'direct') return await this.#direct(request, exit);
      let isReached = false;
      const onReached = (): void => {
        isReached = true;
      };
      try {
        return await this.#through(hop, request, onReached);
      } catch (error) {
        if (!isUnreachable(error) || isReached) throw error;
        last = error;
      }
    }
    throw last instanceof Error
      ? last
      : exitUnavailable(exit.name, destination, 'it has no way out for this destination');
  }

  #exitOf({ exit: name, destination }: DialRequest): Exit {
    if (name === undefined) return this.#exit;
    const exit = name === directName ? directExit(directName) : this.#options.exits?.get(name);
    // The policy was checked against these names; another way out than the rule says is none.
    if (exit === undefined) throw exitUnavailable(name, destination, 'there is no exit of that name');
    return exit;
  }

  async #direct(request: DialRequest, exit: Exit): Promise<OpenedSocket> {
    const { destination, principalId } = request;
    const { resolver } = this.#options;
    const addresses = await this.#resolveAndCheck(request);
    const isName = isAddressLiteral(destination.host) === 0;
    // While the connection is made.
    const aliases = isName ? resolver.aliases?.(destination.host, principalId) : undefined;
    const resolvedMs = performance.now();
    const from = exit.from?.();
    const usable = from === undefined ? addresses : usableFrom(from, addresses);
    if (usable.length === 0)
      throw exitUnavailable(exit.name, destination, 'it has no address of the family of the destination');
    return { ...(await this.#connect(usable, request, from)), aliases, resolvedMs };
  }

  /** A proxy that is asked for addresses gets those that were checked, one after the other. */
  async #through(chain: ProxyChain, request: DialRequest, onReached: () => void): Promise<OpenedSocket> {
    const { destination, signal, via } = request;
    if (!chain.resolvesHere) {
      const target = this.#chainTarget(request);
      const socket = await chain.connect(destination, { signal, via, target, onReached });
      return { socket, address: chain.label, aliases: undefined };
    }
    const addresses = await this.#resolveAndCheck(request);
    let last: unknown;
    for (const target of interleaveFamilies(addresses).slice(0, defaultLimits.proxyAddressesMax)) {
      try {
        const socket = await chain.connect(destination, { signal, via, target, onReached });
        return { socket, address: `${target} ${chain.label}`, aliases: undefined };
      } catch (error) {
        if (!isUnreachable(error) || chain.isAway()) throw error;
        last = error;
      }
    }
    throw last instanceof Error ? last : new ProxyError('internal', 'no address of several was dialled');
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
    from: LocalAddresses | undefined,
  ): Promise<{ readonly socket: Socket; readonly address: string }> {
    const { attemptDelayMs, connectTimeoutMs } = this.#options.limits;
    const { port } = destination;
    const outcome = await raceAttempts(interleaveFamilies(addresses), {
      // `lookup` is never reached for a literal: the socket goes to the checked address.
      connect: (address) =>
        connectTcp({
          host: address,
          port,
          allowHalfOpen: true,
          noDelay: true,
          autoSelectFamily: false,
          ...(from === undefined ? {} : { localAddress: localAddressFor(from, address) }),
        }),
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

/** Exits of the configuration have other names. */
const directName = 'direct';

function usableFrom(from: LocalAddresses, addresses: readonly string[]): readonly string[] {
  return addresses.filter((address) => localAddressFor(from, address) !== undefined);
}

function isUnreachable(error: unknown): boolean {
  return error instanceof ProxyError && (error.code === 'origin_unreachable' || error.code === 'timeout');
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
