// How tables look at a terminal: their titles, words that say how something went, and codes of errors that lead to the documents.

import { type ErrorCode, errorTable } from '../../protocol/error-table.ts';
import { errorLink } from './document-link.ts';
import { type Look, painted, standardOutput } from './terminal-stream.ts';
import type { Decorate } from './text-table.ts';

export interface TableStyle {
  /** The first row has the titles. */
  readonly hasTitle: boolean;
  /** Words of a column that say how something went. */
  readonly words?: Readonly<Record<number, Readonly<Record<string, Look>>>>;
  /** A column where the code of an error can stand. */
  readonly errorColumn?: number;
}

/** For standard output. */
export function tableStyle({ hasTitle, words = {}, errorColumn }: TableStyle): Decorate {
  const stream = standardOutput();
  return (cell, { row, column }) => {
    if (hasTitle && row === 0) return painted(stream, 'heading', cell);
    if (column === errorColumn && isErrorCode(cell)) return errorLink(stream, cell);
    const known = words[column];
    const look = known !== undefined && Object.hasOwn(known, cell) ? known[cell] : undefined;
    return look === undefined ? cell : painted(stream, look, cell);
  };
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text);
}
