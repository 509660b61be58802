// The admin API on a TCP port: with TLS wherever it is not loopback, and for the names alone that it is meant to be reached by.

import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, Server, ServerOptions } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { parseAuthority } from '../../http/authority.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { http } from '../../system/http-module.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { AdminListen } from '../config/admin-settings.ts';

/** Two small files; a renewal has days. */
const lookIntervalMs = 30_000;

/** Whoever opens a connection and says nothing leaves its place as whoever sends no request does. */
const handshakeTimeout = defaultLimits.adminRequestTimeoutMs;

export interface AdminPort {
  readonly server: Server;
  readonly port: number;
  /** Takes the certificate anew when its files change. */
  readonly following: AsyncDisposable | undefined;
}

interface PortNeeds {
  /** What is served there, if it is not the admin API. */
  readonly what?: string;
  readonly listen: AdminListen;
  readonly options: ServerOptions;
  /** Of a socket that listens there already. */
  readonly descriptor?: number | undefined;
  readonly log: (level: 'info' | 'error', message: string) => void;
}

/** Listens at once. @throws ProxyError gateway_port_unusable */
export async function openAdminPort(needs: PortNeeds): Promise<AdminPort> {
  const { what = 'the admin API', listen, options, descriptor, log } = needs;
  const { address, port, tls } = listen;
  try {
    if (tls === undefined) {
      const server = http.createServer(options);
      return { server, port: await listenAt(server, listen, descriptor), following: undefined };
    }
    const pair = await readPair(tls);
    const server = createHttpsServer({ ...options, ...pair, minVersion: 'TLSv1.2', handshakeTimeout });
    server.on('tlsClientError', (_, socket) => socket.destroy());
    let current = pair;
    const following = new RepeatedLook({
      look: async () => {
        const next = await readPair(tls);
        if (next.cert.equals(current.cert)) return;
        server.setSecureContext({ ...next, minVersion: 'TLSv1.2' });
        current = next;
        log('info', `the certificate of ${what} was taken anew`);
      },
      intervalMs: lookIntervalMs,
      onFault: ({ message }) => log('error', `the certificate of ${what}: ${message}`),
    });
    const found = await listenAt(server, listen, descriptor);
    following.start();
    return { server, port: found, following };
  } catch (error) {
    const reason = asProxyError(error).message;
    throw new ProxyError(
      'gateway_port_unusable',
      `${what} cannot be served on ${address}:${port}: ${reason}`,
      { cause: error },
    );
  }
}

async function readPair(tls: NonNullable<AdminListen['tls']>): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = await Promise.all([readFile(tls.certificate), readFile(tls.key)]);
  return { cert, key };
}

async function listenAt(
  server: Server,
  { address, port }: AdminListen,
  descriptor: number | undefined,
): Promise<number> {
  const listening = once(server, 'listening');
  server.listen(descriptor === undefined ? { host: address, port } : { fd: descriptor });
  await listening;
  // A server that listens on TCP has a port.
  return (server.address() as AddressInfo).port;
}

/**
 * Whether a request may name that host. A name of somebody else that leads here (DNS rebinding) is none of ours, and a page behind
 * it gets nothing.
 */
export function isOwnHost(
  host: string | undefined,
  { address, names, isByNameAlone }: AdminListen,
  port: number,
): boolean {
  if (host === undefined) return false;
  try {
    const named = parseAuthority(host, { defaultPort: port });
    return named.port === port && (isByNameAlone === true ? names : [address, ...names]).includes(named.host);
  } catch {
    return false;
  }
}

/**
 * Whether no page asks, or the console of this very listener does. Its host must have passed `isOwnHost`. At the socket there is no console,
 * so no page has business there.
 */
export function isOwnOrigin(
  { origin, host = '', 'sec-fetch-site': site }: IncomingHttpHeaders,
  listen: AdminListen | undefined,
): boolean {
  if (origin === undefined && site === undefined) return true;
  if (listen === undefined) return origin === undefined;
  const own = `${listen.tls === undefined ? 'http' : 'https'}://${host}`.toLowerCase();
  const isSameSite = site === undefined || site === 'same-origin';
  return isSameSite && (origin === undefined || origin.toLowerCase() === own);
}
