// Which rules decide about requests to one destination with one method at one time: those that do for certain, and those
// that do if something holds that only a request, or a session, shows.

import type { Destination } from '../../http/destination.ts';
import type { CompiledPolicy } from '../compiled-policy.ts';
import type { AccessRequest, Principal } from '../decision.ts';
import { ruleAspects } from '../rule-aspects.ts';
import { destinationMismatch, methodMatches, missingFacts, type Rule } from '../rule.ts';
import type { PathRules } from './path-goal.ts';

/** A request without its path. */
export interface RequestClass {
  readonly destination: Destination;
  readonly method: string;
  readonly atMs: number;
}

/** Whose sessions it is about. Without claims, or without a posture, they can be whichever. */
export interface ProofAsker {
  readonly claims?: Principal['claims'] | undefined;
  readonly posture?: Principal['posture'] | undefined;
}

/** A rule that is for such requests, and what has to hold for it beside the path. */
export interface FittingRule {
  readonly rule: Rule;
  readonly unknown: readonly string[];
}

export interface Fitting {
  readonly allows: readonly FittingRule[];
  readonly denies: readonly FittingRule[];
  /** What no rule allows is let through, for certain or perhaps. */
  readonly observed: 'yes' | 'perhaps' | 'no';
  /** The rule that may pass connections on unopened, so that no request of them is seen. */
  readonly blind: FittingRule | undefined;
  readonly blindness: 'yes' | 'perhaps' | 'no';
  /** Whether connections are refused, because a rule that denies would have to see what such a rule does not show. */
  readonly refusal: 'yes' | 'perhaps' | 'no';
}

/** The keys of a rule that are looked at here; of every other one it is not known whether it holds. */
const known = new Set(['hosts', 'scheme', 'ports', 'methods', 'paths', 'expires', 'for', 'require']);
const unknownAspects = ruleAspects.filter(({ key, isMatch }) => isMatch && !known.has(key));

export function fittingRules(
  policy: CompiledPolicy,
  { destination, method, atMs }: RequestClass,
  asker: ProofAsker,
): Fitting {
  const principal = principalOf(asker);
  const connect: AccessRequest = { depth: 'connect', destination };
  const rules = new Set(policy.candidates(destination.host).flat());
  const fitting = [...rules]
    .filter((rule) => !(rule.effect === 'deny' && rule.mode === 'observe'))
    .toSorted((a, b) => a.order - b.order)
    .flatMap((rule): readonly FittingRule[] => {
      const mismatch = destinationMismatch(rule, principal, connect, atMs);
      const isForOthers = mismatch === 'for';
      if (mismatch !== undefined && !(isForOthers && asker.claims === undefined)) return [];
      const lacks = missingFacts(rule, principal).length > 0;
      if (lacks && asker.posture !== undefined) return [];
      return [{ rule, unknown: [...(isForOthers ? ['for'] : []), ...(lacks ? ['require'] : [])] }];
    });
  const requests = fitting
    .filter(({ rule }) => rule.handling === 'intercept' && methodMatches(rule, method))
    .map(({ rule, unknown }) => ({ rule, unknown: [...unknown, ...unknownOf(rule)] }));
  return {
    allows: requests.filter(({ rule }) => rule.effect === 'allow'),
    denies: requests.filter(({ rule }) => rule.effect === 'deny'),
    observed: observedOf(policy, principal, { access: connect, atMs, asker }),
    ...blindOf(fitting),
  };
}

function unknownOf(rule: Rule): readonly string[] {
  const keys = unknownAspects.flatMap(({ key, text }) => (text(rule) === undefined ? [] : [key]));
  return [
    ...keys,
    // A person has to say so.
    ...(rule.ask === undefined ? [] : ['ask']),
    // One needs a body that can be read, the other a system that allows it.
    ...(rule.rewrite?.request === undefined ? [] : ['rewrite']),
    ...(rule.decide?.isOnTrial === false ? ['decide'] : []),
  ];
}

/** Whether a person or a decider has to allow it too. On trial a decider refuses nothing. */
export function asksOthers({ ask, decide }: Rule): boolean {
  return ask !== undefined || decide?.isOnTrial === false;
}

/** Who asks, as far as that is known. */
export function principalOf({ claims = {}, posture = [] }: ProofAsker): Principal {
  return { id: 'proof', sessionId: 'proof', claims, posture };
}

/** The first rule that allows a connection says what becomes of it, if no rule denies that could see the requests. */
function blindOf(fitting: readonly FittingRule[]): Pick<Fitting, 'blind' | 'blindness' | 'refusal'> {
  const allows = fitting.filter(({ rule }) => rule.effect === 'allow');
  const isOpened = ({ rule, unknown }: FittingRule): boolean =>
    rule.handling === 'intercept' && unknown.length === 0;
  const opened = allows.findIndex(isOpened);
  const before = opened < 0 ? allows : allows.slice(0, opened);
  const blind = before.find(({ rule }) => rule.handling !== 'intercept');
  if (blind === undefined) return { blind, blindness: 'no', refusal: 'no' };
  // One that denies, whatever it looks at, keeps the connection from being passed on unopened: it is refused.
  const denies = fitting.filter(({ rule }) => rule.effect === 'deny');
  const isFirst = before[0] === blind && blind.unknown.length === 0;
  const isClosed = denies.some(({ unknown }) => unknown.length === 0);
  return {
    blind,
    blindness: isClosed ? 'no' : isFirst && denies.length === 0 ? 'yes' : 'perhaps',
    refusal: denies.length === 0 ? 'no' : isFirst && isClosed ? 'yes' : 'perhaps',
  };
}

function observedOf(
  policy: CompiledPolicy,
  principal: Principal,
  {
    access,
    atMs,
    asker,
  }: { readonly access: AccessRequest; readonly atMs: number; readonly asker: ProofAsker },
): Fitting['observed'] {
  const isObserved = policy.isObserved(principal, access, atMs);
  if (asker.claims !== undefined) return isObserved ? 'yes' : 'no';
  const own = policy
    .candidates(access.destination.host)
    .flat()
    .filter(({ hasOwnMode }) => hasOwnMode);
  const bySession =
    own.some(({ selectors }) => selectors.length > 0) ||
    policy.files.some(({ selectors }) => selectors.length > 0);
  if (!bySession) return isObserved ? 'yes' : 'no';
  const mayObserve = [...own, ...policy.files].some(({ mode }) => mode === 'observe');
  return mayObserve ? 'perhaps' : 'no';
}

/** `certain`: what is not known does not help; `possible`: it does. `grants`: somebody may allow what no rule denies. */
export function pathRulesOf(fitting: Fitting, mode: 'certain' | 'possible', grants = false): PathRules {
  const { allows, denies, observed, blindness, refusal } = fitting;
  const isPossible = mode === 'possible';
  if (blindness === 'yes' || (isPossible && blindness === 'perhaps'))
    return { allows: [], denies: [], isOpen: true };
  if (refusal === 'yes' || (!isPossible && refusal === 'perhaps'))
    return { allows: [], denies: [undefined], isOpen: false };
  const asked = isPossible ? [] : askedBefore(fitting);
  const counts = (isWanted: boolean) => (one: FittingRule) => isWanted || one.unknown.length === 0;
  return {
    allows: allows.filter(counts(isPossible)).map(({ rule }) => rule.paths),
    denies: [...denies.filter(counts(!isPossible)), ...asked].map(({ rule }) => rule.paths),
    isOpen: grants || observed === 'yes' || (isPossible && observed === 'perhaps'),
  };
}

/**
 * The first rule that allows decides, and whom it asks may not allow: what a later one lets through is then not certain. Where an
 * earlier one allows the same for certain, more is left open here than is.
 */
function askedBefore({ allows, observed }: Fitting): readonly FittingRule[] {
  const certain = allows.filter(({ unknown }) => unknown.length === 0).map(({ rule }) => rule.order);
  const last = observed === 'yes' ? Infinity : Math.max(-1, ...certain);
  return allows.filter(({ rule }) => asksOthers(rule) && rule.order < last);
}
