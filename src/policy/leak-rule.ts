// `leaks` of a rule: what requests that it admits are searched for, and what happens where something is found.

/** Values that the gateway holds, values that were planted to be found, and what looks like a secret of a service. */
export const leakKinds = ['credential', 'canary', 'shape'] as const;
export type LeakKind = (typeof leakKinds)[number];

/** What requests are searched for, and what happens where something is found. */
export interface RuleLeaks {
  readonly on: 'block' | 'redact' | 'alert';
  readonly find: readonly LeakKind[];
  /** Hashes of texts of known shapes that are let through. */
  readonly allow: readonly string[];
}

const strictness = { alert: 0, redact: 1, block: 2 } as const;

/** Whether nothing goes by `inner` that `outer` would stop. Undefined: nothing is searched for. */
export function leaksCover(outer: RuleLeaks | undefined, inner: RuleLeaks | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  return (
    strictness[inner.on] >= strictness[outer.on] &&
    outer.find.every((kind) => inner.find.includes(kind)) &&
    inner.allow.every((hash) => outer.allow.includes(hash))
  );
}

/** What both stop, each in its way: the stricter one's way for all of it. */
export function bothLeaks(own: RuleLeaks | undefined, bound: RuleLeaks | undefined): RuleLeaks | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  return {
    on: strictness[own.on] >= strictness[bound.on] ? own.on : bound.on,
    find: leakKinds.filter((kind) => own.find.includes(kind) || bound.find.includes(kind)),
    allow: own.allow.filter((hash) => bound.allow.includes(hash)),
  };
}

/** For people. */
export function leaksText({ on, find, allow }: RuleLeaks): string {
  const what = find.length === leakKinds.length ? 'all' : find.join(', ');
  return `${on}: ${what}${allow.length === 0 ? '' : `, but ${allow.join(', ')}`}`;
}
