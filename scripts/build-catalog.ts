// Writes src/policy/catalog/built-in-entries.ts and src/api/catalog-hosts.ts anew from the entries in catalog/, each checked by the schema.
// usage: node scripts/build-catalog.ts

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CatalogEntry, catalogEntrySchema } from '../src/policy/policy-schema.ts';
import { asList } from '../src/policy/schema-parts.ts';
import { formatProblem } from '../src/policy/problem.ts';
import { readYaml } from '../src/policy/yaml-source.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const table = `${root}src/policy/catalog/built-in-entries.ts`;
const hostsTable = `${root}src/api/catalog-hosts.ts`;

/** The entries by their names. Throws for one that does not follow the schema. */
export function catalogEntries(): Readonly<Record<string, CatalogEntry>> {
  const files = readdirSync(`${root}catalog`).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(
    files.sort().map((name) => {
      const text = readFileSync(`${root}catalog/${name}`, 'utf8');
      const read = readYaml({ file: `catalog/${name}`, text }, catalogEntrySchema, { showText: true });
      if ('problems' in read) throw new Error(read.problems.map(formatProblem).join('\n'));
      return [name.slice(0, -'.yaml'.length), read.value];
    }),
  );
}

/** A line for each entry, so that a change shows which one it is of. */
function tableText(): string {
  const lines = Object.entries(catalogEntries()).map(
    ([name, entry]) => `  ${JSON.stringify(name)}: ${JSON.stringify(entry)},`,
  );
  return [
    '// The entries of catalog/, made by scripts/build-catalog.ts: change them there.',
    '',
    "import type { CatalogEntry } from '../policy-schema.ts';",
    '',
    'export const builtInEntries: Readonly<Record<string, CatalogEntry>> = {',
    ...lines,
    '};',
    '',
  ].join('\n');
}

/** What the console knows of them: which entry a host is of. */
export function hostsText(): string {
  const lines = Object.entries(catalogEntries()).flatMap(([entry, { title, parts }]) => {
    const hosts = [...new Set(parts.flatMap((part) => asList(part.hosts)))];
    const hasGit = parts.some(({ git }) => git !== undefined);
    return hosts.length === 0 ? [] : [`  ${JSON.stringify({ entry, title, hosts, hasGit })},`];
  });
  return [
    '// Which hosts the entries of catalog/ have, made by scripts/build-catalog.ts: change them there.',
    '',
    'export interface CatalogHosts {',
    '  readonly entry: string;',
    '  readonly title: string;',
    '  /** `{tenant}` stands for a part of the service. */',
    '  readonly hosts: readonly string[];',
    '  /** Whether a rule may say which repositories of git. */',
    '  readonly hasGit: boolean;',
    '}',
    '',
    'export const catalogHosts: readonly CatalogHosts[] = [',
    ...lines,
    '];',
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(table, tableText());
  writeFileSync(hostsTable, hostsText());
}
