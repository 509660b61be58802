// What an admitted access gets by the rule that admits it.

import type { AllowDecision } from './decision.ts';
import type { Rule } from './rule.ts';

/**
 * Made without what is asked for: it is kept for the next request (kept-allows.ts). `passes`: the connection is not opened, though
 * requests of it could be decided.
 */
export function allowBy(
  rule: Rule,
  { isRequest, passes }: { readonly isRequest: boolean; readonly passes: boolean },
  observed: string | undefined,
): AllowDecision {
  // A connection that will be opened is dialled for a request, by the decision about that request.
  const handling = passes ? 'passthrough' : rule.handling;
  const isFinal = isRequest || handling !== 'intercept';
  return {
    effect: 'allow',
    rule: rule.reference,
    handling,
    ...(rule.end === undefined ? {} : { end: rule.end }),
    ...(passes ? { isAuto: true } : {}),
    inject: isRequest || rule.end !== undefined ? rule.inject.map((credential) => ({ credential })) : [],
    addresses: isFinal ? rule.addresses : [],
    ...(isFinal && rule.dns !== undefined ? { dns: [rule.dns] } : {}),
    ...(isFinal && rule.exit !== undefined ? { exit: rule.exit } : {}),
    limits: isFinal ? rule.limits : {},
    ...(isFinal && rule.budget !== undefined ? { budget: rule.budget } : {}),
    ...(rule.refusesEch && !isRequest ? { refusesEch: true } : {}),
    ...(isRequest && rule.bodies !== 'any' ? { bodies: rule.bodies } : {}),
    ...(isRequest && rule.mcp !== undefined ? { showsLists: true } : {}),
    ...(isRequest && rule.graphql?.ids !== undefined ? { learnsIds: [rule.graphql.ids] } : {}),
    ...(isRequest && rule.llm !== undefined ? { llm: rule.llm } : {}),
    ...(isRequest && rule.homeWrites ? { homeWrites: true } : {}),
    ...(isRequest && rule.logIn !== undefined ? { logIn: rule.logIn } : {}),
    ...(isRequest && rule.continuesTrace ? { continuesTrace: true } : {}),
    ...(isRequest && rule.capture !== undefined ? { capture: rule.capture } : {}),
    ...(isRequest && rule.ask !== undefined ? { asks: { rule: rule.reference.name, ...rule.ask } } : {}),
    ...(isRequest && rule.leaks !== undefined ? { leaks: rule.leaks } : {}),
    ...(isRequest && rule.screen !== undefined ? { screen: rule.screen } : {}),
    ...(isRequest && rule.decide !== undefined ? { deciders: [rule.decide] } : {}),
    ...(isRequest && rule.rewrite !== undefined ? { rewrite: rule.rewrite } : {}),
    ...((isRequest || rule.end !== undefined) && rule.trust.length > 0 ? { trust: rule.trust } : {}),
    ...(isRequest && rule.scrub !== undefined ? { scrub: rule.scrub } : {}),
    ...(observed === undefined ? {} : { observed }),
  };
}
