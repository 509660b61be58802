// Rules that an index cannot tell apart by where their paths begin: told apart by how paths end, or by what their
// conditions compare.

import type { AccessRequest, Principal } from './decision.ts';
import { append } from './lists-by-key.ts';
import { selectPath, wholeSegments } from './path-prefix.ts';
import { type PathTail, TailIndex } from './path-tails.ts';
import type { Rule } from './rule.ts';

/** Every rule of the group that can match is in a list that is selected; each list is in order. */
export class RuleGroup {
  readonly #all: Rule[] = [];
  readonly #plain: Rule[] = [];
  readonly #byTail = new TailIndex<Rule>();
  readonly #bySubject = new Map<string, GuardedRules>();

  /** All of them, for connections, whose paths and conditions are not known yet. */
  get all(): readonly Rule[] {
    return this.#all;
  }

  /** Whether `select` needs the readings of the path. */
  get readsPaths(): boolean {
    return this.#byTail.size > 0 || this.#bySubject.has('path');
  }

  /** `tail`: of one pattern of the rule, by which it stands in this group. */
  add(rule: Rule, tail?: PathTail): void {
    if (this.#all.at(-1) !== rule) this.#all.push(rule);
    if (tail !== undefined) {
      this.#byTail.add(tail, rule);
      return;
    }
    const guard = rule.when?.guard;
    if (guard === undefined) {
      if (this.#plain.at(-1) !== rule) this.#plain.push(rule);
      return;
    }
    const guarded = this.#bySubject.get(guard.subject) ?? new GuardedRules();
    this.#bySubject.set(guard.subject, guarded);
    guarded.add(rule);
  }

  /** For a request of which `paths` are all readings. */
  select(access: AccessRequest, principal: Principal, paths: readonly string[], found: RuleLists): void {
    if (this.#plain.length > 0) found.push(this.#plain);
    for (const path of paths) this.#byTail.select(path, found);
    for (const [subject, rules] of this.#bySubject)
      rules.select(textsOf(subject, access, principal, paths), found);
  }
}

type RuleLists = (readonly Rule[])[];

/** What a subject is, in all readings; undefined where it is no text, so that the condition has to be asked. */
function textsOf(
  subject: string,
  access: AccessRequest,
  { claims }: Principal,
  paths: readonly string[],
): readonly string[] | undefined {
  switch (subject) {
    case 'path':
      return paths;
    case 'host':
      return [access.destination.host];
    case 'method':
      return access.depth === 'request' ? [access.method] : undefined;
    default: {
      const name = subject.slice('claims.'.length);
      const claim = Object.hasOwn(claims, name) ? claims[name] : undefined;
      return typeof claim === 'string' ? [claim] : undefined;
    }
  }
}

/** Rules whose conditions compare one subject. */
class GuardedRules {
  readonly #all: Rule[] = [];
  readonly #byText = new Map<string, Rule[]>();
  readonly #byPrefix = new Map<string, Rule[]>();

  add(rule: Rule): void {
    this.#all.push(rule);
    const guard = rule.when?.guard;
    for (const text of new Set(guard?.texts)) {
      if (guard?.kind === 'prefix') append(this.#byPrefix, wholeSegments(text, false), rule);
      else append(this.#byText, text, rule);
    }
  }

  select(texts: readonly string[] | undefined, found: RuleLists): void {
    if (texts === undefined) {
      found.push(this.#all);
      return;
    }
    for (const text of texts) {
      const equal = this.#byText.get(text);
      if (equal !== undefined) found.push(equal);
      if (this.#byPrefix.size > 0) selectPath(text, this.#byPrefix, (rules) => found.push(rules));
    }
  }
}
