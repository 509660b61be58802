// How much work one decision may cost.

import { defaultLimits } from '../protocol/limits.ts';
import { UnreadableBody } from '../understand/json-value.ts';
import type { AccessRequest } from './decision.ts';

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

/** A question about what could be asked, as for each item of a list. */
export function isProbe(access: AccessRequest): boolean {
  if (access.depth === 'connect') return false;
  const isListed = access.package?.version !== undefined && access.package.isExplained !== true;
  return access.body?.kind === 'message' || isListed;
}
