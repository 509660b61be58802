// The rules of a policy's files, with those that entries of the catalogue stand for in place of the rules that use one.

import { nearestKey } from '../nearest-key.ts';
import type { CatalogEntry, PolicyDocument, RuleDocument } from '../policy-schema.ts';
import { asList } from '../schema-parts.ts';
import type { Report, YamlPath, YamlSource } from '../yaml-source.ts';
import { builtInEntries } from './built-in-entries.ts';
import { entryNameOf, expandEntry } from './expand-entry.ts';

/** A rule with the place of what it was written as. */
export interface PlacedRule {
  readonly document: RuleDocument;
  readonly path: YamlPath;
}

type ReportAt = (
  path: YamlPath,
  message: string,
  severity?: 'error' | 'warning',
  on?: 'key' | 'value',
) => void;

/** Hosts of tools, or why there are none. */
type Discovered = ReadonlyMap<string, readonly string[] | string>;

/** Entries by their names: those that come along, and those of the files. */
export class Catalog {
  readonly #own = new Map<string, CatalogEntry>();
  readonly #discovered: Discovered | undefined;

  constructor(discovered: Discovered | undefined) {
    this.#discovered = discovered;
  }

  /** Takes those of one file. Known in all files, whatever their order. */
  add({ catalog = {} }: PolicyDocument, report: ReportAt): void {
    for (const [name, entry] of Object.entries(catalog)) {
      const path = ['catalog', name];
      if (Object.hasOwn(builtInEntries, name))
        report(path, `catalog/${name} comes along already; give yours another name`, 'error', 'key');
      if (this.#own.has(name))
        report(path, `catalog/${name} is in another file already; rename one`, 'error', 'key');
      for (const [index, part] of entry.parts.entries())
        if (part.credential !== undefined && !Object.hasOwn(entry.credentials ?? {}, part.credential))
          report(
            [...path, 'parts', index, 'credential'],
            `the entry has no form "${part.credential}" under "credentials"`,
          );
      this.#own.set(name, entry);
    }
  }

  /** The rules of one file. */
  expand({ rules = [] }: PolicyDocument, report: ReportAt): readonly PlacedRule[] {
    return rules.flatMap((document, index) => {
      const path = ['rules', index];
      const name = entryNameOf(document);
      if (name === undefined) {
        if (document.catalog !== undefined)
          report([...path, 'catalog'], '"catalog" goes with an entry; write include: catalog/NAME');
        return [{ document, path }];
      }
      const entry = this.#find(name);
      if (entry === undefined) {
        report([...path, 'include'], this.#unknown(name));
        return [];
      }
      const reportBelow: Report = (below, message, severity) =>
        report([...path, ...below], message, severity);
      const made = expandEntry(document, name, this.#withHosts(entry, reportBelow), reportBelow);
      return made.map((rule) => ({ document: rule, path }));
    });
  }

  /** With the hosts that tools of this machine are configured to use, where a part names tools. */
  #withHosts(entry: CatalogEntry, report: Report): CatalogEntry {
    if (!entry.parts.some(({ discover }) => discover !== undefined)) return entry;
    const parts = entry.parts.map((part) => ({
      ...part,
      hosts: [
        ...new Set([
          ...asList(part.hosts),
          ...asList(part.discover).flatMap((tool) => {
            const hosts = this.#discovered?.get(tool);
            if (Array.isArray(hosts)) return hosts as readonly string[];
            report(['include'], discoverProblem(tool, typeof hosts === 'string' ? hosts : undefined));
            return [];
          }),
        ]),
      ],
    }));
    return { ...entry, parts };
  }

  #find(name: string): CatalogEntry | undefined {
    return this.#own.get(name) ?? (Object.hasOwn(builtInEntries, name) ? builtInEntries[name] : undefined);
  }

  #unknown(name: string): string {
    const near = nearestKey(name, [...Object.keys(builtInEntries), ...this.#own.keys()]);
    const meant =
      near === undefined ? '`upstreamproxy catalog list` has all of them' : `did you mean catalog/${near}?`;
    return `there is no catalog/${name}; ${meant}`;
  }
}

export function discoverProblem(tool: string, reason: string | undefined): string {
  const why = reason === undefined ? ' here' : `: ${reason}`;
  return `hosts cannot be discovered from ${JSON.stringify(tool)}${why}; write the hosts under "hosts"`;
}

/** The tools that entries name which the rules of a file use, and entries of the file itself. */
export function toolsOfEntries({ rules = [], catalog = {} }: PolicyDocument): readonly string[] {
  const used = rules.flatMap((rule) => {
    const name = entryNameOf(rule) ?? '';
    const entry = Object.hasOwn(builtInEntries, name) ? builtInEntries[name] : undefined;
    return entry === undefined ? [] : [entry];
  });
  return [...used, ...Object.values(catalog)].flatMap(({ parts }) =>
    parts.flatMap(({ discover }) => asList(discover)),
  );
}

/** The entries that come along whose names stand in the texts: they decide too, as they are in this release. */
export function entriesNamed(sources: readonly YamlSource[]): readonly unknown[] {
  const names = sources.flatMap(({ text }) =>
    [...text.matchAll(/catalog\/([A-Za-z0-9._-]{1,64})/g)].map(([, name = '']) => name),
  );
  const known = [...new Set(names)].filter((name) => Object.hasOwn(builtInEntries, name));
  return known.sort().map((name) => [name, builtInEntries[name]]);
}
