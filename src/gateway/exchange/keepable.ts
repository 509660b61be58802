// Whether what comes for a request may come from the cache, and go into it: it carries nobody's credential, and nothing is changed or read on its way.

import type { AllowDecision, RequestAccess } from '../../policy/decision.ts';
import { isAskedPlainly } from '../packages/asked-package.ts';

export function isKeepable(decision: AllowDecision, access: RequestAccess): boolean {
  const { inject, logIn, rewrite, deciders, observed, llm, learnsIds, screen, capture } = decision;
  const { method, headers, body } = access;
  return (
    inject.length === 0 &&
    logIn === undefined &&
    rewrite === undefined &&
    deciders === undefined &&
    observed === undefined &&
    // Such responses are read in place of being checked.
    llm === undefined &&
    learnsIds === undefined &&
    // What is looked at or kept of a response is its beginning, not the part that a client names.
    screen === undefined &&
    capture === undefined &&
    (method === 'GET' || method === 'HEAD') &&
    body?.kind === 'none' &&
    isAskedPlainly(access) &&
    !/\bno-store\b/i.test(headers.all('cache-control').join(','))
  );
}

/** Of an archive's key: who may not go where it came from, or not by the way that it came, does not have it from there. */
export function reachOf({ addresses, trust = [], exit }: AllowDecision): readonly string[] {
  return [
    ...addresses,
    ...trust.map((name) => `trust ${name}`),
    ...(exit === undefined ? [] : [`exit ${exit}`]),
  ];
}
