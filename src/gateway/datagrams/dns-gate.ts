// What of DNS passes by a rule with `dns`: queries about its names, and one response for each of them.

import { hostCovers, type HostPattern } from '../../policy/host-pattern.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { readDnsQuery, readDnsResponse, refusedDns } from './dns-message.ts';

export type GatedQuery =
  | { readonly kind: 'passes' }
  /** It is no query, or there is nobody to tell. */
  | { readonly kind: 'dropped' }
  | { readonly kind: 'refused'; readonly name: string; readonly reply: Uint8Array };

export class DnsGate {
  readonly #names: readonly (readonly HostPattern[])[];
  /** Queries that have had no response, oldest first. */
  readonly #open = new Set<string>();

  /** @param names a name has to be one of each list */
  constructor(names: readonly (readonly HostPattern[])[]) {
    this.#names = names;
  }

  query(bytes: Uint8Array): GatedQuery {
    const question = readDnsQuery(bytes);
    if (question === undefined) return { kind: 'dropped' };
    const asked = { kind: 'exact', host: question.name, isAddress: false } as const;
    if (!this.#names.every((list) => list.some((pattern) => hostCovers(pattern, asked))))
      return { kind: 'refused', name: question.name, reply: refusedDns(bytes, question) };
    // Asked again, it is the newest.
    this.#open.delete(question.key);
    this.#open.add(question.key);
    for (const oldest of this.#open) {
      if (this.#open.size <= defaultLimits.dnsQueriesOpenMax) break;
      this.#open.delete(oldest);
    }
    return { kind: 'passes' };
  }

  /** Whether it is the response to a query that waits for one. */
  response(bytes: Uint8Array): boolean {
    const key = readDnsResponse(bytes);
    return key !== undefined && this.#open.delete(key);
  }
}
