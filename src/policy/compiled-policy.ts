// A policy ready to decide: rules indexed by host, denies before allows, and always a rule behind the answer.

import type { AccessRequest, AllowDecision, Decision, Policy, Principal, RuleReference } from './decision.ts';
import type { ClaimSelector } from './claim-selector.ts';
import { selects } from './claim-selector.ts';
import { defaultDenial, ruleDenial } from './denial.ts';
import { destinationMismatch, mismatchOf, type Rule, seesRequests } from './rule.ts';

/** Name of the rule behind a denial that no written rule made. */
export const defaultDenyName = 'default-deny';
/** Name of the rule behind what observe mode lets through. */
export const observeName = 'observe';

/** What a file says beside its rules. */
export interface PolicyFile {
  readonly file: string;
  readonly selectors: readonly ClaimSelector[];
  readonly mode: 'enforce' | 'observe';
}

/** The parts of a policy that reading found sound. */
export interface PolicyParts {
  readonly version: string;
  readonly rules: readonly Rule[];
  readonly files: readonly PolicyFile[];
}

/** Ports that one session can be told to capture; more than this is a list nobody meant. */
const capturePortsMax = 256;

/** The policy of one or more files. Made by `parsePolicy`; immutable. */
export class CompiledPolicy implements Policy {
  readonly version: string;
  readonly rules: readonly Rule[];
  readonly #files: readonly PolicyFile[];
  readonly #byHost = new Map<string, Rule[]>();
  readonly #bySuffix = new Map<string, Rule[]>();
  readonly #anyHost: Rule[] = [];

  constructor({ version, rules, files }: PolicyParts) {
    this.version = version;
    this.rules = rules;
    this.#files = files;
    for (const rule of rules) this.#index(rule);
  }

  /**
   * Judges a connection or a request. Any deny that matches wins; of the allows, the first in order decides, and with it
   * what is injected and which limits hold. At depth `connect` a destination where some allow could match a request is
   * allowed as `intercept`; where none could, the denial is returned and the caller opens the TLS only to say it.
   */
  decide(principal: Principal, access: AccessRequest, nowMs: number): Decision {
    const lists = this.candidates(access.destination.host);
    const verdict = judge(lists, principal, access, nowMs);
    if (verdict.deny !== undefined) return ruleDenial(verdict.deny, access);
    const observed = verdict.observedDeny?.reference.name;
    if (verdict.allow !== undefined) return allowBy(verdict.allow, access, observed);
    const lenient = access.destination.scheme !== 'tcp' && this.#isObserved(lists, principal, access, nowMs);
    if (lenient) return observedAllow(observed ?? defaultDenyName);
    return defaultDenial(lists.flat(), principal, access, nowMs);
  }

  capturePorts(principal: Principal): readonly number[] {
    const ports = new Set<number>();
    for (const rule of this.rules) {
      if (rule.effect === 'deny' || rule.ports === undefined) continue;
      if (!rule.selectors.every((selector) => selects(selector, principal.claims))) continue;
      for (const port of rule.ports) ports.add(port);
    }
    ports.delete(80);
    ports.delete(443);
    return [...ports].toSorted((a, b) => a - b).slice(0, capturePortsMax);
  }

  /** Lists of the rules whose hosts match; within each list in order. A rule can be in several. */
  candidates(host: string): readonly (readonly Rule[])[] {
    const lists: (readonly Rule[])[] = [];
    const exact = this.#byHost.get(host);
    if (exact !== undefined) lists.push(exact);
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const below = this.#bySuffix.get(host.slice(dot + 1));
      if (below !== undefined) lists.push(below);
    }
    if (this.#anyHost.length > 0) {
      const isAddress = host.includes(':') || /\.\d+$/.test(host);
      lists.push(isAddress ? this.#anyHost.filter((rule) => rule.effect === 'deny') : this.#anyHost);
    }
    return lists;
  }

  #index(rule: Rule): void {
    for (const pattern of rule.hosts) {
      if (pattern.kind === 'any') {
        this.#anyHost.push(rule);
        continue;
      }
      const index = pattern.kind === 'exact' ? this.#byHost : this.#bySuffix;
      const key = pattern.kind === 'exact' ? pattern.host : pattern.suffix;
      const list = index.get(key);
      if (list === undefined) index.set(key, [rule]);
      else if (list.at(-1) !== rule) list.push(rule);
    }
  }

  /** A rule's own mode decides for its hosts; else every file that is for this session must observe. */
  #isObserved(
    lists: readonly (readonly Rule[])[],
    principal: Principal,
    access: AccessRequest,
    nowMs: number,
  ): boolean {
    let decisive: Rule | undefined;
    for (const rule of lists.flat()) {
      if (rule.effect === 'deny' || rule.handling !== 'intercept' || !rule.hasOwnMode) continue;
      if (decisive !== undefined && decisive.order <= rule.order) continue;
      if (destinationMismatch(rule, principal, access, nowMs) === undefined) decisive = rule;
    }
    if (decisive !== undefined) return decisive.mode === 'observe';
    const files = this.#files.filter(({ selectors }) =>
      selectors.every((one) => selects(one, principal.claims)),
    );
    return files.length > 0 && files.every(({ mode }) => mode === 'observe');
  }
}

interface Verdict {
  readonly deny: Rule | undefined;
  readonly observedDeny: Rule | undefined;
  readonly allow: Rule | undefined;
}

/** The first matching rule of each kind, in the order of the files. */
function judge(
  lists: readonly (readonly Rule[])[],
  principal: Principal,
  access: AccessRequest,
  nowMs: number,
): Verdict {
  let deny: Rule | undefined;
  let observedDeny: Rule | undefined;
  let allow: Rule | undefined;
  let denySeesRequests: Rule | undefined;
  const isEarlier = (rule: Rule, than: Rule | undefined): boolean =>
    than === undefined || rule.order < than.order;
  for (const list of lists) {
    for (const rule of list) {
      if (rule.effect === 'allow') {
        if (isEarlier(rule, allow) && mismatchOf(rule, principal, access, nowMs) === undefined) allow = rule;
        continue;
      }
      const best = rule.mode === 'observe' ? observedDeny : deny;
      if (!isEarlier(rule, best) || mismatchOf(rule, principal, access, nowMs) !== undefined) continue;
      if (access.depth === 'connect' && seesRequests(rule)) {
        if (rule.mode === 'enforce' && isEarlier(rule, denySeesRequests)) denySeesRequests = rule;
      } else if (rule.mode === 'observe') observedDeny = rule;
      else deny = rule;
    }
  }
  // Blind bytes cannot be judged by a rule that looks at requests, so its hosts are never passed blindly.
  if (allow !== undefined && allow.handling !== 'intercept') deny ??= denySeesRequests;
  return { deny, observedDeny, allow };
}

function allowBy(rule: Rule, access: AccessRequest, observed: string | undefined): AllowDecision {
  const isRequest = access.depth === 'request';
  // A connection that will be opened is dialled for a request, by the decision about that request.
  const isFinal = isRequest || rule.handling !== 'intercept';
  return {
    effect: 'allow',
    rule: rule.reference,
    handling: rule.handling,
    inject: isRequest ? rule.inject.map((credential) => ({ credential })) : [],
    addresses: isFinal ? rule.addresses : [],
    limits: isFinal ? rule.limits : {},
    ...(isRequest && rule.trust.length > 0 ? { trust: rule.trust } : {}),
    ...(observed === undefined ? {} : { observed }),
  };
}

/** What observe mode lets through: opened, without a credential, without a private network. */
export function observedAllow(observed: string): AllowDecision {
  const rule: RuleReference = { name: observeName };
  return { effect: 'allow', rule, handling: 'intercept', inject: [], addresses: [], limits: {}, observed };
}
