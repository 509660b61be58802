// Runs the matrix cell by cell and writes it as a table.

import { randomUUID } from 'node:crypto';

import type { MatrixCase } from './cases.ts';
import type { HttpVersion } from './origin.ts';
import type { Scene } from './scene.ts';

const versions = ['h1', 'h2'] as const;

/** The four columns: client's version, then origin's. */
export const columns = versions.flatMap((client) =>
  versions.map((upstream): readonly [HttpVersion, HttpVersion] => [client, upstream]),
);

export type CellResult =
  | { readonly state: 'ok'; readonly measured: string | undefined }
  | { readonly state: 'absent'; readonly reason: string }
  | { readonly state: 'failed'; readonly error: unknown };

export interface RowResult {
  readonly row: MatrixCase;
  readonly cells: readonly CellResult[];
}

/** Runs one row of the matrix; never throws. */
export async function runRow(row: MatrixCase, scene: Scene): Promise<RowResult> {
  const cells: CellResult[] = [];
  for (const [client, upstream] of columns) {
    const reason = row.absent?.(client, upstream);
    if (reason !== undefined) cells.push({ state: 'absent', reason });
    else {
      try {
        const measured = await row.run({ scene, client, upstream, id: randomUUID() });
        cells.push({ state: 'ok', measured: measured ?? undefined });
      } catch (error) {
        cells.push({ state: 'failed', error });
      }
    }
  }
  return { row, cells };
}

/** The head of the table, in Markdown. */
export function tableHead(): string {
  const names = columns.map(([client, upstream]) => `${client} → ${upstream}`);
  return `| what | ${names.join(' | ')} | clients |\n|---|${'---|'.repeat(names.length + 1)}`;
}

/** One line of the table. */
export function tableLine({ row, cells }: RowResult): string {
  const clients = [...new Set([row.clients.h1, row.clients.h2].filter((name) => name !== ''))];
  return `| ${row.name} | ${cells.map(cellText).join(' | ')} | ${clients.join('; ')} |`;
}

function cellText(cell: CellResult): string {
  switch (cell.state) {
    case 'ok':
      return cell.measured === undefined ? 'ok' : `ok, ${cell.measured}`;
    case 'absent':
      return '–';
    case 'failed':
      return 'FAILED';
  }
}
