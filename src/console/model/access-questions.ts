// Questions among the requests for access: what a rule holds until somebody says what becomes of it.

import type { Access } from './access-groups.ts';

export type Question = NonNullable<Access['question']>;

/** Those that are held, the one with the least time first. */
export function heldQuestions(items: readonly Access[]): readonly Access[] {
  return items
    .filter(({ question, state }) => question !== undefined && state === 'pending')
    .toSorted((a, b) => untilOf(a).localeCompare(untilOf(b)) || a.id.localeCompare(b.id));
}

function untilOf({ question }: Access): string {
  return question?.until ?? '';
}

export interface PossibleDecision {
  readonly decision: 'once' | 'session' | 'minutes' | 'always' | 'deny';
  /** What the button says: how far it holds. */
  readonly name: string;
  readonly key?: string;
}

const names = {
  once: 'Allow once',
  session: 'For this session, any body',
  minutes: 'For 15 min, any body',
  always: 'Always: propose a rule…',
} as const;
const keys = { once: { key: 'G' }, session: {}, minutes: {}, always: {} } as const;

const holds = {
  once: 'Allowed once',
  session: 'Allowed for this session, any body',
  minutes: 'Allowed for 15 min, any body',
  always: 'Allowed once, and a rule was proposed',
  deny: 'Denied',
} as const;

/** What somebody said to it; empty: nobody did. */
export function answeredText({ answered }: Question): string {
  return answered === undefined ? '' : `${holds[answered.decision]} by ${answered.by}`;
}

/** The narrowest first; those that the rule leaves out are not there. */
export function decisionsOf({ choices }: Question): readonly PossibleDecision[] {
  const order = ['once', 'session', 'minutes', 'always'] as const;
  return [
    ...order
      .filter((one) => choices.includes(one))
      .map((decision) => Object.assign({ decision, name: names[decision] }, keys[decision])),
    { decision: 'deny', name: 'Deny', key: 'D' },
  ];
}
