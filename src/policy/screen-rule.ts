// `screen` of a rule: which marks the beginning of a response is judged by, and what happens where it has one.

/** Text that nobody sees, planted values that come back, and phrases that are known from attacks. */
export const screenMarks = ['hidden-text', 'canary', 'phrase'] as const;
export type ScreenMark = (typeof screenMarks)[number];

export interface RuleScreen {
  readonly on: 'block' | 'annotate' | 'alert';
  readonly find: readonly ScreenMark[];
}

const strictness = { alert: 0, annotate: 1, block: 2 } as const;

/** What both look for, in the stricter one's way. */
export function bothScreens(
  own: RuleScreen | undefined,
  bound: RuleScreen | undefined,
): RuleScreen | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  return {
    on: strictness[own.on] >= strictness[bound.on] ? own.on : bound.on,
    find: screenMarks.filter((mark) => own.find.includes(mark) || bound.find.includes(mark)),
  };
}

/** Whether nothing comes by `inner` that `outer` would stop. */
export function screenCovers(outer: RuleScreen | undefined, inner: RuleScreen | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  return (
    strictness[inner.on] >= strictness[outer.on] && outer.find.every((mark) => inner.find.includes(mark))
  );
}

/** For people. */
export function screenText({ on, find }: RuleScreen): string {
  return `${on}: ${find.join(', ')}`;
}
