// The denial of what was asked for each item of a list: nobody reads why.

import type { DenyDecision } from './decision.ts';

export function probeDenialBy(name: string): DenyDecision {
  const reason = 'It is not allowed.';
  return { effect: 'deny', rule: { name }, reason, operatorReason: reason };
}
