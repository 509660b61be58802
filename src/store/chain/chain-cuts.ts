// What retention removes of chains, as signed statements: where a link is missing, its cut says what the next one goes on from. A cut is
// made of the events as they were when they went, so one that was changed before shows behind it all the same. Each is of a stretch of
// a chain; stretches of which all is gone become one, so there are never many more of them than events.

import type { KeyObject } from 'node:crypto';
import {
  type ChainCut,
  type ChainHead,
  type ChainWitness,
  type CutRun,
  isSigned,
  readCut,
  readHead,
  type Signed,
  signStatement,
} from './chain-statements.ts';
import type { LinkHasher } from './link-hash.ts';
import type { AuditFacts } from '../../api/audit-payload.ts';

/** Links of a stretch of which something is left: a statement of it is 80 KB at the most. */
export const stretchLinks = 1024;

/** A cut as it is stored. */
export interface CutRow extends Signed {
  readonly number: number;
  readonly first: number;
  readonly last: number;
  readonly by: number;
}

/** An event that goes, with its link. `before` base64url. */
export interface RemovedLink {
  readonly number: number;
  readonly link: number;
  readonly before: string;
  readonly facts: AuditFacts;
}

/** Links that go and follow each other: within one stretch, and with a head of their chain only at their end. */
export interface RemovedRun extends CutRun {
  readonly number: number;
}

/** Each link alone. Somebody put there what can't have been stored: nothing is signed of it, and so what was there is missing. */
export function removedRuns(removed: readonly RemovedLink[], hasher: LinkHasher): readonly RemovedRun[] {
  return removed.flatMap((link) => removedRunOf(link, hasher) ?? []);
}

/** Undefined for what can't have been stored. */
export function removedRunOf(
  { number, link, before, facts }: RemovedLink,
  hasher: LinkHasher,
): RemovedRun | undefined {
  const hash = hasher.ofStored(before, link, facts);
  return hash === undefined ? undefined : { number, first: link, last: link, before, hash };
}

/** Cuts of that chain which touch links from one to another have to be known, those beside them too. */
export interface Touched {
  readonly number: number;
  readonly first: number;
  readonly last: number;
}

export interface CutChanges {
  readonly gone: readonly CutRow[];
  readonly put: readonly CutRow[];
  /** Links of heads that say nothing more: what they cover is removed, and a later head says how far the chain is. */
  readonly headsGone: readonly number[];
}

/** A head as it is stored. */
export interface HeadRow extends Signed {
  readonly link: number;
}

/** What the store has of one chain that is cut. */
export interface StoredOfChain {
  readonly cuts: readonly CutRow[];
  /** Those among the links that are touched, and the latest one. */
  readonly heads: readonly HeadRow[];
}

export function touchedBy(removed: readonly RemovedRun[]): readonly Touched[] {
  const byChain = new Map<number, Touched>();
  for (const run of removed) {
    const { number } = run;
    const known = byChain.get(number);
    const first = stretchStart(run.first) - 1;
    const last = stretchStart(run.first) + stretchLinks;
    byChain.set(number, {
      number,
      first: Math.min(first, known?.first ?? first),
      last: Math.max(last, known?.last ?? last),
    });
  }
  return [...byChain.values()];
}

export function stretchStart(link: number): number {
  return Math.floor((link - 1) / stretchLinks) * stretchLinks + 1;
}

/** Undefined for one that is not what the key signed, or not of its place. */
export function verifiedCut(
  row: CutRow,
  keyOf: (number: number) => KeyObject | undefined,
): ChainCut | undefined {
  const key = keyOf(row.by);
  const cut = key !== undefined && isSigned('cut', row, key) ? readCut(row.statement) : undefined;
  const isOfRow =
    cut?.number === row.number && cut.first === row.first && cut.last === row.last && cut.by === row.by;
  return isOfRow ? cut : undefined;
}

export interface Cutter {
  readonly by: number;
  readonly key: KeyObject;
  /** The verified key of a chain; what another one signed is not believed, and replaced. */
  readonly keyOf: (number: number) => KeyObject | undefined;
  /** What openings, and whoever has that chain in memory, say of it. */
  readonly seenOf: (number: number) => readonly ChainWitness[];
}

/** How what is stored of one chain changes when events of it go. */
export function cutChanges(
  { cuts, heads }: StoredOfChain,
  removed: readonly RemovedRun[],
  cutter: Cutter,
): CutChanges {
  const [one] = removed;
  if (one === undefined) return { gone: [], put: [], headsGone: [] };
  const { number } = one;
  const known = cuts.map((row) => ({ row, cut: verifiedCut(row, cutter.keyOf) }));
  const said = new SaidOfChain(heads, cutter.seenOf(number), cutter.keyOf(number));
  const stretches = new Map<number, CutRun[]>();
  for (const { number: _, ...run } of removed) {
    // Somebody put it there: nothing is signed of it, and so what was there is missing.
    if (said.isOther(run) || isRemoved(run, known)) continue;
    const start = stretchStart(run.first);
    const runs = stretches.get(start) ?? runsWithin(start, known);
    stretches.set(start, runs);
    runs.push(run);
  }
  const whole: ChainCut[] = [];
  const put: ChainCut[] = [];
  for (const [first, runs] of stretches) {
    const joined = joinRuns(runs);
    const last = first + stretchLinks - 1;
    const cut = { number, first, last, runs: joined, by: cutter.by };
    (isWhole(cut) ? whole : put).push(cut);
  }
  const touched = new Set(known.filter(({ row }) => stretches.has(row.first)).map(({ row }) => row));
  if (whole.length > 0) {
    // With those beside them that are whole already.
    const beside = known.filter(
      ({ row, cut }) => cut !== undefined && isWhole(cut) && !stretches.has(row.first),
    );
    for (const { row } of beside) touched.add(row);
    put.push(...joinWhole([...whole, ...beside.flatMap(({ cut }) => cut ?? [])], cutter.by));
  }
  return {
    gone: [...touched],
    put: put.map((cut) => rowOf(cut, cutter.key)),
    headsGone: headsWithin(heads, put),
  };
}

interface KnownCut {
  readonly row: CutRow;
  readonly cut: ChainCut | undefined;
}

/** What is known of a chain beside its rows, by its links. */
class SaidOfChain {
  readonly #heads: ReadonlyMap<number, HeadRow>;
  readonly #seen: ReadonlyMap<number, readonly ChainWitness[]>;
  readonly #key: KeyObject | undefined;
  readonly #endsAt: number;

  constructor(heads: readonly HeadRow[], seen: readonly ChainWitness[], key: KeyObject | undefined) {
    this.#heads = new Map(heads.map((head) => [head.link, head]));
    this.#seen = Map.groupBy(seen, ({ link }) => link);
    this.#key = key;
    const latest = heads.at(-1);
    const head = latest === undefined ? undefined : this.#verified(latest);
    this.#endsAt = head?.isLast === true ? head.link : Infinity;
  }

  /** Whether the link is another one than was there, or one behind the end. */
  isOther({ last: link, hash }: CutRun): boolean {
    if (link > this.#endsAt) return true;
    if (this.#seen.get(link)?.some((one) => one.hash !== hash) === true) return true;
    const row = this.#heads.get(link);
    // A signature is looked at only where it decides.
    if (row === undefined || readHead(row.statement)?.hash === hash) return false;
    return this.#verified(row) !== undefined;
  }

  #verified(row: HeadRow): ChainHead | undefined {
    const isOfKey = this.#key !== undefined && isSigned('head', row, this.#key);
    const head = isOfKey ? readHead(row.statement) : undefined;
    return head?.link === row.link ? head : undefined;
  }
}

function isRemoved({ first, last }: CutRun, known: readonly KnownCut[]): boolean {
  return known.some(
    ({ row, cut }) =>
      row.first <= last &&
      first <= row.last &&
      cut?.runs.some((run) => run.first <= last && first <= run.last),
  );
}

/** The latest one stays: it says how far the chain was. */
function headsWithin(heads: readonly HeadRow[], put: readonly ChainCut[]): readonly number[] {
  return heads
    .slice(0, -1)
    .map(({ link }) => link)
    .filter((link) => put.some(({ runs }) => runs.some((run) => run.first <= link && link < run.last)));
}

function runsWithin(start: number, known: readonly KnownCut[]): CutRun[] {
  return known.flatMap(({ row, cut }) => (row.first === start && cut !== undefined ? [...cut.runs] : []));
}

/** Runs that go on from each other become one; where one does not, both stay, and whoever verifies sees it. */
function joinRuns(runs: readonly CutRun[]): readonly CutRun[] {
  const joined: CutRun[] = [];
  for (const run of runs.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1);
    if (before !== undefined && run.first <= before.last) continue;
    if (before !== undefined && run.first === before.last + 1 && run.before === before.hash)
      joined.splice(-1, 1, { ...before, last: run.last, hash: run.hash });
    else joined.push(run);
  }
  return joined;
}

function isWhole({ first, last, runs }: ChainCut): boolean {
  return runs.length === 1 && runs[0]?.first === first && runs[0].last === last;
}

function joinWhole(cuts: readonly ChainCut[], by: number): readonly ChainCut[] {
  const [one] = cuts;
  if (one === undefined) return [];
  return joinRuns(cuts.flatMap(({ runs }) => runs)).map((run) => ({
    number: one.number,
    first: run.first,
    last: run.last,
    runs: [run],
    by,
  }));
}

function rowOf(cut: ChainCut, key: KeyObject): CutRow {
  const { number, first, last, by } = cut;
  return { number, first, last, by, ...signStatement('cut', cut, key) };
}
