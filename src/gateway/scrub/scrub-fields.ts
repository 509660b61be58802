// Header and trailer fields without injected secrets.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { SearchTable } from './search-table.ts';
import { SecretSearch } from './secret-search.ts';

/** Stands in no field and in no form. */
const separator = '\0';

/** Replaces every occurrence in the values; a field whose name holds one, in whatever letters, is left out. */
export function scrubFields(fields: HeaderList, tables: readonly SearchTable[]): HeaderList {
  if (tables.length === 0 || fields.size === 0) return fields;
  const named = withoutNamed(fields, tables);
  const before = [...named].map(([, value]) => value).join(separator);
  const chunk = Buffer.from(before, 'latin1');
  const text = Buffer.from(chunk);
  const isMarked = tables.map((table) => new SecretSearch(table).run(chunk, text, 0).length > 0);
  if (!isMarked.includes(true)) return named;
  const values = text.toString('latin1').split(separator);
  return new HeaderList([...named].map(([name], at) => [name, values[at] ?? ''] as const));
}

function withoutNamed(fields: HeaderList, tables: readonly SearchTable[]): HeaderList {
  const all = Buffer.from([...fields].map(([name]) => name).join(separator), 'latin1');
  const isNamed = tables.map((table) => holdsForm(all, table));
  if (!isNamed.includes(true)) return fields;
  return fields.filter((name) => !tables.some((table) => holdsForm(Buffer.from(name, 'latin1'), table)));
}

/** HTTP/2 has names in lower case only. */
function holdsForm(names: Uint8Array, { nameClasses, names: automaton }: SearchTable): boolean {
  const { next, finalRow } = automaton;
  let row = 0;
  let found = 0;
  for (let at = 0; at < names.length; at += 1) {
    row = next[row + (nameClasses[names[at] ?? 0] ?? 0)] ?? 0;
    if (row >= finalRow && finalRow > 0) found += 1;
  }
  return found > 0;
}
