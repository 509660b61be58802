// The gateway as the agent names it: one URL, taken apart once, with everything that is derived from it.

import { isIP } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import { tunnelPath } from '../../protocol/session-messages.ts';

export interface GatewayAddress {
  /** Name or address without brackets. */
  readonly host: string;
  readonly port: number;
  /** False only for plain HTTP to loopback, allowed by an explicit dangerous option. */
  readonly secure: boolean;
  /** Value of the Host field: the port is left out where it is the scheme's default. */
  readonly hostField: string;
  /** Scheme, host and path prefix without a trailing slash; endpoints are appended to it. */
  readonly baseUrl: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path prefix of `baseUrl`; empty for most. */
  readonly prefix: string;
}

/**
 * Takes a gateway URL apart. `https:` only, unless `allowPlain` and the host is loopback.
 * Throws config_invalid, naming what to write.
 */
export function parseGatewayUrl(text: string, allowPlain = false): GatewayAddress {
  const refuse = (reason: string): never => {
    throw new ProxyError('config_invalid', `gateway URL ${text}: ${reason}`);
  };
  const parsed = URL.parse(text);
  // The text may hold a password, so it is not repeated.
  if (parsed === null)
    throw new ProxyError('config_invalid', 'the gateway URL is not a URL; write https://host[:port]');
  if (parsed.username !== '' || parsed.password !== '') {
    throw new ProxyError('config_invalid', 'the gateway URL must not hold a user name or password');
  }
  if (parsed.search !== '' || parsed.hash !== '') refuse('leave out the query and the fragment');
  const secure = parsed.protocol === 'https:';
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (!secure && parsed.protocol !== 'http:') refuse('write https://host[:port]');
  if (!secure && !(allowPlain && isLoopback(host))) {
    refuse(
      'the session token travels only over https:// (http:// is for loopback with dangerouslyAllowPlainGateway)',
    );
  }
  const prefix = parsed.pathname.replace(/\/+$/, '');
  return {
    host,
    port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
    secure,
    hostField: parsed.host,
    baseUrl: `${parsed.protocol}//${parsed.host}${prefix}`,
    origin: parsed.origin,
    prefix,
  };
}

/** The gateway URL of a tunnel's own URL: `wss://host[:port][/prefix]/v1/code/upstreamproxy/ws`. Throws config_invalid. */
export function gatewayUrlOfTunnel(wsUrl: string): string {
  const match = /^(wss?):(\/\/[^?#]*)$/i.exec(wsUrl);
  // The text may hold a password, so it is not repeated.
  if (match === null || match[2]?.endsWith(tunnelPath) !== true)
    throw new ProxyError('config_invalid', `the WebSocket URL must be wss://host[:port]${tunnelPath}`);
  const [, scheme = '', rest = ''] = match;
  return `${scheme.toLowerCase() === 'wss' ? 'https' : 'http'}:${rest.slice(0, -tunnelPath.length)}`;
}

/** Whether a host is this machine by its address; the name `localhost` is taken as such. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost';
}
