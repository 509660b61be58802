// All entries that there are, for who shows them: those that come along, and those of policy files.

import { readYaml, type YamlSource } from '../yaml-source.ts';
import type { PolicyProblem } from '../problem.ts';
import { type CatalogEntry, policySchema } from '../policy-schema.ts';
import { asList } from '../schema-parts.ts';
import { builtInEntries } from './built-in-entries.ts';

export interface FoundEntry {
  readonly name: string;
  readonly entry: CatalogEntry;
  /** The file that has it; undefined: it comes along. */
  readonly file: string | undefined;
}

/** In the order of their names. A file that cannot be read has problems instead of entries. */
export function findEntries(
  sources: readonly YamlSource[],
): { readonly entries: readonly FoundEntry[] } | { readonly problems: readonly PolicyProblem[] } {
  const entries: FoundEntry[] = Object.entries(builtInEntries).map(([name, entry]) => ({
    name,
    entry,
    file: undefined,
  }));
  const problems: PolicyProblem[] = [];
  for (const source of sources) {
    const read = readYaml(source, policySchema, { showText: true });
    if ('problems' in read) problems.push(...read.problems);
    else
      for (const [name, entry] of Object.entries(read.value.catalog ?? {}))
        entries.push({ name, entry, file: source.file });
  }
  if (problems.length > 0) return { problems };
  return { entries: entries.toSorted((one, other) => (one.name < other.name ? -1 : 1)) };
}

/** Entries that come along with a host among these, and which. */
export function entriesOfHosts(
  hosts: ReadonlySet<string>,
): readonly { readonly name: string; readonly known: readonly string[] }[] {
  return Object.entries(builtInEntries).flatMap(([name, { parts }]) => {
    const known = [...new Set(parts.flatMap((part) => asList(part.hosts)))].filter((host) => hosts.has(host));
    return known.length === 0 ? [] : [{ name, known }];
  });
}
