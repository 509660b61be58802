// How often rules, grants and credentials were used, over all gateways on the store: counted in the transaction that stores the events.

import type { HourOfUse, SumOfUse, UseCounts, UseKind, UseName } from './uses/event-uses.ts';

export interface UseQuery {
  readonly kind: UseKind;
  /** Those of these names alone. */
  readonly names?: readonly string[];
  /** Counts are of what happened from the beginning of that hour on. */
  readonly fromMs: number;
  readonly limit: number;
}

export interface UseRecord extends SumOfUse {
  readonly recent: UseCounts;
}

export interface UsePage {
  /** Since when the store counts. What was used before alone is not known. */
  readonly sinceMs: number;
  /** The beginning of the first hour of `recent`. */
  readonly fromMs: number;
  /** What was used last comes first. */
  readonly items: readonly UseRecord[];
}

/** How much there was in each hour in which there was something, the oldest first. */
export type HourPage = Omit<UsePage, 'items'> & {
  readonly hours: readonly Omit<HourOfUse, keyof UseName>[];
};

export interface UseStore {
  /** Undefined where the store does not count yet: a gateway of an earlier version holds up a step of its schema. */
  read(query: UseQuery): Promise<UsePage | undefined>;
  /** Of everything. */
  hours(fromMs: number): Promise<HourPage | undefined>;
  /** Forgets hours and names that nobody is told of any more, at most `pruneBatch` of each. Gives how many that were of the more. */
  prune(nowMs: number): Promise<number>;
}

const dayMs = 86_400_000;
/** Hours of a name: two days, of which the last 24 hours are told. */
export const namedHoursMs = 2 * dayMs;
/** Hours of all together, for a picture of a month. */
export const allHoursMs = 31 * dayMs;
/** For so long it is known when a name was used last. */
export const lastUseMs = 400 * dayMs;
/** Of a grant, which lasts for a day at the most as a rule: there are more of them than of rules. */
export const lastGrantUseMs = 40 * dayMs;
export const grantRulePrefix = 'access-grant:';
