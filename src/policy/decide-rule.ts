// `decide` of a rule: a system of the operator that has to allow, too, what the rule allows.

export interface RuleDecide {
  /** Name in the configuration's `deciders`. */
  readonly by: string;
  readonly timeoutMs: number;
  /** `whole`: the decider gets all of the body, or the request is refused. */
  readonly body: 'whole' | 'unseen';
  /** What it said may be used again for so long; 0: never. */
  readonly cacheMs: number;
  /** Request fields, in lower case, that it may set, and that it may take out. */
  readonly mayAdd: readonly string[];
  readonly mayRemove: readonly string[];
  /** What it denies is recorded, and let through without what the rule gives. */
  readonly isOnTrial: boolean;
}

/** All of either: each has to allow. What is the same twice is asked once. */
export function bothDeciders(
  own: readonly RuleDecide[] | undefined,
  bound: readonly RuleDecide[] | undefined,
): readonly RuleDecide[] | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  return [...own, ...bound.filter((one) => !own.some((other) => isSame(one, other)))];
}

function isSame(one: RuleDecide, other: RuleDecide): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether nothing comes by `inner` that the decider of `outer` would not have allowed. */
export function decideCovers(outer: RuleDecide | undefined, inner: RuleDecide | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined || inner.by !== outer.by) return false;
  const includesAll = (list: readonly string[], some: readonly string[]): boolean =>
    some.every((one) => list.includes(one));
  return (
    (outer.body === 'unseen' || inner.body === 'whole') &&
    (outer.isOnTrial || !inner.isOnTrial) &&
    inner.cacheMs <= outer.cacheMs &&
    includesAll(outer.mayAdd, inner.mayAdd) &&
    includesAll(outer.mayRemove, inner.mayRemove)
  );
}

/** Whether all that have to allow now did so when this was decided. */
export function decidersStill(
  now: readonly RuleDecide[] | undefined,
  given: readonly RuleDecide[] | undefined,
): boolean {
  return (now ?? []).every((one) => given?.some((other) => decideCovers(one, other)) === true);
}

/** For people. */
export function decideText({ by, timeoutMs, body, cacheMs, mayAdd, mayRemove }: RuleDecide): string {
  return [
    `${by} within ${String(timeoutMs)} ms`,
    ...(body === 'unseen' ? ['the body unseen'] : []),
    ...(cacheMs === 0 ? [] : [`cached for ${String(cacheMs)} ms`]),
    ...(mayAdd.length === 0 ? [] : [`may add ${mayAdd.join(', ')}`]),
    ...(mayRemove.length === 0 ? [] : [`may remove ${mayRemove.join(', ')}`]),
  ].join(', ');
}
