// Raw TCP that no rule allowed, as `policy learn` proposes it. Without a policy nothing was meant to be refused, so the rule stands; where a
// policy refused it, it stands behind marks that somebody takes away.

import { defaultDenyName } from '../../policy/compiled-policy.ts';
import { rawRule, rawRuleName } from '../../policy/raw-rule.ts';
import type { RecordedDecision } from '../../gateway/policies/recorded-decision.ts';

interface Refused {
  readonly host: string;
  readonly port: number;
  readonly wasObserved: boolean;
  count: number;
}

export class RefusedRaw {
  readonly #seen = new Map<string, Refused>();

  /** Whether it was one. */
  note({ event, access, rule }: RecordedDecision): boolean {
    const { scheme, host, port } = access.destination;
    if (event.errorCode !== 'protocol_denied' || scheme !== 'tcp') return false;
    // A rule that denies was meant.
    if (rule !== defaultDenyName) return false;
    const wasObserved = event.policyVersion === 'observe';
    const key = JSON.stringify([host, port, wasObserved]);
    const one = this.#seen.get(key) ?? { host, port, wasObserved, count: 0 };
    this.#seen.set(key, one);
    one.count += 1;
    return true;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Whether one of them stands without a mark. */
  get hasObserved(): boolean {
    return [...this.#seen.values()].some(({ wasObserved }) => wasObserved);
  }

  /** Lines of the list of rules, those in force first; `names` are those of other rules. */
  lines(names: ReadonlySet<string>): readonly string[] {
    // Allowed too, at another time: a rule stands already.
    const all = [...this.#seen.values()]
      .filter(({ host, port }) => !names.has(rawRuleName(host, port)))
      .toSorted(
        (a, b) =>
          Number(b.wasObserved) - Number(a.wasObserved) ||
          b.count - a.count ||
          (a.host < b.host ? -1 : 1) ||
          a.port - b.port,
      );
    return all.map(({ host, port, wasObserved, count }) => {
      const what = `${count} connection${count === 1 ? '' : 's'} of raw TCP, refused`;
      return wasObserved
        ? `  # ${what}: nothing looks into it, so it needs a rule\n  - ${rawRule(host, port)}\n`
        : `  # ${what} by the policy; to allow it, take the mark away\n  # - ${rawRule(host, port)}\n`;
    });
  }
}
