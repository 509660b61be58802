// Which rules can match at all: by host, then by port, and then by the first segments of the path or a claim, so that a
// decision looks at few rules however many there are.

import { splitNumber } from '../http/digits-at-end.ts';
import { readingsFor } from '../http/path-reading.ts';
import type { AccessRequest, Principal } from './decision.ts';
import type { MatchingWork } from './matching-work.ts';
import { readingsOf } from './path-matching.ts';
import { segmentsOf, selectPath, wholeSegments } from './path-prefix.ts';
import { RuleGroup } from './rule-group.ts';
import { append } from './lists-by-key.ts';
import { isByDestination } from './rule.ts';
import { RuleTimes } from './rule-times.ts';
import type { Rule } from './rule.ts';

/** Up to so many rules are faster looked through than looked up. */
const plainRulesMax = 12;
/** A rule with more ports than this is looked at for every port. */
const portsIndexedMax = 16;

/** For whom rules are looked up, for what, and what it may cost. */
export interface Asked {
  readonly principal: Principal;
  readonly access: AccessRequest;
  readonly work: MatchingWork;
}

/** Finds the rules of a policy by host. */
export class HostIndex {
  readonly #byHost = new Map<string, RuleList>();
  readonly #bySuffix = new Map<string, RuleList>();
  readonly #anyHost = new RuleList();
  readonly #anyHostDenies = new RuleList();

  /** The lists of the rules whose hosts match; in each they are in order. A rule can be in several. */
  listsFor(host: string): readonly RuleList[] {
    const lists: RuleList[] = [];
    const exact = this.#byHost.get(host);
    if (exact !== undefined) lists.push(exact);
    if (this.#bySuffix.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const below = this.#bySuffix.get(host.slice(dot + 1));
        if (below !== undefined) lists.push(below);
      }
    }
    if (this.#anyHost.rules.length > 0) {
      // `*` does not reach IP literals, except in a rule that denies.
      const isAddress = host.includes(':') || splitNumber(host, '.') !== undefined;
      lists.push(isAddress ? this.#anyHostDenies : this.#anyHost);
    }
    return lists;
  }

  /** Rules are added in their order. */
  add(rule: Rule): void {
    for (const pattern of rule.hosts) {
      if (pattern.kind === 'any') {
        this.#anyHost.add(rule);
        if (rule.effect === 'deny') this.#anyHostDenies.add(rule);
        continue;
      }
      const index = pattern.kind === 'exact' ? this.#byHost : this.#bySuffix;
      const key = pattern.kind === 'exact' ? pattern.host : pattern.suffix;
      const list = index.get(key) ?? new RuleList();
      index.set(key, list);
      list.add(rule);
    }
  }
}

/** The rules of one host pattern, in order. */
export class RuleList {
  readonly #rules: Rule[] = [];
  readonly #allows: Rule[] = [];
  #isByDestination = true;
  #judgesFields = false;
  /** When rules of the list change by themselves. */
  readonly times = new RuleTimes();
  #facets: Facets | undefined;

  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** Those that allow, in order. */
  get allows(): readonly Rule[] {
    return this.#allows;
  }

  /** Whether to all of them one request to a destination is as good as another. */
  get isByDestination(): boolean {
    return this.#isByDestination;
  }

  /** Whether one of them judges what the fields of a request ask for beside its destination. */
  get judgesFields(): boolean {
    return this.#judgesFields;
  }

  /** A rule that names a host twice is kept once. */
  add(rule: Rule): void {
    if (this.#rules.at(-1) === rule) return;
    this.#rules.push(rule);
    this.#isByDestination &&= isByDestination(rule);
    this.#judgesFields ||= rule.requestFields !== undefined;
    this.times.add(rule);
    if (rule.effect === 'allow') this.#allows.push(rule);
    if (this.#facets === undefined && this.#rules.length > plainRulesMax) {
      this.#facets = new Facets();
      for (const one of this.#rules) this.#facets.add(one);
    } else {
      this.#facets?.add(rule);
    }
  }

  /** Adds to `found` lists that hold every rule that can match this access, and few others; each is in order. */
  select(asked: Asked, found: (readonly Rule[])[]): void {
    if (this.#facets === undefined) found.push(this.#rules);
    else this.#facets.select(asked, found);
  }
}

/** Rules by port; those without one, or with many, stand apart. */
class Facets {
  readonly #byPort = new Map<number, Facet>();
  readonly #anyPort = new Facet();

  add(rule: Rule): void {
    const ports = portsOf(rule);
    if (ports === undefined || ports.size > portsIndexedMax) {
      this.#anyPort.add(rule);
      return;
    }
    for (const port of ports) {
      const facet = this.#byPort.get(port) ?? new Facet();
      this.#byPort.set(port, facet);
      facet.add(rule);
    }
  }

  select(asked: Asked, found: (readonly Rule[])[]): void {
    this.#byPort.get(asked.access.destination.port)?.select(asked, found);
    this.#anyPort.select(asked, found);
  }
}

function portsOf(rule: Rule): ReadonlySet<number> | undefined {
  if (rule.ports !== undefined || rule.effect === 'deny') return rule.ports;
  const ports = new Set<number>();
  if (rule.schemes.has('https')) ports.add(443);
  if (rule.schemes.has('http')) ports.add(80);
  return ports;
}

/** Rules by a claim that must have one value, else by the segments that their paths begin with, else all the others. */
class Facet {
  readonly #byClaim = new Map<string, Map<unknown, Rule[]>>();
  readonly #byPath = new Map<string, RuleGroup>();
  /** Those of `#byPath`, for connections, whose path is not known. */
  readonly #withPaths: Rule[] = [];
  readonly #others = new RuleGroup();

  add(rule: Rule): void {
    const claim = claimOf(rule);
    if (claim !== undefined) {
      const byValue = this.#byClaim.get(claim.name) ?? new Map<unknown, Rule[]>();
      this.#byClaim.set(claim.name, byValue);
      append(byValue, claim.value, rule);
      return;
    }
    const repositories = rule.paths === undefined ? repositoryPaths(rule) : undefined;
    if (repositories !== undefined) {
      this.#withPaths.push(rule);
      for (const path of repositories) this.#groupAt(wholeSegments(path, true)).add(rule);
      return;
    }
    if (rule.paths === undefined || rule.paths.length === 0) {
      this.#others.add(rule);
      return;
    }
    this.#withPaths.push(rule);
    for (const pattern of rule.paths) {
      for (const reading of readingsFor(pattern.features)) {
        const read = pattern.readAs(reading);
        const key = wholeSegments(read.literalPrefix, read.shape === 'exact');
        this.#groupAt(key).add(rule, read.tailBehind(segmentsOf(key)));
      }
    }
  }

  #groupAt(key: string): RuleGroup {
    const group = this.#byPath.get(key) ?? new RuleGroup();
    this.#byPath.set(key, group);
    return group;
  }

  select(asked: Asked, found: (readonly Rule[])[]): void {
    const { principal, access, work } = asked;
    for (const [name, byValue] of this.#byClaim) selectClaim(principal.claims[name], byValue, found);
    if (access.depth === 'connect') {
      found.push(this.#others.all, this.#withPaths);
      return;
    }
    // What origins read in several ways is judged in all of them, so rules are looked up by all.
    const isReadingPaths = this.#withPaths.length > 0 || this.#others.readsPaths;
    const texts = isReadingPaths ? readingsOf(access).texts(work) : [];
    const lists: (readonly Rule[])[] = [];
    this.#others.select(access, principal, texts, lists);
    const groups = new Set<RuleGroup>();
    for (const path of texts) selectPath(path, this.#byPath, (group) => groups.add(group));
    for (const group of groups) group.select(access, principal, texts, lists);
    found.push(...new Set(lists));
  }
}

/**
 * What the paths of a rule's repositories begin with, in both their forms. A rule that denies matches more than that, and
 * one that allows matches no path with two readings.
 */
function repositoryPaths({ effect, git }: Rule): readonly string[] | undefined {
  if (effect === 'deny') return undefined;
  return git?.repositories?.flatMap(({ literalSegments, isLiteral }) => {
    const path = literalSegments.map((segment) => `/${segment}`).join('');
    return isLiteral ? [path, `${path}.git`] : [path];
  });
}

/** A claim at the top that must have exactly one value. */
function claimOf({ selectors }: Rule): { readonly name: string; readonly value: unknown } | undefined {
  for (const selector of selectors) {
    for (const [name, value] of Object.entries(selector)) {
      if (typeof value === 'object' || (typeof value === 'string' && value.includes('*'))) continue;
      return { name, value };
    }
  }
  return undefined;
}

function selectClaim(
  claim: unknown,
  byValue: ReadonlyMap<unknown, Rule[]>,
  found: (readonly Rule[])[],
): void {
  // A claim that is a list fits if one of its values does.
  for (const value of Array.isArray(claim) ? new Set<unknown>(claim) : [claim]) {
    const rules = byValue.get(value);
    if (rules !== undefined) found.push(rules);
  }
}
