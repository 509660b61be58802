// How rules and credentials were used, over all gateways as the store counts: in words, and which of them nobody used.

import type { OutputOf } from '../../api/admin/routes.ts';
import { ageText, countText, momentText } from './display.ts';

export type Uses = OutputOf<'uses'>;
export type Use = Uses['items'][number];

const dayMs = 86_400_000;
/** A rule that nobody used for so long may not be needed any more. */
export const unusedAfterMs = 30 * dayMs;

/** By the published policy of a rule, and its name. */
export class UseTable {
  readonly since: number | undefined;
  readonly #byName: ReadonlyMap<string, Use>;

  constructor({ since, items }: Uses) {
    this.since = since === undefined ? undefined : Date.parse(since);
    this.#byName = new Map(items.map((use) => [keyOf(use), use]));
  }

  of(named: { readonly name: string; readonly policy?: string | undefined }): Use | undefined {
    return this.#byName.get(keyOf(named));
  }

  /** Those that were used in 24 hours, the most first. */
  get recentOnes(): readonly Use[] {
    const sum = ({ recent: { allowed, denied, failed } }: Use): number => allowed + denied + failed;
    return [...this.#byName.values()].filter((use) => sum(use) > 0).toSorted((a, b) => sum(b) - sum(a));
  }

  /** Since when it was not used, of one that was not for so long; undefined: it was, or nothing is known. */
  unusedSince(
    named: { readonly name: string; readonly policy?: string | undefined },
    nowMs: number,
  ): number | undefined {
    if (this.since === undefined) return undefined;
    const use = this.of(named);
    const lastMs = use === undefined ? this.since : Date.parse(use.lastUsed);
    return use === undefined || nowMs - lastMs >= unusedAfterMs ? lastMs : undefined;
  }

  /** `2.22 M allowed, 4 denied in 24 h`, or since when it was not used. */
  textOf(named: { readonly name: string; readonly policy?: string | undefined }, nowMs: number): string {
    if (this.since === undefined) return 'not counted yet';
    const use = this.of(named);
    if (use === undefined) return `not used since ${momentText(this.since, nowMs)}`;
    const { allowed, denied, failed } = use.recent;
    const parts = [
      [allowed, 'allowed'],
      [denied, 'denied'],
      [failed, 'failed'],
    ] as const;
    const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${countText(count)} ${what}`);
    return told.length === 0
      ? `last ${momentText(Date.parse(use.lastUsed), nowMs)}`
      : `${told.join(', ')} in 24 h`;
  }
}

function keyOf({
  name,
  policy = '',
}: {
  readonly name: string;
  readonly policy?: string | undefined;
}): string {
  return `${policy}\n${name}`;
}

type GrantUses = OutputOf<'grantUses'>;

/** Whether a grant was used, in a sentence. */
export function grantUseText(uses: GrantUses, id: string, nowMs: number): string {
  const short = shortGrantUse(uses, id, nowMs);
  if (short === undefined)
    return 'Whether it was used is not known: it is for all sessions of its principal, or uses are not counted yet.';
  return short === notUsed
    ? 'Not used yet: the workload has not tried again.'
    : `Used ${short.slice('used '.length)}.`;
}

const notUsed = 'not used yet';

/** `used 12×, 8 s ago`; undefined where it is not known. */
export function shortGrantUse(
  { since, items, unknown }: GrantUses,
  id: string,
  nowMs: number,
): string | undefined {
  if (since === undefined || unknown.includes(id)) return undefined;
  const use = items.find((one) => one.id === id);
  if (use === undefined) return notUsed;
  const lastMs = Date.parse(use.lastUsed);
  const ago = nowMs - lastMs;
  const when =
    ago < 2000 ? 'now' : ago < 3_600_000 ? `${ageText(ago)} ago` : `last ${momentText(lastMs, nowMs)}`;
  return `used ${countText(use.uses)}×, ${when}`;
}
