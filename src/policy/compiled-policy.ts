// A policy ready to decide: rules indexed by host, denies before allows, and always a rule behind the decision.

import type {
  AccessRequest,
  AllowDecision,
  AwaitedPart,
  Decision,
  DenyDecision,
  Policy,
  Principal,
  RuleReference,
  SessionRules,
} from './decision.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { UnreadableBody } from '../understand/json-value.ts';
import type { ClaimSelector } from './claim-selector.ts';
import { selects } from './claim-selector.ts';
import { formatHostPattern } from './host-pattern.ts';
import { defaultDenial, fieldDenial, ruleDenial, workDenial } from './denial.ts';
import { awaitsCommands } from './git-rule.ts';
import { MatchingWork } from './matching-work.ts';
import { judgeFields } from './request-fields.ts';
import { type Asked, HostIndex, type RuleList } from './rule-index.ts';
import { RuleTimes } from './rule-times.ts';
import { viewRules } from './session-view.ts';
import {
  type Asking,
  awaitedOf,
  destinationMismatch,
  isForSession,
  measuredMismatch,
  type Rule,
  seesRequests,
} from './rule.ts';

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
  /** Of the same rules, by who added them one by one. */
  readonly index?: RulesByHost;
}

/** The rules of a policy by host. A rule is added in little time, so that many can be added with pauses between. */
export class RulesByHost {
  readonly all = new HostIndex();
  /** Rules whose own mode says what becomes of requests that only they could have allowed. */
  readonly ownModes = new HostIndex();

  add(rule: Rule): void {
    this.all.add(rule);
    if (rule.effect === 'allow' && rule.handling === 'intercept' && rule.hasOwnMode) this.ownModes.add(rule);
  }
}

/** The policy of one or more files. Made by `parsePolicy`; immutable. */
export class CompiledPolicy implements Policy {
  readonly version: string;
  readonly rules: readonly Rule[];
  readonly files: readonly PolicyFile[];
  readonly #index: RulesByHost;
  readonly #times = new RuleTimes();
  /** Rules that pass bytes on as they are. */
  readonly #blind: readonly Rule[];

  constructor({ version, rules, files, index }: PolicyParts) {
    this.version = version;
    this.rules = rules;
    this.files = files;
    this.#index = index ?? new RulesByHost();
    for (const rule of rules) {
      this.#times.add(rule);
      if (index === undefined) this.#index.add(rule);
    }
    this.#blind = rules.filter(({ effect, handling }) => effect === 'allow' && handling !== 'intercept');
  }

  /**
   * Judges a connection or a request. Any deny that matches wins; of the allows, the first in order decides, and with it
   * what is injected and which limits hold. At depth `connect` a destination where some allow could match a request is
   * allowed as `intercept`; where none could, the denial is returned and the caller opens the TLS only to say it.
   */
  decide(principal: Principal, access: AccessRequest, nowMs: number): Decision {
    const lists = this.#index.all.listsFor(access.destination.host);
    const work = new MatchingWork(stepsFor(access));
    const selected = selectFrom(lists, { principal, access, work });
    const asking = { principal, nowMs, work };
    const verdict = judge(selected, access, asking);
    // Rules that were not looked at could deny.
    if (work.isSpent) return workDenial(access);
    if (isProbe(access)) return this.#probed(verdict, principal, { access, nowMs });
    if (verdict.deny !== undefined) return ruleDenial(verdict.deny, access);
    const observed = verdict.observedDeny?.reference.name;
    const awaits = awaitedBy(verdict, access);
    const isPlain = access.depth === 'request' && lists.every((list) => list.isByDestination);
    const plain = isPlain ? ({ isByDestination: true } as const) : {};
    if (verdict.allow !== undefined) {
      const lists = verdict.seesMessages ? ({ showsLists: true } as const) : {};
      const allow = { ...allowBy(verdict.allow, access, observed), ...lists, ...awaits, ...plain };
      return this.#withFields(verdict.allow, allow, principal, { access, nowMs });
    }
    const lenient = access.destination.scheme !== 'tcp' && this.isObserved(principal, access, nowMs);
    if (lenient) return { ...observedAllow(observed ?? defaultDenyName), ...awaits, ...plain };
    const rules = { selected, allows: lists.map(({ allows }) => allows) };
    return { ...defaultDenial(rules, access, asking), ...awaits };
  }

  /** Of a question about what could be asked, as for each item of a list: nobody reads why not. */
  #probed(
    { deny, allow }: Verdict,
    principal: Principal,
    { access, nowMs }: { readonly access: AccessRequest; readonly nowMs: number },
  ): Decision {
    if (deny !== undefined) return probeDenial;
    if (allow !== undefined) return allowBy(allow, access, undefined);
    return this.isObserved(principal, access, nowMs) ? observedAllow(defaultDenyName) : probeDenial;
  }

  /** The decision with what becomes of the fields of the request, or the denial for one of them. */
  #withFields(
    rule: Rule,
    allow: AllowDecision,
    principal: Principal,
    { access, nowMs }: { readonly access: AccessRequest; readonly nowMs: number },
  ): Decision {
    if (access.depth === 'connect' || rule.requestFields === undefined) return allow;
    const { refusal, removed, others } = judgeFields(rule.requestFields, access);
    if (refusal !== undefined) return fieldDenial(rule, access, refusal);
    for (const { field, requests } of others) {
      const [first, ...alike] = requests;
      if (first === undefined) continue;
      const what = `${first.method} ${first.path} of ${first.destination.host}, which the request asks for in a field`;
      const read = this.decide(principal, first, nowMs);
      // With the credential of this rule: a rule that gives another one says nothing about what this one may read.
      if (read.effect === 'deny' || !rule.inject.every((one) => gives(read, one)))
        return fieldDenial(rule, access, {
          field,
          reason: `No rule with the same credential allows ${what}`,
        });
      const denied = alike.map((one) => this.decide(principal, one, nowMs)).find(isByRule);
      if (denied !== undefined)
        return fieldDenial(rule, access, { field, reason: `The rule ${denied.rule.name} denies ${what}` });
    }
    return removed.length === 0 ? allow : { ...allow, removedFields: removed };
  }

  capturePorts(principal: Principal): readonly number[] {
    const ports = new Set<number>();
    for (const rule of this.rules) {
      if (rule.effect === 'deny' || rule.ports === undefined) continue;
      if (!isForSession(rule, principal)) continue;
      for (const port of rule.ports) ports.add(port);
    }
    ports.delete(80);
    ports.delete(443);
    return [...ports].toSorted((a, b) => a - b);
  }

  rulesFor(principal: Principal, bounds: Parameters<Policy['rulesFor']>[1]): SessionRules {
    const mayBeObserved = [...this.files, ...this.rules].some(({ mode }) => mode === 'observe');
    return { ...viewRules(this.rules, principal, bounds), isBounded: false, mayBeObserved };
  }

  blindHosts(principal: Principal): readonly string[] {
    return this.#blind.filter((rule) => isForSession(rule, principal)).flatMap(blindPatterns);
  }

  changesBetween(fromMs: number, toMs: number, host?: string): boolean {
    if (toMs === fromMs) return false;
    if (host === undefined) return this.#times.changesBetween(fromMs, toMs);
    const lists = this.#index.all.listsFor(host);
    // A field can ask for something of another host, by whose rules the decision is made then.
    const isWhole = lists.some((list) => list.judgesFields);
    if (isWhole) return this.#times.changesBetween(fromMs, toMs);
    return lists.some(({ times }) => times.changesBetween(fromMs, toMs));
  }

  /** Lists of the rules whose hosts match; within each list in order. A rule can be in several. */
  candidates(host: string): readonly (readonly Rule[])[] {
    return this.#index.all.listsFor(host).map(({ rules }) => rules);
  }

  /** How many rules a decision compares one by one. */
  selectedFor(principal: Principal, access: AccessRequest): number {
    const lists = this.#index.all.listsFor(access.destination.host);
    const selected = selectFrom(lists, { principal, access, work: new MatchingWork(stepsFor(access)) });
    return selected.reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * Whether what no rule allows is let through. A rule's own mode decides for its hosts; else every file that is for this
   * session must observe.
   */
  isObserved(principal: Principal, access: AccessRequest, nowMs: number): boolean {
    let decisive: Rule | undefined;
    for (const { rules } of this.#index.ownModes.listsFor(access.destination.host)) {
      const first = rules.find((rule) => destinationMismatch(rule, principal, access, nowMs) === undefined);
      if (first !== undefined && (decisive === undefined || first.order < decisive.order)) decisive = first;
    }
    if (decisive !== undefined) return decisive.mode === 'observe';
    const files = this.files.filter(({ selectors }) =>
      selectors.every((one) => selects(one, principal.claims)),
    );
    return files.length > 0 && files.every(({ mode }) => mode === 'observe');
  }
}

/** The destinations of a rule, one by one; a rule without ports is for those that its schemes imply. */
function blindPatterns({ hosts, ports }: Rule): readonly string[] {
  const own = ports === undefined ? [80, 443] : [...ports];
  return hosts.map(formatHostPattern).flatMap((host) => {
    const shown = host.includes(':') ? `[${host}]` : host;
    return own.map((port) => `${shown}:${port}`);
  });
}

/** What the decision may cost. */
export function stepsFor(access: AccessRequest): number {
  const { decisionStepsMax, decisionStepsPerRef, decisionStepsPerBodyOctet, decisionStepsPerItem } =
    defaultLimits;
  if (access.depth === 'connect') return decisionStepsMax;
  if (isProbe(access)) return decisionStepsPerItem;
  const refs = access.pushed?.length ?? 0;
  const ofGraphql = access.graphql instanceof UnreadableBody ? 0 : (access.graphql?.octets ?? 0);
  const octets = ofGraphql + (access.body?.kind === 'json' ? access.body.octets : 0);
  return decisionStepsMax + refs * decisionStepsPerRef + octets * decisionStepsPerBodyOctet;
}

function isProbe(access: AccessRequest): boolean {
  return access.depth === 'request' && access.body?.kind === 'message';
}

const probeDenial: DenyDecision = {
  effect: 'deny',
  rule: { name: defaultDenyName },
  reason: 'It is not allowed.',
  operatorReason: 'It is not allowed.',
};

function gives({ inject }: AllowDecision, name: string): boolean {
  return inject.some(({ credential }) => credential === name);
}

/** A denial that a rule was written for. */
function isByRule(decision: Decision): boolean {
  return decision.effect === 'deny' && decision.rule.name !== defaultDenyName;
}

function selectFrom(lists: readonly RuleList[], asked: Asked): readonly (readonly Rule[])[] {
  const selected: (readonly Rule[])[] = [];
  for (const list of lists) list.select(asked, selected);
  return selected;
}

interface Verdict {
  readonly deny: Rule | undefined;
  readonly observedDeny: Rule | undefined;
  readonly allow: Rule | undefined;
  /** Rules that deny look at what is not there yet. */
  readonly unread: ReadonlySet<AwaitedPart>;
  /** The same of rules on trial. */
  readonly unreadOnTrial: ReadonlySet<AwaitedPart>;
  /** A rule that denies is about messages of this server. */
  readonly seesMessages: boolean;
}

/** In this order: operations of GraphQL are read from the body, and that costs nothing where the request is a push. */
const bodyParts = ['graphql', 'body'] as const;

function awaitedBy(verdict: Verdict, access: AccessRequest): Pick<AllowDecision, 'awaits' | 'awaitsOnTrial'> {
  const { allow, unread, unreadOnTrial } = verdict;
  const ofAllow = allow === undefined ? [] : awaitedOf(allow, access);
  const isEnforced = allow?.mode === 'enforce';
  const enforced = bodyParts.find((part) => unread.has(part) || (isEnforced && ofAllow.includes(part)));
  if (enforced !== undefined) return { awaits: enforced };
  const onTrial = bodyParts.find((part) => unreadOnTrial.has(part) || ofAllow.includes(part));
  if (onTrial !== undefined) return { awaits: onTrial, awaitsOnTrial: true };
  const isPush =
    unread.has('git-commands') || unreadOnTrial.has('git-commands') || awaitsCommands(allow?.git, access);
  return isPush ? { awaits: 'git-commands' } : {};
}

/** What it costs to find that a rule is for another scheme, principal or method. */
const stepsPerRule = 5;

/** The first matching rule of each kind, in the order of the files. */
function judge(lists: readonly (readonly Rule[])[], access: AccessRequest, asking: Asking): Verdict {
  let deny: Rule | undefined;
  let observedDeny: Rule | undefined;
  let allow: Rule | undefined;
  let denySeesRequests: Rule | undefined;
  const unread = new Set<AwaitedPart>();
  const unreadOnTrial = new Set<AwaitedPart>();
  let seesMessages = false;
  const isEarlier = (rule: Rule, than: Rule | undefined): boolean =>
    than === undefined || rule.order < than.order;
  for (const list of lists) {
    for (const rule of list) {
      if (!asking.work.spend(stepsPerRule)) break;
      if (rule.effect === 'allow') {
        if (isEarlier(rule, allow) && measuredMismatch(rule, access, asking) === undefined) allow = rule;
        continue;
      }
      const isLater = access.depth === 'connect' && seesRequests(rule);
      if (isLater && (rule.mode === 'observe' || !isEarlier(rule, denySeesRequests))) continue;
      const best = rule.mode === 'observe' ? observedDeny : deny;
      if (!isEarlier(rule, best)) continue;
      const mismatch = measuredMismatch(rule, access, asking);
      seesMessages ||= rule.mcp !== undefined && (mismatch === undefined || mismatch === 'mcp');
      const awaiting = rule.mode === 'observe' ? unreadOnTrial : unread;
      if (mismatch === 'unread') awaiting.add('git-commands');
      if (mismatch === 'unread-body') awaiting.add('body');
      if (mismatch === 'unread-graphql') awaiting.add('graphql');
      if (mismatch !== undefined) continue;
      if (isLater) denySeesRequests = rule;
      else if (rule.mode === 'observe') observedDeny = rule;
      else deny = rule;
    }
  }
  // Blind bytes cannot be judged by a rule that looks at requests, so its hosts are never passed blindly.
  if (allow !== undefined && allow.handling !== 'intercept') deny ??= denySeesRequests;
  return { deny, observedDeny, allow, unread, unreadOnTrial, seesMessages };
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
    ...(isFinal && rule.budget !== undefined ? { budget: rule.budget } : {}),
    ...(rule.refusesEch && !isRequest ? { refusesEch: true } : {}),
    ...(isRequest && rule.bodies !== 'any' ? { bodies: rule.bodies } : {}),
    ...(isRequest && rule.mcp !== undefined ? { showsLists: true } : {}),
    ...(isRequest && rule.graphql?.ids !== undefined ? { learnsIds: [rule.graphql.ids] } : {}),
    ...(isRequest && rule.llm !== undefined ? { llm: rule.llm } : {}),
    ...(isRequest && rule.homeWrites ? { homeWrites: true } : {}),
    ...(isRequest && rule.continuesTrace ? { continuesTrace: true } : {}),
    ...(isRequest && rule.capture !== undefined ? { capture: rule.capture } : {}),
    ...(isRequest && rule.leaks !== undefined ? { leaks: rule.leaks } : {}),
    ...(isRequest && rule.screen !== undefined ? { screen: rule.screen } : {}),
    ...(isRequest && rule.rewrite !== undefined ? { rewrite: rule.rewrite } : {}),
    ...(isRequest && rule.trust.length > 0 ? { trust: rule.trust } : {}),
    ...(isRequest && rule.scrub !== undefined ? { scrub: rule.scrub } : {}),
    ...(observed === undefined ? {} : { observed }),
  };
}

/** What observe mode lets through: opened, without a credential, without a private network. */
function observedAllow(observed: string): AllowDecision {
  const rule: RuleReference = { name: observeName };
  return { effect: 'allow', rule, handling: 'intercept', inject: [], addresses: [], limits: {}, observed };
}
