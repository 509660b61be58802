// Values that responses are searched for, without credentials around them.

import type { SearchedValues } from '../../../src/gateway/scrub/response-scrubber.ts';
import { buildSearchTable, type SearchTable } from '../../../src/gateway/scrub/search-table.ts';
import { secretForms } from '../../../src/gateway/scrub/secret-forms.ts';
import { Secret } from '../../../src/protocol/secret.ts';

/** One table, as for the values of one credential. */
export function tableOf(...values: readonly string[]): SearchTable {
  const table = buildSearchTable(secretForms(values.map((value) => new Secret(value))), 64 * 1024 * 1024);
  if (table === undefined) throw new Error('the values are too long');
  return table;
}

/** One credential for each value. */
export function searchedFor(...values: readonly string[]): SearchedValues {
  return { tables: values.map((value) => tableOf(value)) };
}
