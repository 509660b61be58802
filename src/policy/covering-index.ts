// Finds the rule that leaves nothing over for another, without comparing each with each.

import { coveringKeys, formatHostPattern } from './host-pattern.ts';
import { selectPath, wholeSegments } from './path-prefix.ts';
import { decidesBefore, portsOf } from './rule-cover.ts';
import { append } from './lists-by-key.ts';
import type { Rule } from './rule.ts';

/** A rule with more ports than this is looked at for every port. */
const portsIndexedMax = 16;

/** Rules by everything that a rule which covers another must share with it. */
export class CoveringIndex {
  readonly #byPlace = new Map<string, Facet>();

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) {
      // A condition or an end in time leaves something over.
      if (rule.when !== undefined || rule.expiresMs !== undefined) continue;
      const sessions = JSON.stringify(rule.selectors);
      for (const port of portKeys(rule)) {
        for (const host of rule.hosts) {
          const key = `${formatHostPattern(host)} ${port} ${sessions}`;
          const facet = this.#byPlace.get(key) ?? new Facet();
          this.#byPlace.set(key, facet);
          facet.add(rule);
        }
      }
    }
  }

  /** The first rule that always decides before this one. */
  find(rule: Rule): Rule | undefined {
    // What covers the whole rule covers its first host and its first port.
    const [host] = rule.hosts;
    const [scheme] = rule.schemes;
    if (host === undefined || scheme === undefined) return undefined;
    const [port = 'all'] = portsOf(rule, scheme);
    const ports = new Set([port, 'all', 'many']);
    const sessions = new Set(['[]', JSON.stringify(rule.selectors)]);
    for (const key of coveringKeys(host)) {
      let first: Rule | undefined;
      for (const facet of this.#facets(key, ports, sessions)) {
        for (const list of facet.candidates(rule)) {
          const other = list.find((one) => one !== rule && decidesBefore(one, rule));
          if (other !== undefined && (first === undefined || other.order < first.order)) first = other;
        }
      }
      if (first !== undefined) return first;
    }
    return undefined;
  }

  *#facets(key: string, ports: Iterable<number | string>, sessions: Iterable<string>): Generator<Facet> {
    for (const port of ports) {
      for (const session of sessions) {
        const facet = this.#byPlace.get(`${key} ${port} ${session}`);
        if (facet !== undefined) yield facet;
      }
    }
  }
}

function portKeys(rule: Rule): readonly (number | string)[] {
  const ports = new Set([...rule.schemes].flatMap((scheme) => portsOf(rule, scheme)));
  return ports.size > portsIndexedMax ? ['many'] : [...ports];
}

/** Rules of one place by what they say of requests: by git, else by paths, else by methods. */
class Facet {
  readonly #all: Rule[] = [];
  readonly #byMethod = new Map<string, Rule[]>();
  readonly #byRepository = new Map<string, Rule[]>();
  readonly #byOpenPath = new Map<string, Rule[]>();
  readonly #byExactPath = new Map<string, Rule[]>();
  /** Other patterns cover themselves and exact paths. */
  readonly #bySource = new Map<string, Rule[]>();
  readonly #byOtherPath = new Map<string, Rule[]>();

  add(rule: Rule): void {
    if (this.#all.at(-1) === rule) return;
    this.#all.push(rule);
    const { git, paths, methods } = rule;
    if (git !== undefined) {
      const prefixes = git.repositories?.map(({ literalSegments }) => repositoryKey(literalSegments)) ?? [''];
      for (const prefix of prefixes) append(this.#byRepository, wholeSegments(prefix, true), rule);
    } else if (paths !== undefined) {
      for (const { shape, literalPrefix, source } of paths) {
        if (shape === 'open') append(this.#byOpenPath, wholeSegments(literalPrefix, false), rule);
        else if (shape === 'exact') append(this.#byExactPath, literalPrefix, rule);
        else {
          append(this.#bySource, source, rule);
          append(this.#byOtherPath, wholeSegments(literalPrefix, false), rule);
        }
      }
    } else {
      for (const method of methods ?? ['']) append(this.#byMethod, method, rule);
    }
  }

  /** Lists of all rules of the place that can cover this one, and few others; each in order. */
  candidates(rule: Rule): readonly (readonly Rule[])[] {
    // For connections that stay closed it does not matter what the other says of requests.
    if (rule.handling !== 'intercept') return [this.#all];
    const found: (readonly Rule[])[] = [];
    const take = (rules: readonly Rule[]): void => {
      found.push(rules);
    };
    const [path] = rule.paths ?? [];
    const [method] = rule.methods ?? [];
    found.push(this.#byMethod.get('') ?? []);
    if (method !== undefined) found.push(this.#byMethod.get(method) ?? []);
    if (path !== undefined) {
      selectPath(path.literalPrefix, this.#byOpenPath, take);
      found.push(this.#bySource.get(path.source) ?? []);
      if (path.shape === 'exact') {
        found.push(this.#byExactPath.get(path.literalPrefix) ?? []);
        selectPath(path.literalPrefix, this.#byOtherPath, take);
      }
    }
    if (rule.git !== undefined) {
      const [repository] = rule.git.repositories ?? [];
      selectPath(repositoryKey(repository?.literalSegments ?? []), this.#byRepository, take);
    }
    return found;
  }
}

function repositoryKey(segments: readonly string[]): string {
  return segments.map((segment) => `/${segment}`).join('');
}
