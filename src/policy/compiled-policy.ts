// A policy ready to decide: rules indexed by host, denies before allows, and always a rule behind the decision.

import type {
  AccessRequest,
  AllowDecision,
  AwaitedPart,
  Decision,
  Policy,
  Principal,
  RuleReference,
  SessionRules,
} from './decision.ts';
import { awaitedBy, type Awaiting, awaitsNothing, noParts, unreadParts } from './awaited-parts.ts';
import { allowBy } from './allow-by.ts';
import { mayPass, openingRule } from './auto-passage.ts';
import { moreOf, operationsOf } from './beyond-rule.ts';
import { blindHostsOf } from './blind-hosts-of.ts';
import type { ClaimSelector } from './claim-selector.ts';
import { selects } from './claim-selector.ts';
import { defaultDenial, fieldDenial, ruleDenial, workDenial } from './denial.ts';
import { opensGraphqlSocket } from './graphql-rule.ts';
import { KeptAllows } from './kept-allows.ts';
import { decidedPackage, seesPackage } from './decided-package.ts';
import type { NamedRegistry } from './known-package.ts';
import { isProbe, stepsFor } from './decision-work.ts';
import { MatchingWork } from './matching-work.ts';
import { probeDenialBy } from './probe-denial.ts';
import { judgeFields } from './request-fields.ts';
import { type Asked, HostIndex, type RuleList } from './rule-index.ts';
import { RuleTimes } from './rule-times.ts';
import { signingOf } from './session-signing.ts';
import type { SessionSigning } from './sign-condition.ts';
import { viewRules } from './session-view.ts';
import {
  type Asking,
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
  readonly revokesTokens: boolean;
  readonly #index: RulesByHost;
  readonly #times = new RuleTimes();
  readonly #kept = new KeptAllows();
  /** Rules that pass bytes on as they are. */
  readonly #blind: readonly Rule[];
  /** Rules by which objects are signed. */
  readonly #signing: readonly Rule[];

  constructor({ version, rules, files, index }: PolicyParts) {
    this.version = version;
    this.rules = rules;
    this.files = files;
    this.#index = index ?? new RulesByHost();
    for (const rule of rules) {
      this.#times.add(rule);
      if (index === undefined) this.#index.add(rule);
    }
    this.revokesTokens = rules.some(({ logIn }) => logIn?.revoke !== undefined);
    this.#signing = rules.filter(({ sign }) => sign !== undefined);
    this.#blind = rules.filter(
      (rule) => rule.effect === 'allow' && (rule.handling !== 'intercept' || mayPass(rule)),
    );
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
    const fetched = decidedPackage(verdict, access, nowMs);
    if (verdict.deny !== undefined) return ruleDenial(verdict.deny, access, fetched);
    const observed = verdict.observedDeny?.reference.name;
    const awaits = awaitedBy(verdict, access, nowMs);
    const isPlain = access.depth === 'request' && lists.every((list) => list.isByDestination);
    const plain = isPlain ? ({ isByDestination: true } as const) : {};
    // On trial it asks nobody, and gives nothing that a person would have to give.
    if (verdict.allow?.ask !== undefined && verdict.allow.mode === 'observe' && access.depth === 'request')
      return { ...observedAllow(observed ?? verdict.allow.reference.name), ...awaits };
    if (verdict.allow !== undefined) {
      const { allow: rule } = verdict;
      const isRequest = access.depth === 'request';
      const more = moreOf({ ...verdict, fetched }, awaits, access);
      const passes = this.#passes(verdict, selected, { principal, access, nowMs });
      const make = (): AllowDecision => ({
        ...allowBy(rule, { isRequest, passes }, observed),
        ...more,
        ...plain,
      });
      const isOfRuleAlone = isRequest && observed === undefined && more === awaitsNothing;
      const allow = isOfRuleAlone ? this.#kept.of(rule, isPlain, make) : make();
      return this.#withFields(rule, allow, principal, { access, nowMs });
    }
    const lenient =
      !['tcp', 'udp'].includes(access.destination.scheme) && this.isObserved(principal, access, nowMs);
    if (lenient)
      return { ...observedAllow(observed ?? defaultDenyName), ...operationsOf(verdict), ...awaits, ...plain };
    const rules = { selected, allows: lists.map(({ allows }) => allows) };
    return { ...defaultDenial(rules, access, asking), ...fetched, ...awaits };
  }

  /** Of a question about what could be asked, as for each item of a list: nobody reads why not. */
  #probed(
    { deny, allow }: Verdict,
    principal: Principal,
    { access, nowMs }: { readonly access: AccessRequest; readonly nowMs: number },
  ): Decision {
    if (deny !== undefined) return probeDenial;
    if (allow !== undefined)
      return allowBy(allow, { isRequest: access.depth === 'request', passes: false }, undefined);
    return this.isObserved(principal, access, nowMs) ? observedAllow(defaultDenyName) : probeDenial;
  }

  /** Whether nothing that is for the connection needs to see more of it than where it goes. What observes sees all. */
  #passes(
    { allow, observedDeny }: Verdict,
    selected: readonly (readonly Rule[])[],
    asked: { readonly principal: Principal; readonly access: AccessRequest; readonly nowMs: number },
  ): boolean {
    const { principal, access } = asked;
    if (allow?.opensAsNeeded !== true || observedDeny !== undefined) return false;
    if (access.depth !== 'connect' || access.destination.scheme !== 'https') return false;
    const observes = this.files.some(
      ({ mode, selectors }) => mode === 'observe' && selectors.every((one) => selects(one, principal.claims)),
    );
    return !observes && openingRule(selected, asked) === undefined;
  }

  /** The rule for which a connection is opened that could pass otherwise; undefined: it passes, or no rule would let it. */
  openedFor(principal: Principal, access: AccessRequest, nowMs: number): Rule | undefined {
    const rules = this.candidates(access.destination.host);
    const mayPassAny = rules.flat().some((rule) => rule.opensAsNeeded);
    return mayPassAny ? openingRule(rules, { principal, access, nowMs }) : undefined;
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
      // Nobody is asked about what a field asks for.
      if (
        read.effect === 'deny' ||
        read.asks !== undefined ||
        read.deciders !== undefined ||
        !rule.inject.every((one) => gives(read, one))
      )
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
    return blindHostsOf(this.#blind, principal);
  }

  sshHosts(principal: Principal): readonly string[] {
    return blindHostsOf(this.#blind, principal, 'ssh');
  }

  injected(principal: Principal): ReadonlySet<string> {
    const own = this.rules.filter((rule) => rule.effect === 'allow' && isForSession(rule, principal));
    return new Set(own.flatMap(({ inject }) => inject));
  }

  signing(principal: Principal): SessionSigning | undefined {
    return signingOf(this.#signing, principal);
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

interface Verdict extends Awaiting {
  readonly deny: Rule | undefined;
  readonly observedDeny: Rule | undefined;
  /** A rule that denies is about messages of this server. */
  readonly seesMessages: boolean;
  /** One that denies looks at operations of GraphQL, and the request opens a WebSocket for them. */
  readonly readsOperations: boolean;
  /** Rules that are about packages of this host, whether for this one or not. */
  readonly seesPackages: readonly Rule[] | undefined;
}

const probeDenial = probeDenialBy(defaultDenyName);

/** What it costs to find that a rule is for another scheme, principal or method. */
const stepsPerRule = 5;

/** The first matching rule of each kind, in the order of the files. */
function judge(lists: readonly (readonly Rule[])[], access: AccessRequest, asking: Asking): Verdict {
  let deny: Rule | undefined;
  let observedDeny: Rule | undefined;
  let allow: Rule | undefined;
  let denySeesRequests: Rule | undefined;
  let unread: Set<AwaitedPart> | undefined;
  let unreadOnTrial: Set<AwaitedPart> | undefined;
  let publishesAt: NamedRegistry | undefined;
  let seesMessages = false;
  let readsOperations = false;
  const opensSocket = access.depth === 'request' && opensGraphqlSocket(access);
  let seesPackages: Rule[] | undefined;
  const isEarlier = (rule: Rule, than: Rule | undefined): boolean =>
    than === undefined || rule.order < than.order;
  for (const list of lists) {
    for (const rule of list) {
      if (!asking.work.spend(stepsPerRule)) break;
      if (rule.effect === 'allow') {
        if (!isEarlier(rule, allow)) continue;
        const mismatch = measuredMismatch(rule, access, asking);
        if (seesPackage(rule, mismatch)) (seesPackages ??= []).push(rule);
        if (mismatch === undefined) allow = rule;
        continue;
      }
      const isLater = access.depth === 'connect' && seesRequests(rule);
      if (isLater && (rule.mode === 'observe' || !isEarlier(rule, denySeesRequests))) continue;
      const best = rule.mode === 'observe' ? observedDeny : deny;
      if (!isEarlier(rule, best)) continue;
      const mismatch = measuredMismatch(rule, access, asking);
      if (seesPackage(rule, mismatch)) (seesPackages ??= []).push(rule);
      seesMessages ||= rule.mcp !== undefined && (mismatch === undefined || mismatch === 'mcp');
      readsOperations ||= opensSocket && rule.graphql !== undefined && mismatch === 'graphql';
      const part = mismatch === undefined ? undefined : unreadParts.get(mismatch);
      if (part === 'publication') publishesAt ??= rule.packages;
      if (part !== undefined && rule.mode === 'observe') (unreadOnTrial ??= new Set()).add(part);
      else if (part !== undefined) (unread ??= new Set()).add(part);
      if (mismatch !== undefined) continue;
      if (isLater) denySeesRequests = rule;
      else if (rule.mode === 'observe') observedDeny = rule;
      else deny = rule;
    }
  }
  // Blind bytes cannot be judged by a rule that looks at requests, so its hosts are never passed blindly.
  if (allow !== undefined && allow.handling !== 'intercept') deny ??= denySeesRequests;
  const [awaited = noParts, onTrial = noParts] = [unread, unreadOnTrial];
  return {
    deny,
    observedDeny,
    allow,
    unread: awaited,
    unreadOnTrial: onTrial,
    publishesAt,
    seesMessages,
    readsOperations,
    seesPackages,
  };
}

/** What observe mode lets through: opened, without a credential, without a private network. */
function observedAllow(observed: string): AllowDecision {
  const rule: RuleReference = { name: observeName };
  return { effect: 'allow', rule, handling: 'intercept', inject: [], addresses: [], limits: {}, observed };
}
