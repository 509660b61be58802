// Where a verification begins and ends in each chain: at heads, which say a time, a link, its hash and its place in the store.

import type { ChainHead, ChainWitness } from './chain-statements.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Who writes goes on with none that is older than a day (`isTooOld`); this much later none does, however long an event waits to be stored. */
export const chainLifeMaxMs = defaultLimits.auditChainMs + 3_600_000;

/** Before all of them: none of ours is below 1. */
const noPlace = Number.MIN_SAFE_INTEGER - 1;

export interface Period {
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** A head, or what a later chain says of this one. */
export type Mark = Pick<ChainHead, 'link' | 'hash'>;

/** A chain as it is gone along. */
export interface WalkedChain {
  readonly number: number;
  readonly openedMs: number;
  /** Those of its heads, and of what is said elsewhere, that were read and are still ahead, each in the order of its links. */
  heads: readonly Mark[];
  seen: readonly Mark[];
  /** Up to that link heads were read. */
  headsRead: number;
  /** Up to that link there were heads when this began: what came since may be of events that were not read. */
  readonly headsThrough: number;
  /** Whether those that nobody of the chain signed have been told of. */
  readonly areHeadsTold: boolean;
  /** Up to here it was looked at, and that is its hash; empty where it is not known. */
  link: number;
  hash: string;
  /** Up to here a head says what it is. */
  covered: number;
  /** Up to here it is before the part that was asked for. */
  readonly skipThrough: number;
  /** The place in the store of that link. */
  readonly skipPlace: number;
  readonly missing: { first: number; last: number }[];
  /** What its last head says; infinite for one that has none. */
  readonly endsAt: number;
  /** It was over before the part that was asked for: behind this place nothing of it was stored. */
  readonly overBehind?: number;
  isBroken: boolean;
}

/** What the heads of a chain say of it as a whole. */
export interface SaidByHeads {
  readonly last?: ChainHead | undefined;
  /** The last one before all that is asked for, and the first one behind all of it; a clock may step back. */
  readonly start?: ChainHead | undefined;
  readonly end?: ChainHead | undefined;
  /** Whether one is of the time that is asked for or later, and whether one is before its end. */
  readonly isAnyFrom: boolean;
  readonly isAnyBefore: boolean;
  /** Those that nobody of the chain signed have been told of. */
  readonly areTold: boolean;
}

/** What is known of a chain before it is gone along. */
export interface KnownChain {
  readonly number: number;
  readonly openedMs: number;
  /** A place of the store that all of it is behind. */
  readonly behind: number;
  readonly hash: string;
  readonly said: SaidByHeads;
  /** What later chains say of it. */
  readonly seen: readonly ChainWitness[];
}

export interface Walk {
  /** Events behind this place, up to that one. */
  readonly behind: number;
  readonly through: number;
  readonly chains: readonly WalkedChain[];
}

/** The chains that were written in a time, each from the last head before all of it to the first one behind all of it: a clock may step back. */
export function walkOf(known: readonly KnownChain[], { fromMs, untilMs }: Period): Walk {
  const parts = known
    .filter(({ openedMs, said }) => untilMs === undefined || openedMs < untilMs || said.isAnyBefore)
    .filter((chain) => fromMs === undefined || !isOver(chain, fromMs))
    .map((chain) => ({
      chain,
      start: fromMs === undefined ? undefined : startOf(chain, fromMs),
      end: untilMs === undefined ? undefined : endOf(chain, untilMs),
    }));
  if (parts.length === 0)
    return { behind: fromMs === undefined ? noPlace : 0, through: Infinity, chains: [] };
  return {
    behind:
      fromMs === undefined
        ? noPlace
        : Math.min(...parts.map(({ chain, start }) => start?.sequence ?? chain.behind)),
    through:
      untilMs === undefined ? Infinity : Math.max(0, ...parts.map(({ end }) => end?.sequence ?? Infinity)),
    chains: parts.map(({ chain, start, end }) => {
      const { last, areTold } = chain.said;
      const seen = end === undefined ? chain.seen.filter(({ link }) => link > (start?.link ?? 0)) : [];
      return {
        number: chain.number,
        openedMs: chain.openedMs,
        heads: [],
        seen: seen.toSorted((a, b) => a.link - b.link),
        headsRead: start?.link ?? 0,
        headsThrough: end?.link ?? last?.link ?? 0,
        areHeadsTold: areTold,
        link: start?.link ?? 0,
        hash: start?.hash ?? chain.hash,
        covered: start?.link ?? 0,
        skipThrough: start?.link ?? 0,
        skipPlace: start?.sequence ?? 0,
        missing: [],
        endsAt: endOfHeads(chain.said),
        isBroken: false,
      };
    }),
  };
}

/** A chain that was over before what is asked for, and of which an event is there all the same: what follows its last head. */
export function walkOfOver(
  { number, openedMs, hash, said, seen }: KnownChain,
  known: readonly KnownChain[],
  through: number,
): WalkedChain {
  const { last } = said;
  const link = last?.link ?? 0;
  const ends = seen.filter(({ isLast }) => isLast === true);
  // Who begins by a clock far behind comes after a chain that says a later time.
  const later = known.filter((one) => one.number > number && isLongOver({ openedMs }, one.openedMs));
  return {
    number,
    openedMs,
    // What stands behind the end of the part is not gone along.
    seen:
      through === Infinity ? seen.filter((one) => one.link > link).toSorted((a, b) => a.link - b.link) : [],
    heads: [],
    headsRead: link,
    headsThrough: link,
    areHeadsTold: true,
    link,
    hash: last?.hash ?? hash,
    covered: link,
    skipThrough: link,
    skipPlace: last?.sequence ?? 0,
    missing: [],
    endsAt: Math.min(endOfHeads(said), ...ends.map((one) => one.link)),
    overBehind: Math.min(...later.map(({ behind }) => behind)),
    isBroken: false,
  };
}

/** Whether it was too old by then to go on. A head of it that is as late as that is its last one. */
export function isLongOver({ openedMs }: Pick<KnownChain, 'openedMs'>, fromMs: number | undefined): boolean {
  return fromMs !== undefined && openedMs + chainLifeMaxMs < fromMs;
}

/** Whether nothing of it was stored at that time or later. */
export function isOver(chain: KnownChain, fromMs: number): boolean {
  const { openedMs, said } = chain;
  if (openedMs >= fromMs || said.isAnyFrom) return false;
  return said.last?.isLast === true || isLongOver(chain, fromMs);
}

/** Undefined where it is gone along from its opening. */
function startOf({ openedMs, said }: KnownChain, fromMs: number): ChainHead | undefined {
  return openedMs >= fromMs ? undefined : said.start;
}

/** Undefined while it may go on. */
function endOf({ openedMs, said }: KnownChain, untilMs: number): ChainHead | undefined {
  const { last, end } = said;
  if (end !== undefined) return end;
  return last?.isLast === true || openedMs + chainLifeMaxMs < untilMs ? last : undefined;
}

/** Nothing follows a head that says so; infinite where none does. */
function endOfHeads({ last }: SaidByHeads): number {
  return last?.isLast === true ? last.link : Infinity;
}
