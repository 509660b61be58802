// All rows of a store as a stream of batches, whatever its engine, and the sums by which two such streams are compared.

import { createHash } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { portableTables } from './portable-tables.ts';

export type Cell = string | number | boolean | null;

/** Rows of one table, which follow those of the batch before. */
export interface RowBatch {
  readonly table: string;
  /** In the order of the alphabet. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Numbers that are never given twice: who followed a store goes on from them. */
export interface StoreNumbers {
  /** Of the newest change. */
  readonly changes: number;
  /** Of the newest event of the audit, be it still there or not. */
  readonly auditSequence: number;
}

/** What a store holds, as it is at one moment. */
export interface RowSource {
  readonly numbers: StoreNumbers;
  /** Tables in the order of `portableTables`; one without rows may be left out. */
  batches(): AsyncIterable<RowBatch>;
}

/** How an empty store is filled. What both functions throw leaves it empty. */
export interface StoreFill {
  /** Called once it is known that the store is empty and stays so for others; what it gives is written. */
  readonly begin: () => RowSource;
  /** Compares what was written, as it is read again. */
  readonly check: (read: RowSource) => Promise<void>;
}

/** Of one table. */
export interface TableSum {
  readonly rows: number;
  readonly digest: string;
}

/** By the names of the tables; one without rows is not there. */
export type TableSums = ReadonlyMap<string, TableSum>;

/** Sums do not depend on the order of rows. */
export class RowSums {
  readonly #tables = new Map<string, { rows: number; sum: bigint }>();

  add({ table, columns, rows }: RowBatch): void {
    if (rows.length === 0) return;
    let held = this.#tables.get(table);
    if (held === undefined) this.#tables.set(table, (held = { rows: 0, sum: 0n }));
    held.rows += rows.length;
    for (const row of rows) {
      const hash = createHash('sha256')
        .update(JSON.stringify([columns, row]))
        .digest('hex');
      held.sum = (held.sum + BigInt(`0x${hash}`)) % modulus;
    }
  }

  get sums(): TableSums {
    return new Map(
      [...this.#tables].map(([table, { rows, sum }]) => [table, { rows, digest: sum.toString(16) }]),
    );
  }
}

const modulus = 2n ** 256n;

async function sumsOf(read: AsyncIterable<RowBatch>): Promise<TableSums> {
  const sums = new RowSums();
  for await (const batch of read) sums.add(batch);
  return sums.sums;
}

/** That a store was filled with what was read. Throws ProxyError `store_unavailable`. */
export async function checkFilled(
  wanted: { readonly sums: TableSums; readonly numbers: StoreNumbers },
  read: RowSource,
  ignored?: ReadonlySet<string>,
): Promise<void> {
  const { changes, auditSequence } = wanted.numbers;
  const isSame = read.numbers.changes === changes && read.numbers.auditSequence === auditSequence;
  const difference = isSame
    ? differenceOf(wanted.sums, await sumsOf(read.batches()), ignored)
    : 'the numbers of its newest change and event are others';
  if (difference !== undefined)
    throw new ProxyError('store_unavailable', `The store is not what it was filled with: ${difference}.`);
}

/** What is not the same, as the half of a sentence; undefined if all is. `ignored`: tables that one of both does not have. */
function differenceOf(
  wanted: TableSums,
  found: TableSums,
  ignored: ReadonlySet<string> = new Set(),
): string | undefined {
  for (const { name } of portableTables) {
    if (ignored.has(name)) continue;
    const [one, other] = [wanted.get(name), found.get(name)];
    if (one?.rows !== other?.rows)
      return `${name} has ${other?.rows ?? 0} rows in place of ${one?.rows ?? 0}`;
    if (one?.digest !== other?.digest) return `rows of ${name} are not those that were read`;
  }
  return undefined;
}

/** PostgreSQL's text has no NUL; a workload can write one. In every engine it goes along as the same mark. */
export function portableText(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
}
