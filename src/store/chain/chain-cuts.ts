// What retention removes of chains, as signed statements: where a link is missing, its cut says what the next one goes on from. A cut is
// made of the events as they were when they went, so one that was changed before shows behind it all the same. Each is of a stretch of
// a chain; stretches of which all is gone become one, so there are never many more of them than events.

import { Buffer } from 'node:buffer';
import type { KeyObject } from 'node:crypto';
import {
  type ChainCut,
  type CutRun,
  isSigned,
  readCut,
  type Signed,
  signStatement,
} from './chain-statements.ts';
import type { LinkHasher } from './link-hash.ts';
import type { AuditFacts } from '../../api/audit-payload.ts';

/** Links of a stretch of which something is left: a statement of it is 80 KB at the most. */
const stretchLinks = 1024;

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

/** Cuts of that chain which touch links from one to another have to be known, those beside them too. */
export interface Touched {
  readonly number: number;
  readonly first: number;
  readonly last: number;
}

export interface CutChanges {
  readonly gone: readonly CutRow[];
  readonly put: readonly CutRow[];
}

export function touchedBy(removed: readonly RemovedLink[]): readonly Touched[] {
  const byChain = new Map<number, Touched>();
  for (const { number, link } of removed) {
    const known = byChain.get(number);
    const first = stretchStart(link) - 1;
    const last = stretchStart(link) + stretchLinks;
    byChain.set(number, {
      number,
      first: Math.min(first, known?.first ?? first),
      last: Math.max(last, known?.last ?? last),
    });
  }
  return [...byChain.values()];
}

function stretchStart(link: number): number {
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
  readonly hasher: LinkHasher;
  readonly by: number;
  readonly key: KeyObject;
  /** The verified key of a chain; what another one signed is not believed, and replaced. */
  readonly keyOf: (number: number) => KeyObject | undefined;
}

/** How the stored cuts of one chain change when events of it go. */
export function cutChanges(
  stored: readonly CutRow[],
  removed: readonly RemovedLink[],
  cutter: Cutter,
): CutChanges {
  const [one] = removed;
  if (one === undefined) return { gone: [], put: [] };
  const { number } = one;
  const known = stored.map((row) => ({ row, cut: verifiedCut(row, cutter.keyOf) }));
  const stretches = new Map<number, CutRun[]>();
  for (const link of removed) {
    const start = stretchStart(link.link);
    const runs = stretches.get(start) ?? runsWithin(start, known);
    stretches.set(start, runs);
    runs.push(runOf(link, cutter.hasher));
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
  return { gone: [...touched], put: put.map((cut) => rowOf(cut, cutter.key)) };
}

function runsWithin(
  start: number,
  known: readonly { readonly row: CutRow; readonly cut: ChainCut | undefined }[],
): CutRun[] {
  return known.flatMap(({ row, cut }) => (row.first === start && cut !== undefined ? [...cut.runs] : []));
}

function runOf({ link, before, facts }: RemovedLink, hasher: LinkHasher): CutRun {
  const hash = hasher.ofFacts(Buffer.from(before, 'base64url'), link, facts).toString('base64url');
  return { first: link, last: link, before, hash };
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
