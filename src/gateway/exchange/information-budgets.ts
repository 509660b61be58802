// How much the requests of a session can say to the origins of a rule: octets that its client sends, URLs that differ, and what stands in
// them. It is a bound on what can leave by requests that are allowed, whatever code it leaves in.

import { createHmac, randomBytes } from 'node:crypto';
import type { RequestHead } from '../../http/message-head.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import type { BorrowedBudget } from './borrowed-budget.ts';
import type { CountedLimit, Limited } from './counted-limits.ts';

/** Who lends what is counted. */
export interface Lender {
  /** Undefined where the rule does not say that limit. @throws ProxyError limit_exceeded */
  borrowed(
    sessionId: string,
    decision: Limited,
    limit: CountedLimit,
    nowMs: number,
  ): BorrowedBudget | undefined;
}

export class InformationBudgets {
  readonly #lender: Lender;
  /** So that nobody finds two URLs that are taken for one. */
  readonly #key = randomBytes(32);
  /** By session, and by rule: URLs that were asked for. */
  readonly #known = new Map<string, Map<string, Set<number>>>();

  constructor(lender: Lender) {
    this.#lender = lender;
  }

  /**
   * Counts the head of a request that is about to go. Gives what its body is paid with, where the rule limits that.
   * @throws ProxyError limit_exceeded, store_unavailable
   */
  async admit(
    sessionId: string,
    decision: Limited,
    head: RequestHead,
    nowMs: number,
  ): Promise<SpendBytes | undefined> {
    const { limits, rule } = decision;
    const { bytesOutPerSession, urlsPerSession, urlBytesPerSession } = limits;
    if (urlsPerSession !== undefined || urlBytesPerSession !== undefined)
      await this.#admitUrl(sessionId, decision, head, nowMs);
    if (bytesOutPerSession === undefined) return undefined;
    const bytes = this.#lender.borrowed(sessionId, decision, 'bytesOutPerSession', nowMs);
    if (bytes === undefined) return undefined;
    const refusal = spent(rule.name, `${bytesOutPerSession} bytes out of a session (bytesOutPerSession)`);
    if (!(await bytes.take(headBytes(head)))) throw refusal;
    return (octets) => {
      const taken = bytes.take(octets);
      if (taken === true) return undefined;
      return taken.then((isPaid) => {
        if (!isPaid) throw refusal;
        return undefined;
      });
    };
  }

  forget(sessionId: string): void {
    this.#known.delete(sessionId);
  }

  /** One that was asked for before says nothing new but which one it is. */
  async #admitUrl(sessionId: string, decision: Limited, head: RequestHead, nowMs: number): Promise<void> {
    const { rule, limits, budget = `rule ${rule.name}` } = decision;
    const known = this.#knownOf(sessionId, budget);
    const url = this.#hashOf(head);
    if (known.has(url)) return;
    const urls = this.#lender.borrowed(sessionId, decision, 'urlsPerSession', nowMs);
    const bytes = this.#lender.borrowed(sessionId, decision, 'urlBytesPerSession', nowMs);
    if (urls !== undefined && !(await urls.take(1)))
      throw spent(rule.name, `${limits.urlsPerSession} different URLs in a session (urlsPerSession)`);
    if (bytes !== undefined && !(await bytes.take(head.path.length + head.query.length))) {
      urls?.putBack(1);
      throw spent(rule.name, `${limits.urlBytesPerSession} bytes of URLs in a session (urlBytesPerSession)`);
    }
    // What has no room counts again: the bound holds.
    if (known.size < defaultLimits.urlsPerSessionMax) known.add(url);
  }

  #knownOf(sessionId: string, budget: string): Set<number> {
    const ofSession = this.#known.get(sessionId) ?? new Map<string, Set<number>>();
    this.#known.set(sessionId, ofSession);
    const known = ofSession.get(budget) ?? new Set<number>();
    ofSession.set(budget, known);
    return known;
  }

  #hashOf({ destination, method, path, query }: RequestHead): number {
    const { scheme, host, port } = destination;
    const text = [method, scheme, host, port, path, query].join('\0');
    return createHmac('sha256', this.#key).update(text).digest().readUIntBE(0, 6);
  }
}

/** What a client chooses of it. */
function headBytes({ method, path, query, headers }: RequestHead): number {
  const fields = [...headers].reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return method.length + path.length + query.length + fields;
}

function spent(rule: string, what: string): ProxyError {
  return new ProxyError('limit_exceeded', `rule ${rule} allows ${what}`);
}
