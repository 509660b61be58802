// What is left of a decision under a ceiling that allows too: never more than either of them gives.

import { bothAsks } from './ask-rule.ts';
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
import { bothDeciders } from './decide-rule.ts';
import { bothLeaks } from './leak-rule.ts';
import type { LlmCondition } from './llm-condition.ts';
import { bothLogIns } from './log-in-rule.ts';
import { networkCovers } from './network.ts';
import { bothKeepBack } from './package-advisories.ts';
import { stricterIntegrity } from './package-integrity.ts';
import { endCovers, endText } from './protocol-rule.ts';
import { bothRewrites } from './rewrite-rule.ts';
import { bothScreens } from './screen-rule.ts';

/** `bound` is what the ceiling said of the same access. */
export function allowWithin(own: AllowDecision, bound: AllowDecision): Decision {
  return bothAllow(...bothOpened(own, bound));
}

/** What observes sees all, and what one of them opens is opened, where the other says `tls: auto`. */
export function bothOpened(
  own: AllowDecision,
  bound: AllowDecision,
): readonly [own: AllowDecision, bound: AllowDecision] {
  const isObserved = own.observed !== undefined || bound.observed !== undefined;
  const isOpened = own.isAuto === true && (isObserved || bound.handling === 'intercept');
  const isBoundOpened = bound.isAuto === true && own.handling === 'intercept';
  return [isOpened ? asOpened(own) : own, isBoundOpened ? asOpened(bound) : bound];
}

function bothAllow(own: AllowDecision, bound: AllowDecision): Decision {
  const observed = own.observed ?? bound.observed;
  // A ceiling on trial bounds nothing yet. One whose rule allows does, whatever a denial on trial would say.
  if (bound.rule.name === observeName)
    return { ...withoutAwaits(own), ...some('observed', observed), ...bothAwait(own, bound) };
  if (own.handling !== bound.handling)
    return denial(bound, `${own.handling} would become of the bytes, and the ceiling says ${bound.handling}`);
  const endDenied = endDenial(own, bound);
  if (endDenied !== undefined) return endDenied;
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
    logIn: _logIn,
    continuesTrace: _trace,
    trust: _trust,
    scrub: _scrub,
    awaits: _awaits,
    awaitsOnTrial: _onTrial,
    awaitsOf: _awaitsOf,
    ...rest
  } = own;
  const removedFields = [...new Set([...(own.removedFields ?? []), ...(bound.removedFields ?? [])])];
  return {
    ...rest,
    addresses: bothAddresses(own.addresses, bound.addresses),
    ...some('exit', own.exit ?? bound.exit),
    ...some('dns', bothIds(own.dns, bound.dns)),
    limits: stricterLimits(own.limits, bound.limits),
    ...some('isAuto', own.isAuto ?? bound.isAuto),
    ...some('bodies', stricterBodies(own.bodies, bound.bodies)),
    ...lentByBoth(own, bound),
    ...some('showsLists', own.showsLists ?? bound.showsLists),
    ...some('readsOperations', own.readsOperations ?? bound.readsOperations),
    ...some('learnsIds', bothIds(own.learnsIds, bound.learnsIds)),
    ...some('llm', bothCalls(own.llm, bound.llm)),
    ...some('package', bothPackages(own, bound)),
    ...some('registryFile', own.registryFile ?? bound.registryFile),
    ...some('capture', bothCaptures(own.capture, bound.capture)),
    ...some('asks', bothAsks(own.asks, bound.asks)),
    ...some('leaks', bothLeaks(own.leaks, bound.leaks)),
    ...some('deciders', bothDeciders(own.deciders, bound.deciders)),
    ...some('rewrite', bothRewrites(own.rewrite, bound.rewrite)),
    ...some('screen', bothScreens(own.screen, bound.screen)),
    ...some('refusesEch', own.refusesEch ?? bound.refusesEch),
    ...some('trust', bothTrust(own.trust, bound.trust)),
    ...some('removedFields', removedFields.length === 0 ? undefined : removedFields),
    ...some('scrub', stricterScrub(own.scrub, bound.scrub)),
    ...some('isByDestination', ifBoth(own.isByDestination, bound.isByDestination)),
    ...bothAwait(own, bound),
    ...some('observed', observed),
  };
}

/** What a workload gets of somebody. */
function lentByBoth(
  own: AllowDecision,
  bound: AllowDecision,
): Pick<AllowDecision, 'homeWrites' | 'logIn' | 'continuesTrace'> {
  return {
    ...some('homeWrites', ifBoth(own.homeWrites, bound.homeWrites)),
    ...some('logIn', bothLogIns(own.logIn, bound.logIn)),
    ...some('continuesTrace', ifBoth(own.continuesTrace, bound.continuesTrace)),
  };
}

/**
 * What either of them waits for: what is published first, then operations of GraphQL, which are read from the body too, and what refuses
 * before what is on trial. The other one is asked for when both are asked again.
 */
export function bothAwait(
  own: Decision,
  bound: Decision,
): Pick<Decision, 'awaits' | 'awaitsOnTrial' | 'awaitsOf'> {
  const ofBody = [own, bound].filter(({ awaits }) => bodyParts.some((part) => part === awaits));
  const enforced = ofBody.filter(({ awaitsOnTrial }) => awaitsOnTrial !== true);
  const first = enforced.length > 0 ? enforced : ofBody;
  const one = bodyParts.map((part) => first.find(({ awaits }) => awaits === part)).find((found) => found);
  const awaits = one?.awaits ?? own.awaits ?? bound.awaits;
  if (awaits === undefined) return {};
  const isOnTrial = one !== undefined && enforced.length === 0;
  return {
    awaits,
    ...(isOnTrial ? { awaitsOnTrial: true } : {}),
    ...some('awaitsOf', one?.awaitsOf),
  };
}

/** Who reads one of them has read the body. */
const bodyParts = ['publication', 'graphql', 'body'] as const;

/** The connection is dialled for its requests, by the decisions about these. */
function asOpened({
  isAuto: _auto,
  budget: _budget,
  exit: _exit,
  ...decision
}: AllowDecision): AllowDecision {
  return { ...decision, handling: 'intercept', addresses: [], limits: {} };
}

/** A decision of which what it awaits is said anew. */
export function withoutAwaits<One extends Decision>(
  decision: One,
): Omit<One, 'awaits' | 'awaitsOnTrial' | 'awaitsOf'> {
  const { awaits: _awaits, awaitsOnTrial: _onTrial, awaitsOf: _of, ...rest } = decision;
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

/** A ceiling that lets one protocol through lets neither other bytes through nor more of it, and one that says a way out no other. */
function endDenial({ end: own, exit }: AllowDecision, bound: AllowDecision): DenyDecision | undefined {
  const { end } = bound;
  if (exit !== undefined && bound.exit !== undefined && exit !== bound.exit)
    return denial(bound, `it would go out by ${exit}, and the ceiling says ${bound.exit}`);
  if (end === undefined || endCovers(end, own)) return undefined;
  return denial(
    bound,
    own === undefined
      ? `any bytes would pass, and the ceiling says protocol: ${end.protocol}`
      : `${endText(own)} is more than ${endText(end)} of the ceiling`,
  );
}

function bothTrust(
  own: readonly string[] | undefined,
  bound: readonly string[] | undefined,
): readonly string[] | undefined {
  const both = own?.filter((name) => bound?.includes(name) === true) ?? [];
  return both.length === 0 ? undefined : both;
}

function ifBoth(own: true | undefined, bound: true | undefined): true | undefined {
  return own === true && bound === true ? true : undefined;
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

/** Of both: of ids each asks for its own when a mutation comes, and a name has to be one of each. */
function bothIds<One>(
  own: readonly One[] | undefined,
  bound: readonly One[] | undefined,
): readonly One[] | undefined {
  return own === undefined || bound === undefined ? (own ?? bound) : [...own, ...bound];
}

/** What either of them keeps back is kept back. The registry is that of the one that waits for the times of its versions. */
function bothPackages(own: AllowDecision, bound: AllowDecision): AllowDecision['package'] {
  if (own.package === undefined || bound.package === undefined) return own.package ?? bound.package;
  const [one, other] = [own.package, bound.package];
  const isOfBound = !awaitsPackage(own) && awaitsPackage(bound);
  const minAgeMs = Math.max(one.minAgeMs ?? 0, other.minAgeMs ?? 0);
  const keptUntilMs = Math.max(one.keptUntilMs ?? 0, other.keptUntilMs ?? 0);
  return {
    ...(isOfBound ? other : one),
    ...some('hides', one.hides ?? other.hides),
    ...some('integrity', stricterIntegrity(one.integrity, other.integrity)),
    ...some('attested', bothAttested(one.attested, other.attested)),
    ...some('wantsProvenance', one.wantsProvenance ?? other.wantsProvenance),
    ...some('isUnattested', one.isUnattested ?? other.isUnattested),
    ...some('tellsScripts', one.tellsScripts ?? other.tellsScripts),
    ...some('minAgeMs', minAgeMs === 0 ? undefined : minAgeMs),
    ...some('keptUntilMs', keptUntilMs === 0 ? undefined : keptUntilMs),
    ...some('keepsBack', bothKeepBack(one.keepsBack, other.keepsBack)),
    ...some('advisory', one.advisory ?? other.advisory),
  };
}

const awaitsPackage = ({ awaits }: AllowDecision): boolean =>
  awaits === 'publish-times' || awaits === 'provenance';

/** Archives that both let through; none where they agree on none. */
function bothAttested(
  own: readonly string[] | undefined,
  bound: readonly string[] | undefined,
): readonly string[] | undefined {
  return own === undefined || bound === undefined
    ? (own ?? bound)
    : own.filter((digest) => bound.includes(digest));
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
