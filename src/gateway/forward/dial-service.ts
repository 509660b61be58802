// A connection to a decider. The operator wrote its URL, so the address guard of workloads does not judge it.

import type { Socket } from 'node:net';
import type { ClientCertificate } from '../credentials/sources/client-certificate.ts';
import type { ServiceDialers } from '../forward/service-fetch.ts';

/** A connection with one of these protocols of ALPN. @throws ProxyError */
export type DialDecider = (alpn: readonly string[]) => Promise<Socket>;

const anyNetwork = ['0.0.0.0/0', '::/0'] as const;

interface DialOptions {
  readonly dialers: ServiceDialers;
  /** What the gateway shows of itself. */
  readonly client: ClientCertificate | undefined;
  readonly signal: AbortSignal;
}

export function dialDecider(
  name: string,
  url: string,
  { dialers: { dialer, loopback }, client, signal }: DialOptions,
): DialDecider {
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
      // Whose dials are counted together: one that hangs keeps no other waiting.
      principalId: `decider ${name}`,
      alpn,
      ...(tls === undefined ? {} : { tls }),
      signal,
    });
    return socket;
  };
}
