// Finds rules that share hosts, ports and sessions with another rule.

import type { ClaimSelector } from './claim-selector.ts';
import { coveringKeys, formatHostPattern, type HostPattern, suffixesOf } from './host-pattern.ts';
import { portsOf } from './rule-cover.ts';
import { append } from './lists-by-key.ts';
import type { Rule } from './rule.ts';

/** Undefined: any. */
interface Where {
  readonly ports: ReadonlySet<number> | undefined;
  readonly selectors: readonly (readonly ClaimSelector[])[] | undefined;
}

/** A rule with more ports than this is looked at for every port. */
const portsIndexedMax = 16;

/** Rules that allow, by host, port and claims as they are written. */
export class TouchingIndex {
  /** By the pattern itself. */
  readonly #byPattern = new Map<string, Rule[]>();
  /** By each wildcard that covers the pattern. */
  readonly #below = new Map<string, Rule[]>();

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) {
      const facets = facetsOf(rule);
      for (const host of rule.hosts) {
        for (const facet of facets) {
          append(this.#byPattern, `${formatHostPattern(host)} ${facet}`, rule);
          append(this.#below, `* ${facet}`, rule);
          for (const suffix of suffixesOf(host)) append(this.#below, `*.${suffix} ${facet}`, rule);
        }
      }
    }
  }

  /** A rule with a pattern that covers the host, or that the host covers. */
  find(host: HostPattern, where: Where, fits: (rule: Rule) => boolean = () => true): Rule | undefined {
    const own = formatHostPattern(host);
    for (const facet of facetsAsked(where)) {
      for (const key of coveringKeys(host)) {
        const rule = this.#byPattern.get(`${key} ${facet}`)?.find(fits);
        if (rule !== undefined) return rule;
      }
      const rule = host.kind === 'exact' ? undefined : this.#below.get(`${own} ${facet}`)?.find(fits);
      if (rule !== undefined) return rule;
    }
    return undefined;
  }
}

function facetsOf(rule: Rule): readonly string[] {
  const ports = new Set([...rule.schemes].flatMap((scheme) => portsOf(rule, scheme)));
  const portKeys = ports.size > portsIndexedMax ? ['many', 'any'] : [...ports, 'any'];
  const sessions = [JSON.stringify(rule.selectors), 'any'];
  return portKeys.flatMap((port) => sessions.map((session) => `${port} ${session}`));
}

function* facetsAsked({ ports, selectors }: Where): Generator<string> {
  const sessions = selectors?.map((one) => JSON.stringify(one)) ?? ['any'];
  for (const port of ports === undefined ? ['any'] : [...ports, 'many']) {
    for (const session of sessions) yield `${port} ${session}`;
  }
}
