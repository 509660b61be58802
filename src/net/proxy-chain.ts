// The gateway's own way out through a corporate proxy: CONNECT, with credentials, and names that go direct.

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

export interface ProxyChainOptions {
  /** Where the proxy listens. It is the operator's own, so the address guard does not judge it. */
  readonly proxy: Authority;
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
}

/** Opens connections through one proxy. */
export class ProxyChain {
  readonly #options: ProxyChainOptions;
  readonly #context: SecureContext | undefined;
  readonly #anchors: TrustAnchors;

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
    { signal, via, target = destination.host }: ChainedConnection = {},
  ): Promise<Socket> {
    const { limits, credentials } = this.#options;
    const secret = await credentials?.();
    const deadline = AbortSignal.timeout(limits.connectTimeoutMs);
    const socket = this.#dial();
    // Errors that come when nobody waits end with the socket.
    socket.on('error', () => undefined);
    const stop = (): void => {
      socket.destroy(new ProxyError('cancelled', `the connection to ${destination.host} was given up`));
    };
    signal?.addEventListener('abort', stop, { once: true });
    deadline.addEventListener('abort', stop, { once: true });
    try {
      if (signal?.aborted === true) stop();
      await this.#verified(socket, destination);
      socket.write(connectHead({ ...destination, host: target }, secret, this.#options.via?.(via)));
      await this.#readResponse(socket, destination);
      return socket;
    } catch (error) {
      socket.destroy();
      throw deadline.aborted ? this.#fault('timeout', destination, 'did not respond in time', error) : error;
    } finally {
      signal?.removeEventListener('abort', stop);
      deadline.removeEventListener('abort', stop);
    }
  }

  /** The credentials are written to nobody before: not by the runtime's order of events, by this wait. */
  async #verified(socket: Socket, destination: Destination): Promise<void> {
    if (!(socket instanceof TLSSocket)) return;
    await happens(socket, 'secureConnect').catch((cause: unknown) => {
      throw this.#fault('origin_unreachable', destination, 'cannot be reached', cause);
    });
    if (socket.authorized) return;
    throw this.#fault('origin_unreachable', destination, 'cannot be reached', socket.authorizationError);
  }

  #dial(): Socket {
    const { host, port } = this.#options.proxy;
    const tcp = connectTcp({ host, port, allowHalfOpen: true, noDelay: true });
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

  async #readResponse(socket: Socket, destination: Destination): Promise<void> {
    const { limits } = this.#options;
    const reader = new ResponseReader({
      request: { method: 'CONNECT', asksToSwitch: false },
      limits: { ...limits, headBytesMax: limits.connectHeadBytesMax },
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

async function happens(socket: Socket, event: 'readable' | 'secureConnect'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (error: Error): void => reject(error);
  const closed = (): void => reject(new Error('the connection was closed'));
  socket.once(event, resolve).once('error', failed).once('end', closed).once('close', closed);
  if (socket.destroyed) closed();
  try {
    await promise;
  } finally {
    socket.off(event, resolve).off('error', failed).off('end', closed).off('close', closed);
  }
}
