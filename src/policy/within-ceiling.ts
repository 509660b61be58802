// What is left of a decision under a ceiling that allows too: never more than either of them gives.

import { observeName } from './compiled-policy.ts';
import type {
  AllowDecision,
  Decision,
  DenyDecision,
  RuleBodies,
  RuleCapture,
  RuleLimits,
  RuleScrub,
} from './decision.ts';
import { bothLeaks } from './leak-rule.ts';
import type { LlmCondition } from './llm-condition.ts';
import { networkCovers } from './network.ts';
import { bothRewrites } from './rewrite-rule.ts';
import { bothScreens } from './screen-rule.ts';

/** `bound` is what the ceiling said of the same access. */
export function allowWithin(own: AllowDecision, bound: AllowDecision): Decision {
  const observed = own.observed ?? bound.observed;
  // A ceiling on trial bounds nothing yet. One whose rule allows does, whatever a denial on trial would say.
  if (bound.rule.name === observeName)
    return { ...withoutAwaits(own), ...some('observed', observed), ...bothAwait(own, bound) };
  if (own.handling !== bound.handling)
    return denial(
      bound,
      `the bytes would be handled as ${own.handling}, and the ceiling says ${bound.handling}`,
    );
  const isGiven = new Set(bound.inject.map(({ credential }) => credential));
  const beyond = own.inject.find(({ credential }) => !isGiven.has(credential));
  if (beyond !== undefined)
    return denial(
      bound,
      `the credential ${beyond.credential} would be put on it, which the ceiling does not give there`,
    );
  const {
    isByDestination: _plain,
    homeWrites: _writes,
    continuesTrace: _trace,
    trust: _trust,
    scrub: _scrub,
    awaits: _awaits,
    awaitsOnTrial: _onTrial,
    ...rest
  } = own;
  const trust = own.trust?.filter((name) => bound.trust?.includes(name) === true) ?? [];
  const removedFields = [...new Set([...(own.removedFields ?? []), ...(bound.removedFields ?? [])])];
  return {
    ...rest,
    addresses: bothAddresses(own.addresses, bound.addresses),
    limits: stricterLimits(own.limits, bound.limits),
    ...some('bodies', stricterBodies(own.bodies, bound.bodies)),
    ...some('homeWrites', own.homeWrites === true && bound.homeWrites === true ? true : undefined),
    ...some(
      'continuesTrace',
      own.continuesTrace === true && bound.continuesTrace === true ? true : undefined,
    ),
    ...some('showsLists', own.showsLists ?? bound.showsLists),
    ...some('learnsIds', bothIds(own.learnsIds, bound.learnsIds)),
    ...some('llm', bothCalls(own.llm, bound.llm)),
    ...some('capture', bothCaptures(own.capture, bound.capture)),
    ...some('leaks', bothLeaks(own.leaks, bound.leaks)),
    ...some('rewrite', bothRewrites(own.rewrite, bound.rewrite)),
    ...some('screen', bothScreens(own.screen, bound.screen)),
    ...some('refusesEch', own.refusesEch ?? bound.refusesEch),
    ...some('trust', trust.length === 0 ? undefined : trust),
    ...some('removedFields', removedFields.length === 0 ? undefined : removedFields),
    ...some('scrub', stricterScrub(own.scrub, bound.scrub)),
    ...some(
      'isByDestination',
      own.isByDestination === true && bound.isByDestination === true ? true : undefined,
    ),
    ...bothAwait(own, bound),
    ...some('observed', observed),
  };
}

/**
 * What either of them waits for, operations of GraphQL first, which are read from the body, and what refuses before what is on trial. The
 * other one is asked for when both are asked again.
 */
export function bothAwait(own: Decision, bound: Decision): Pick<Decision, 'awaits' | 'awaitsOnTrial'> {
  const ofBody = [own, bound].filter(({ awaits }) => awaits === 'graphql' || awaits === 'body');
  const enforced = ofBody.filter(({ awaitsOnTrial }) => awaitsOnTrial !== true);
  const first = enforced.length > 0 ? enforced : ofBody;
  const one = first.find(({ awaits }) => awaits === 'graphql') ?? first[0];
  const awaits = one?.awaits ?? own.awaits ?? bound.awaits;
  if (awaits === undefined) return {};
  const isOnTrial = one !== undefined && enforced.length === 0;
  return { awaits, ...(isOnTrial ? { awaitsOnTrial: true } : {}) };
}

/** A decision of which what it awaits is said anew. */
export function withoutAwaits<One extends Decision>(decision: One): Omit<One, 'awaits' | 'awaitsOnTrial'> {
  const { awaits: _awaits, awaitsOnTrial: _onTrial, ...rest } = decision;
  return rest;
}

/** No rule denies: the ceiling allows less than was wanted. Not `default-deny`, so no grant opens it. */
function denial({ rule }: AllowDecision, why: string): DenyDecision {
  return {
    effect: 'deny',
    rule,
    reason:
      'The policy for this session allows more here than the operators of the gateway let any policy allow.',
    operatorReason: `The ceiling allows it by its rule ${rule.name}, but ${why}.`,
  };
}

/** Networks that both open. */
function bothAddresses(own: readonly string[], bound: readonly string[]): readonly string[] {
  const inOther = (list: readonly string[], other: readonly string[]): readonly string[] =>
    list.filter((inner) => other.some((outer) => networkCovers(outer, inner)));
  return [...new Set([...inOther(own, bound), ...inOther(bound, own)])];
}

/** A ceiling that counts is refused when it is read, so that only the size of a body is left. */
function stricterLimits(own: RuleLimits, { bodyBytes }: RuleLimits): RuleLimits {
  if (bodyBytes === undefined) return own;
  return { ...own, bodyBytes: Math.min(own.bodyBytes ?? bodyBytes, bodyBytes) };
}

function stricterBodies(own: RuleBodies | undefined, bound: RuleBodies | undefined): RuleBodies | undefined {
  return own === 'where-defined' || bound === 'where-defined' ? 'where-defined' : own;
}

/** What waits longer lets less through, and absent is never. */
function stricterScrub(own: RuleScrub | undefined, bound: RuleScrub | undefined): RuleScrub | undefined {
  return own === undefined || bound === undefined
    ? undefined
    : { quietMs: Math.max(own.quietMs, bound.quietMs) };
}

/** Of both: each asks for its own when a mutation comes. */
function bothIds(
  own: AllowDecision['learnsIds'],
  bound: AllowDecision['learnsIds'],
): AllowDecision['learnsIds'] {
  return own === undefined || bound === undefined ? (own ?? bound) : [...own, ...bound];
}

/** What either of them keeps, and nothing that either of them redacts. */
function bothCaptures(own: RuleCapture | undefined, bound: RuleCapture | undefined): RuleCapture | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  return {
    bytesMax: Math.max(own.bytesMax, bound.bytesMax),
    redact: [...new Set([...own.redact, ...bound.redact])],
  };
}

/** Both match the call already. A ceiling with a budget is refused when it is read, so that only the cap is left, which may have to be set. */
function bothCalls(own: LlmCondition | undefined, bound: LlmCondition | undefined): LlmCondition | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  const caps = [own.outputTokens, bound.outputTokens].filter((cap) => cap !== undefined);
  return { ...own, outputTokens: caps.length === 0 ? undefined : Math.min(...caps) };
}

function some<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  // A computed key is typed as any text.
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}
