// A connection to a service of the operator, who wrote its URL, so that the address guard of workloads does not judge it.

import type { Socket } from 'node:net';
import type { ServiceDialers } from './service-fetch.ts';

/** A connection with one of these protocols of ALPN. @throws ProxyError */
export type DialService = (alpn: readonly string[]) => Promise<Socket>;

const anyNetwork = ['0.0.0.0/0', '::/0'] as const;

interface DialOptions {
  readonly dialers: ServiceDialers;
  /** What the gateway shows of itself. */
  readonly client: (() => Promise<{ readonly cert: string; readonly key: string }>) | undefined;
  readonly signal: AbortSignal;
}

/** @param who whose dials are counted together: one that hangs keeps no other waiting */
export function dialService(
  who: string,
  url: string,
  { dialers: { dialer, loopback }, client, signal }: DialOptions,
): DialService {
  const { protocol, hostname, port } = new URL(url);
  const isTls = protocol === 'https:';
  const destination = {
    scheme: isTls ? 'https' : 'http',
    host: hostname.replaceAll(/^\[|\]$/g, ''),
    port: Number(port || (isTls ? 443 : 80)),
  } as const;
  return async (alpn) => {
    const tls = isTls ? await client?.() : undefined;
    const { socket } = await (isTls ? dialer : loopback).dial({
      destination,
      addresses: anyNetwork,
      principalId: who,
      alpn,
      ...(tls === undefined ? {} : { tls }),
      signal,
    });
    return socket;
  };
}
