// Connections that come back to this gateway: to its own port, or through the proxy that is its way out (RFC 9110 §7.6.3).

import { randomBytes } from 'node:crypto';
import { formatAuthority } from '../http/authority.ts';
import type { Authority } from '../http/destination.ts';
import { ProxyError } from '../protocol/error.ts';

/** A way through more proxies than this is no way that somebody meant. */
const hopsMax = 8;

export class LoopGuard {
  /** New with each process, and says nothing about it: proxies in between read it. */
  readonly pseudonym = randomBytes(9).toString('hex');
  #own: ReadonlySet<string> = new Set();

  /** Under which the gateway itself answers. */
  listensAs(hosts: readonly string[], port: number): void {
    this.#own = new Set(hosts.map((host) => formatAuthority({ host: host.toLowerCase(), port })));
  }

  /** @param via the hops that the connection says it has behind it @throws ProxyError loop_detected */
  check(destination: Authority, via: string | undefined): void {
    const authority = formatAuthority(destination);
    if (this.#own.has(authority))
      throw new ProxyError('loop_detected', `${authority} is the gateway itself, which is no destination`);
    const hops = hopsOf(via);
    if (hops.includes(this.pseudonym))
      throw new ProxyError(
        'loop_detected',
        `the connection to ${authority} came through this gateway before: the proxy that is its way out leads back to it`,
      );
    if (hops.length > hopsMax)
      throw new ProxyError(
        'loop_detected',
        `the connection to ${authority} came through ${hops.length} proxies`,
      );
  }

  /** What is said to the next proxy. */
  next(via: string | undefined): string {
    const own = `1.1 ${this.pseudonym}`;
    return via === undefined ? own : `${via}, ${own}`;
  }
}

/** `protocol name`, maybe with a comment, between commas. */
function hopsOf(via: string | undefined): readonly string[] {
  if (via === undefined) return [];
  return via.split(',').map((hop) => hop.trim().split(/\s+/)[1] ?? '');
}
