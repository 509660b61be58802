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
  /** Those that are still ahead. */
  readonly heads: Mark[];
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

/** What is known of a chain before it is gone along. */
export interface KnownChain {
  readonly number: number;
  readonly openedMs: number;
  /** A place of the store that all of it is behind. */
  readonly behind: number;
  readonly hash: string;
  /** Of a chain that was over long before what is asked for, the last one alone: there may be any number of those. */
  readonly heads: readonly ChainHead[];
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
    .filter(
      ({ openedMs, heads }) => untilMs === undefined || openedMs < untilMs || isAnyBefore(heads, untilMs),
    )
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
      const heads = chain.heads.filter(
        ({ link }) => link > (start?.link ?? 0) && link <= (end?.link ?? Infinity),
      );
      const seen = end === undefined ? chain.seen.filter(({ link }) => link > (start?.link ?? 0)) : [];
      return {
        number: chain.number,
        openedMs: chain.openedMs,
        heads: [...heads, ...seen].sort((a, b) => a.link - b.link),
        link: start?.link ?? 0,
        hash: start?.hash ?? chain.hash,
        covered: start?.link ?? 0,
        skipThrough: start?.link ?? 0,
        skipPlace: start?.sequence ?? 0,
        missing: [],
        endsAt: chain.heads.find(({ isLast }) => isLast)?.link ?? Infinity,
        isBroken: false,
      };
    }),
  };
}

/** A chain that was over before what is asked for, and of which an event is there all the same: what follows its last head. */
export function walkOfOver(
  { number, openedMs, hash, heads, seen }: KnownChain,
  known: readonly KnownChain[],
  through: number,
): WalkedChain {
  const last = heads.at(-1);
  const link = last?.link ?? 0;
  const ends = [...heads, ...seen].filter(({ isLast }) => isLast === true);
  // Who begins by a clock far behind comes after a chain that says a later time.
  const later = known.filter((one) => one.number > number && isLongOver({ openedMs }, one.openedMs));
  return {
    number,
    openedMs,
    // What stands behind the end of the part is not gone along.
    heads:
      through === Infinity ? seen.filter((one) => one.link > link).toSorted((a, b) => a.link - b.link) : [],
    link,
    hash: last?.hash ?? hash,
    covered: link,
    skipThrough: link,
    skipPlace: last?.sequence ?? 0,
    missing: [],
    endsAt: Math.min(...ends.map((one) => one.link)),
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
  const { openedMs, heads } = chain;
  if (openedMs >= fromMs || heads.some(({ timeMs }) => timeMs >= fromMs)) return false;
  return heads.at(-1)?.isLast === true || isLongOver(chain, fromMs);
}

function isAnyBefore(heads: readonly ChainHead[], untilMs: number): boolean {
  return heads.some(({ timeMs }) => timeMs < untilMs);
}

/** Undefined where it is gone along from its opening. */
function startOf({ openedMs, heads }: KnownChain, fromMs: number): ChainHead | undefined {
  if (openedMs >= fromMs) return undefined;
  const first = heads.findIndex(({ timeMs }) => timeMs >= fromMs);
  return first === -1 ? heads.at(-1) : heads[first - 1];
}

/** Undefined while it may go on. */
function endOf({ openedMs, heads }: KnownChain, untilMs: number): ChainHead | undefined {
  const behind = heads[heads.findLastIndex(({ timeMs }) => timeMs < untilMs) + 1];
  if (behind !== undefined) return behind;
  const head = heads.at(-1);
  return head?.isLast === true || openedMs + chainLifeMaxMs < untilMs ? head : undefined;
}
