// `LOCAL=HOST:PORT`: a port for datagrams on 127.0.0.1 of the container, and where what comes there goes.

import { formatAuthority, parseAuthority } from '../../http/authority.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface DatagramMapping {
  readonly port: number;
  /** Canonical `host:port`. */
  readonly authority: string;
}

/** @throws ProxyError usage that shows what was written */
export function parseDatagramMappings(texts: readonly string[]): readonly DatagramMapping[] {
  const mappings = texts.map(parseMapping);
  const ports = new Set(mappings.map(({ port }) => port));
  if (ports.size < mappings.length)
    throw new ProxyError('usage', 'a port for datagrams leads to one place; write each local port once');
  if (mappings.length > defaultLimits.datagramPortsMax)
    throw new ProxyError(
      'usage',
      `there are at most ${String(defaultLimits.datagramPortsMax)} ports for datagrams (datagramPortsMax)`,
    );
  return mappings;
}

function parseMapping(text: string): DatagramMapping {
  const [local = '', ...rest] = text.split('=');
  const port = /^[1-9][0-9]{0,4}$/.test(local) ? Number(local) : 0;
  if (port > 0 && port <= 65_535 && rest.length === 1) {
    try {
      return { port, authority: formatAuthority(parseAuthority(rest[0] ?? '')) };
    } catch {
      // Told below, with what it should be.
    }
  }
  throw new ProxyError(
    'usage',
    `${JSON.stringify(text.slice(0, 100))} is not LOCAL=HOST:PORT, such as 5300=dns.example.com:53`,
  );
}
