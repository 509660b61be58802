// The gateway's own way out through another proxy: CONNECT or SOCKS5, with credentials, and names that go direct.

import { lookup } from 'node:dns';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { TLSSocket, connect as connectTls, createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { formatAuthority, isAddressLiteral } from '../http/authority.ts';
import type { Authority, Destination } from '../http/destination.ts';
import { ResponseReader } from '../http/response-reader.ts';
import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Secret } from '../protocol/secret.ts';
import { checkOriginCertificate } from './origin-certificate.ts';
import { checkOriginChain, trustAnchors } from './origin-chain.ts';
import type { TrustAnchors } from './origin-chain.ts';
import { localAddressFor } from './local-place.ts';
import type { LocalAddresses, LocalPlace } from './local-place.ts';
import { happens } from './socket-event.ts';
import { askSocks } from './socks-hop.ts';

export interface ProxyChainOptions {
  /** Where the proxy listens. It is the operator's own, so the address guard does not judge it. */
  readonly proxy: Authority;
  /**
   * How it is asked; `connect` by default. With `socks5` names are resolved here, and the proxy is asked for the address that was
   * checked; with `socks5h`, as with CONNECT, it is asked for the name.
   */
  readonly protocol?: 'connect' | 'socks5' | 'socks5h';
  /** From which address it is dialled; absent: the system chooses. */
  readonly from?: LocalPlace | undefined;
  /** TLS to the proxy itself; PEM certificates that it is verified against. */
  readonly tls?: { readonly ca: readonly string[] };
  /** `user:password`, asked for at each connection so that it can change. */
  readonly credentials?: () => Promise<Secret<string>>;
  /** Hosts that are dialled directly: exact names, `.suffix` for a name and all below it, or IP literals. */
  readonly noProxy: readonly string[];
  readonly limits: Limits;
  /** The field Via for the proxy, from that of the client. */
  readonly via?: (incoming: string | undefined) => string;
}

export interface ChainedConnection {
  readonly signal?: AbortSignal | undefined;
  readonly via?: string | undefined;
  /** What the proxy is asked for, if it is not the host. */
  readonly target?: string;
  /** Told once the proxy is there and, with TLS, verified: what fails from then on is its response. */
  readonly onReached?: () => void;
}

interface Asked {
  readonly target: string;
  readonly secret: Secret<string> | undefined;
  readonly via: string | undefined;
}

interface BoundConnection {
  readonly localAddress: string;
  readonly family?: 4 | 6;
  readonly autoSelectFamily?: false;
  readonly lookup?: typeof lookup;
}

/** Opens connections through one proxy. */
export class ProxyChain {
  readonly #options: ProxyChainOptions;
  readonly #context: SecureContext | undefined;
  readonly #anchors: TrustAnchors;
  #awayUntilMs = 0;

  constructor(options: ProxyChainOptions) {
    this.#options = options;
    this.#context =
      options.tls === undefined
        ? undefined
        : createSecureContext({ ca: [...options.tls.ca], minVersion: 'TLSv1.2' });
    this.#anchors = trustAnchors(options.tls?.ca ?? []);
  }

  /** For the audit, in the place of the origin's address, which only the proxy knows. */
  get label(): string {
    return `via ${formatAuthority(this.#options.proxy)}`;
  }

  /** Whether names are resolved here, so that the guard sees where the connection goes. */
  get resolvesHere(): boolean {
    return this.#options.protocol === 'socks5';
  }

  /** It could not be reached a moment ago (`proxyAwayMs`). */
  isAway(nowMs = performance.now()): boolean {
    return nowMs < this.#awayUntilMs;
  }

  /** Whether the host is to be reached through the proxy. */
  serves(host: string): boolean {
    return !this.#options.noProxy.some((entry) =>
      entry.startsWith('.') ? host === entry.slice(1) || host.endsWith(entry) : host === entry,
    );
  }

  /**
   * A connection to the destination through the proxy, which is asked for `target` where that is another name of it; faults
   * name the destination. @throws ProxyError origin_unreachable, timeout, cancelled
   */
  async connect(
    destination: Destination,
    { signal, via, target = destination.host, onReached }: ChainedConnection = {},
  ): Promise<Socket> {
    const { limits, credentials } = this.#options;
    const secret = await credentials?.();
    const deadline = AbortSignal.timeout(limits.connectTimeoutMs);
    const socket = this.#dial(destination);
    // Errors that come when nobody waits end with the socket.
    socket.on('error', () => undefined);
    const stop = (): void => {
      socket.destroy(new ProxyError('cancelled', `the connection to ${destination.host} was given up`));
    };
    signal?.addEventListener('abort', stop, { once: true });
    deadline.addEventListener('abort', stop, { once: true });
    let isReached = false;
    try {
      if (signal?.aborted === true) stop();
      await this.#reached(socket, destination);
      isReached = true;
      onReached?.();
      await this.#ask(socket, destination, { target, secret, via });
      return socket;
    } catch (error) {
      socket.destroy();
      if (signal?.aborted === true)
        throw new ProxyError('cancelled', `the connection to ${destination.host} was given up`);
      if (!isReached) this.#awayUntilMs = performance.now() + limits.proxyAwayMs;
      throw deadline.aborted ? this.#fault('timeout', destination, 'did not respond in time', error) : error;
    } finally {
      signal?.removeEventListener('abort', stop);
      deadline.removeEventListener('abort', stop);
    }
  }

  async #ask(socket: Socket, destination: Destination, { target, secret, via }: Asked): Promise<void> {
    const authority = { host: target, port: destination.port };
    if ((this.#options.protocol ?? 'connect') !== 'connect') {
      const fault = (what: string, cause?: unknown): ProxyError =>
        this.#fault('origin_unreachable', destination, what, cause);
      await askSocks(socket, { target: authority, secret, fault });
      return;
    }
    socket.write(connectHead({ ...destination, ...authority }, secret, this.#options.via?.(via)));
    await this.#readResponse(socket, destination);
  }

  /** The credentials are written to nobody before: not by the runtime's order of events, by this wait. */
  async #reached(socket: Socket, destination: Destination): Promise<void> {
    const isTls = socket instanceof TLSSocket;
    await happens(socket, isTls ? 'secureConnect' : 'connect').catch((cause: unknown) => {
      throw this.#fault('origin_unreachable', destination, 'cannot be reached', cause);
    });
    if (!isTls || socket.authorized) return;
    throw this.#fault('origin_unreachable', destination, 'cannot be reached', socket.authorizationError);
  }

  #dial(destination: Destination): Socket {
    const { host, port } = this.#options.proxy;
    const from = this.#options.from?.();
    const bound = from === undefined ? {} : this.#boundTo(from, destination);
    const tcp = connectTcp({ host, port, allowHalfOpen: true, noDelay: true, ...bound });
    if (this.#context === undefined) return tcp;
    const secured: TLSSocket = connectTls({
      socket: tcp,
      secureContext: this.#context,
      rejectUnauthorized: true,
      // The runtime would compare the certificate of an address with `localhost`.
      checkServerIdentity: (_name, certificate) =>
        checkOriginCertificate(host, certificate) ??
        checkOriginChain(host, secured.getPeerX509Certificate(), this.#anchors, Date.now()),
      ...(isAddressLiteral(host) === 0 ? { servername: host } : {}),
    });
    return secured;
  }

  /** Of a family that the exit has no address of, nothing is dialled. A name is resolved to the one family that it has. */
  #boundTo(from: LocalAddresses, destination: Destination): BoundConnection {
    const { host } = this.#options.proxy;
    const isLiteral = isAddressLiteral(host) !== 0;
    const localAddress = isLiteral ? localAddressFor(from, host) : (from.ipv4 ?? from.ipv6);
    if (localAddress === undefined)
      throw this.#fault('origin_unreachable', destination, 'cannot be reached from the address of this exit');
    const family = from.ipv4 === localAddress ? 4 : 6;
    return isLiteral ? { localAddress } : { localAddress, family, autoSelectFamily: false, lookup };
  }

  async #readResponse(socket: Socket, destination: Destination): Promise<void> {
    const { limits } = this.#options;
    const reader = new ResponseReader({
      request: { method: 'CONNECT', asksToSwitch: false },
      limits: { headBytesMax: limits.connectHeadBytesMax, headersCountMax: limits.headersCountMax },
      bodyBytesMax: 0,
      fault: (reason) =>
        this.#fault('origin_unreachable', destination, `did not respond with HTTP: ${reason}`),
    });
    for (;;) {
      // A paused socket gives Buffers: no encoding is set.
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) {
        await happens(socket, 'readable').catch((cause: unknown) => {
          throw this.#fault('origin_unreachable', destination, 'cannot be reached', cause);
        });
        continue;
      }
      try {
        reader.push(chunk);
      } catch (error) {
        // What follows the head of a refusal says nothing that counts.
        if ((reader.head?.status ?? 0) < 300) throw error;
      }
      if (reader.head === undefined) continue;
      const { status } = reader.head;
      if (status >= 300) throw this.#fault('origin_unreachable', destination, refusalOf(status));
      if (reader.rest.length > 0) socket.unshift(reader.rest);
      return;
    }
  }

  /** The workload is told that a proxy is in the way, the operator which. */
  #fault(
    code: 'origin_unreachable' | 'timeout',
    destination: Destination,
    what: string,
    cause?: unknown,
  ): ProxyError {
    return new ProxyError(code, `the proxy on the way to ${destination.host} ${what}`, {
      cause,
      operatorDetail: `${this.label} ${what}`,
      ...(code === 'timeout' ? { limit: 'connectTimeoutMs' } : {}),
    });
  }
}

/** What the operator, or who reads it in the container, can do about it. */
function refusalOf(status: number): string {
  switch (status) {
    case 407:
      return "does not accept the gateway's credentials (407)";
    case 403:
      return 'does not allow this destination (403)';
    case 502:
    case 503:
    case 504:
      return `cannot reach the destination (${status})`;
    default:
      return `refused the connection (${status})`;
  }
}

function connectHead(
  destination: Destination,
  credentials: Secret<string> | undefined,
  via: string | undefined,
): string {
  const authority = formatAuthority(destination);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (via !== undefined) lines.push(`Via: ${via}`);
  if (credentials !== undefined) {
    lines.push(`Proxy-Authorization: Basic ${Buffer.from(credentials.reveal()).toString('base64')}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
