// One TLS (or, on loopback only, TCP) connection to the gateway, verified against named trust whatever the environment says.

import { isIP, connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, createSecureContext, TLSSocket } from 'node:tls';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { type GatewayAddress, parseGatewayUrl } from './gateway-address.ts';
import { checkPin, hasPinnedKey } from './gateway-pin.ts';
import { beforeAbort } from './delay.ts';
import { KeptConnections } from './kept-connections.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { printable } from '../../http/printable.ts';

/** A gateway together with the certificates that may prove it. */
export interface Gateway {
  readonly address: GatewayAddress;
  /** Undefined only for plain loopback. */
  readonly context: SecureContext | undefined;
  /**
   * From now on these authorities may have signed its certificate too, in place of those told before: the gateway said so itself, over a
   * connection that the given ones proved. What was given stays. Connections that stand go on.
   */
  trustToo(pem: string | undefined): void;
  /** If there are any, a key of the gateway's chain must be one of them. */
  readonly pins: ReadonlySet<string>;
  /** How the name is looked up; undefined: as the system does. */
  readonly lookup: LookupFunction | undefined;
  /** Connections between two requests. Who opened the gateway disposes them. */
  readonly kept: KeptConnections;
}

export interface GatewayOptions {
  /** PEM of the certificates that may have signed the gateway's own certificate. */
  readonly ca: string;
  /** `sha256/BASE64` of public keys; one of them must be in the gateway's chain, beside the trust in `ca`. */
  readonly pins?: readonly string[];
  readonly dangerouslyAllowPlainGateway?: boolean;
  readonly lookup?: LookupFunction;
}

/** Names a gateway and the trust for it. Throws config_invalid for a bad URL or unusable trust. */
export function openGateway(url: string, options: GatewayOptions): Gateway {
  const address = parseGatewayUrl(url, options.dangerouslyAllowPlainGateway);
  const pins = new Set((options.pins ?? []).map(checkPin));
  const { lookup } = options;
  const kept = new KeptConnections();
  if (!address.secure && pins.size > 0)
    throw new ProxyError('config_invalid', 'a gateway pin needs https://, where there is a key to pin');
  if (!address.secure) return { address, context: undefined, pins, lookup, kept, trustToo: () => undefined };
  let context = contextOf([options.ca]);
  let told: string | undefined;
  return {
    address,
    get context() {
      return context;
    },
    trustToo: (pem) => {
      if (pem === told) return;
      context = contextOf(pem === undefined ? [options.ca] : [options.ca, pem]);
      told = pem;
    },
    pins,
    lookup,
    kept,
  };
}

function contextOf(ca: readonly string[]): SecureContext {
  try {
    // TLS 1.2 is the floor; an explicit `ca` also shuts out NODE_EXTRA_CA_CERTS and SSL_CERT_FILE.
    return createSecureContext({ ca: [...ca], minVersion: 'TLSv1.2' });
  } catch (error) {
    throw new ProxyError('config_invalid', 'the CA certificates for the gateway cannot be loaded', {
      cause: error,
    });
  }
}

/**
 * A connection for one request: a kept one, which may still be dialled, or a new one. Throws the errors of `dialGateway`. One that a signal
 * gives up while it is dialled waits for the next request.
 */
export async function openConnection(
  gateway: Gateway,
  limits: Limits,
  signal?: AbortSignal,
): Promise<Socket> {
  const isGivenUp = (): boolean => signal?.aborted === true;
  if (isGivenUp()) throw connectingCancelled(gateway);
  const kept = gateway.kept.take();
  if (kept === undefined) return await dialGateway(gateway, limits, signal);
  try {
    return await beforeAbort(kept, signal);
  } catch (error) {
    if (!isGivenUp()) throw error;
    kept.then(
      (socket) => gateway.kept.keep(socket),
      () => {},
    );
    throw connectingCancelled(gateway);
  }
}

function connectingCancelled({ address: { host, port } }: Gateway): ProxyError {
  return new ProxyError('cancelled', `connecting to gateway ${host}:${port} was cancelled`);
}

/**
 * Connects and verifies the gateway within `connectTimeoutMs` + `handshakeTimeoutMs`.
 * Throws gateway_unreachable, gateway_untrusted, gateway_protocol, timeout or cancelled.
 */
export async function dialGateway(gateway: Gateway, limits: Limits, signal?: AbortSignal): Promise<Socket> {
  const { host, port, secure } = gateway.address;
  const { lookup } = gateway;
  if (signal?.aborted === true) throw connectingCancelled(gateway);
  const socket = secure
    ? dialTls(gateway)
    : connectTcp({ host, port, noDelay: true, ...(lookup === undefined ? {} : { lookup }) });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const deadlineMs = limits.connectTimeoutMs + limits.handshakeTimeoutMs;
  const timer = setTimeout(() => {
    reject(
      new ProxyError(
        'timeout',
        `gateway ${host}:${port} did not take the connection within ${deadlineMs} ms`,
      ),
    );
  }, deadlineMs);
  const abort = (): void => reject(connectingCancelled(gateway));
  const fail = (error: unknown): void => reject(dialError(error, gateway.address));
  const closed = (): void => fail(new Error('the connection was closed during the handshake'));
  signal?.addEventListener('abort', abort, { once: true });
  socket
    .once(secure ? 'secureConnect' : 'connect', resolve)
    .once('error', fail)
    .once('close', closed);
  try {
    await promise;
    requirePin(socket, gateway);
  } catch (error) {
    // An error may still follow the destruction; nobody else listens for it.
    socket.on('error', () => {});
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
  socket.off('error', fail).off('close', closed);
  return socket;
}

function requirePin(socket: Socket, { pins, address: { host, port } }: Gateway): void {
  if (pins.size === 0 || (socket instanceof TLSSocket && hasPinnedKey(socket, pins))) return;
  throw new ProxyError(
    'gateway_untrusted',
    `gateway ${host}:${port}: no key of its certificates is the pinned one; it got nothing`,
  );
}

function dialTls({ address, context, lookup }: Gateway): Socket {
  const { host, port } = address;
  const socket = connectTls({
    host,
    port,
    ...(lookup === undefined ? {} : { lookup }),
    // RFC 6066 §3: no address in the server name. The identity check then takes `host`.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(context === undefined ? {} : { secureContext: context }),
    // Said even though it is the default: NODE_TLS_REJECT_UNAUTHORIZED=0 changes the default.
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
  });
  socket.setNoDelay(true);
  return socket;
}

function dialError(error: unknown, { host, port }: GatewayAddress): ProxyError {
  if (error instanceof ProxyError) return error;
  // Errors of node:net and node:tls carry `code`; anything else has only its text.
  const code = String((error as { readonly code?: unknown } | null)?.code ?? '');
  const place = `gateway ${host}:${port}`;
  if (isCertificateError(code)) {
    return new ProxyError('gateway_untrusted', `${place}: ${untrustedReason(code, error)}`, { cause: error });
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new ProxyError(
      'gateway_protocol',
      `${place} does not speak TLS (${code}); is it the port of the gateway?`,
      { cause: error },
    );
  }
  return new ProxyError('gateway_unreachable', `${place} cannot be reached: ${faultReason(error)}`, {
    cause: error,
  });
}

/** Another CA helps only where the authority is not known. */
function untrustedReason(code: string, error: unknown): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired; its operator has to renew it, or the clock here is wrong';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet; the clock here is behind, or that of the gateway ahead';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return `its certificate is for ${certificateNames(error)}; name the gateway so, or add this name to its publicNames`;
    default:
      return `its certificate is not the expected one (${code}); give the right CA as the gateway's CA`;
  }
}

function certificateNames(error: unknown): string {
  // The runtime adds the certificate to this error (tls.checkServerIdentity); it was sent by whoever listens there.
  const { cert } = error as { readonly cert?: { readonly subjectaltname?: string } };
  const names = printable(cert?.subjectaltname ?? '').replaceAll(/(?:DNS|IP Address):/g, '');
  return names === '""' ? 'another name' : names;
}

// The names of X509_V_ERR_* as Node and Bun report them, and the runtime's own for a name that does not fit.
const certificateErrors = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'HOSTNAME_MISMATCH',
  'CA_KEY_TOO_SMALL',
  'EE_KEY_TOO_SMALL',
  'UNSPECIFIED',
]);

function isCertificateError(code: string): boolean {
  return certificateErrors.has(code);
}
