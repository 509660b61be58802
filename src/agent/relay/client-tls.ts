// TLS of clients, ended in the agent: with a root of this session alone, whose key is never written.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { parseAuthority } from '../../http/authority.ts';
import type { ClientHello } from '../../intercept/client-hello.ts';
import { peekFirstBytes } from '../../intercept/peek.ts';
import { TlsTerminator } from '../../intercept/tls-terminator.ts';
import { createEphemeralAuthority } from '../../pki/certificate-authority.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { OpenFields, PlainMode } from '../../protocol/frame.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';

export interface ClientTlsOptions {
  readonly limits: Limits;
  /** Under which the gateway itself is reached: it is the gateway that refuses to be a destination. */
  readonly gatewayHost: string;
}

/** What became of a client whose first bytes were awaited. */
export type ClientTlsOutcome =
  /** Not touched: the bytes are the gateway's to look at. */
  | { readonly kind: 'left' }
  | { readonly kind: 'ended'; readonly socket: TLSSocket; readonly fields: OpenFields }
  /** The handshake failed: the gateway is told by a stream of these fields that is reset. */
  | { readonly kind: 'failed'; readonly error: ProxyError; readonly fields: OpenFields };

/** Begins the common name of the session's root, by which the doctor knows it. */
export const sessionRootName = 'upstreamproxy session';

/** Protocols by mode, in the order of preference. */
const protocols = { http2: 'h2', http1: 'http/1.1' } as const satisfies Record<PlainMode, string>;

export class ClientTls implements Disposable {
  /** PEM of the root that the workload is to trust. */
  readonly rootPem: string;
  readonly #options: ClientTlsOptions;
  readonly #terminator: TlsTerminator;

  constructor(options: ClientTlsOptions) {
    this.#options = options;
    const { limits, gatewayHost } = options;
    const issuer = createEphemeralAuthority(Date.now(), sessionRootName);
    this.rootPem = issuer.certificatesPem;
    this.#terminator = new TlsTerminator({
      issuer,
      limits: { ...limits, leafContextsMax: defaultLimits.agentLeafContextsMax },
      clock: Date.now,
      isOwnName: (host) => host === gatewayHost,
    });
  }

  /**
   * Waits for the first bytes of a client and ends its TLS, where they are a ClientHello that asks for what the client's CONNECT
   * named; anything else is left as it came, for the gateway to judge. `modes` are asked for when the bytes are there. Never throws.
   */
  async end(
    socket: Socket,
    opening: OpenFields,
    modes: () => readonly PlainMode[],
  ): Promise<ClientTlsOutcome> {
    const hello = await this.#hello(socket);
    const allowed = modes();
    if (hello === undefined || allowed.length === 0) return left;
    const { host } = parseAuthority(opening.authority);
    const alpn = protocolsFor(hello, allowed);
    if (alpn === undefined || !namesHost(hello, host) || !isOfServedVersion(hello)) return left;
    // Of a handshake that fails nothing was agreed on: it is told in a mode that the tunnel takes.
    const claims: OpenFields = {
      ...opening,
      ...(allowed.includes('http1') ? { mode: 'http1' } : { mode: 'http2', alpn: protocols.http2 }),
      ...(hello.sni === undefined ? {} : { sni: hello.sni }),
    };
    try {
      const ended = await this.#terminator.terminate(socket, { host, alpn });
      return { kind: 'ended', socket: ended.socket, fields: fieldsOf(claims, ended, hello) };
    } catch (error) {
      const fault = asProxyError(error, 'tls_handshake');
      // Then the bytes are where they were: a limit of the agent, or a name that it makes no certificate for.
      if (fault.code !== 'tls_handshake' && fault.code !== 'timeout' && fault.code !== 'cancelled')
        return left;
      return { kind: 'failed', error: fault, fields: claims };
    }
  }

  /** Ends the handshakes that are under way. */
  [Symbol.dispose](): void {
    this.#terminator.close();
  }

  async #hello(socket: Socket): Promise<ClientHello | undefined> {
    const { limits } = this.#options;
    try {
      const first = await peekFirstBytes(socket, { timeoutMs: defaultLimits.firstBytesWaitMs, limits });
      return first.kind === 'tls' ? first.hello : undefined;
    } catch {
      // A malformed or slow hello, or a client that left: the gateway says so, and has it in its audit.
      return undefined;
    }
  }
}

const left: ClientTlsOutcome = { kind: 'left' };

/** Undefined where the client offers nothing of ours: the alert for that is the gateway's. */
function protocolsFor({ alpn }: ClientHello, modes: readonly PlainMode[]): readonly string[] | undefined {
  if (alpn.length === 0) return modes.includes('http1') ? [] : undefined;
  const ours = (['http2', 'http1'] as const)
    .filter((mode) => modes.includes(mode))
    .map((mode) => protocols[mode]);
  const common = ours.filter((protocol) => alpn.includes(protocol));
  return common.length === 0 ? undefined : common;
}

/** An older one fails at either end; at the gateway as for every client. */
function isOfServedVersion({ versions }: ClientHello): boolean {
  return versions.includes('TLSv1.2') || versions.includes('TLSv1.3');
}

function namesHost({ sni }: ClientHello, host: string): boolean {
  if (sni === undefined) return true;
  try {
    return parseAuthority(sni, { defaultPort: 443 }).host === host;
  } catch {
    // A name that cannot be parsed is not the name of the destination.
    return false;
  }
}

/** What the gateway would have seen for itself. */
function fieldsOf(
  claims: OpenFields,
  { socket, alpn }: { readonly socket: TLSSocket; readonly alpn: 'http/1.1' | 'h2' | undefined },
  hello: ClientHello,
): OpenFields {
  const offered = hello.alpn.filter((name) => name === 'h2' || name === 'http/1.1');
  return {
    ...claims,
    mode: alpn === 'h2' ? 'http2' : 'http1',
    ...(alpn === undefined ? {} : { alpn }),
    ...(offered.length === 0 ? {} : { alpnOffer: offered.join(' ') }),
    tlsVersion: socket.getProtocol() ?? 'unknown',
  };
}
