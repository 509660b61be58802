// `screen` of a rule: by which marks, and by whom, the beginning of a response is judged, and what happens where it is found bad.

/** Text that nobody sees, planted values that come back, and phrases that are known from attacks. */
export const screenMarks = ['hidden-text', 'canary', 'phrase'] as const;
export type ScreenMark = (typeof screenMarks)[number];

/** A system of the operator that says whether the beginning of a response may go on. */
export interface ScreenJudge {
  /** Name in the configuration's `deciders`. */
  readonly by: string;
  readonly timeoutMs: number;
  /** Where it says nothing: as if it had denied, or as if it had allowed. */
  readonly onError: 'deny' | 'allow';
}

export interface RuleScreen {
  readonly on: 'block' | 'annotate' | 'alert';
  readonly find: readonly ScreenMark[];
  /** Each is asked where no mark blocks. */
  readonly judges: readonly ScreenJudge[];
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
    judges: bothJudges(own.judges, bound.judges),
  };
}

/** Who stands in both is asked once, in the stricter way. */
function bothJudges(own: readonly ScreenJudge[], bound: readonly ScreenJudge[]): readonly ScreenJudge[] {
  const stricter = own.map((one): ScreenJudge => {
    const other = bound.find(({ by }) => by === one.by) ?? one;
    const isDenied = one.onError === 'deny' || other.onError === 'deny';
    const timeoutMs = Math.min(one.timeoutMs, other.timeoutMs);
    return { by: one.by, timeoutMs, onError: isDenied ? 'deny' : 'allow' };
  });
  return [...stricter, ...bound.filter(({ by }) => own.every((one) => one.by !== by))];
}

/** Whether nothing comes by `inner` that `outer` would stop. */
export function screenCovers(outer: RuleScreen | undefined, inner: RuleScreen | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const isAsked = ({ by, onError }: ScreenJudge): boolean =>
    inner.judges.some((one) => one.by === by && (onError === 'allow' || one.onError === 'deny'));
  return (
    strictness[inner.on] >= strictness[outer.on] &&
    outer.find.every((mark) => inner.find.includes(mark)) &&
    outer.judges.every(isAsked)
  );
}

/** For people. */
export function screenText({ on, find, judges }: RuleScreen): string {
  const asked = judges.map(
    ({ by, timeoutMs, onError }) =>
      `; by ${by} within ${String(timeoutMs)} ms${onError === 'allow' ? ', passed on where it says nothing' : ''}`,
  );
  return `${on}: ${find.join(', ')}${asked.join('')}`;
}
