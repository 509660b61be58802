// Which variables of an environment hold secrets of services that the catalogue knows, and where each of them belongs.

import { asList } from '../schema-parts.ts';
import type { CatalogEntry } from '../policy-schema.ts';
import { builtInEntries } from './built-in-entries.ts';

export interface KnownVariable {
  /** The name of the entry. */
  readonly entry: string;
  readonly plainTokens: boolean;
  /** Where its secret goes on. */
  readonly places: readonly KnownPlace[];
}

export interface KnownPlace {
  readonly host: string;
  /** Lower case. */
  readonly field: string;
  /** Variables that name another host for it. */
  readonly hostVariables: readonly string[];
}

/** By their names. A variable of an entry whose hosts are the caller's own is not among them: nobody says which host may have its secret. */
export function knownVariables(): ReadonlyMap<string, KnownVariable> {
  const known = new Map<string, KnownVariable & { places: KnownPlace[] }>();
  for (const [name, entry] of Object.entries(builtInEntries))
    for (const [form, credential] of Object.entries(entry.credentials ?? {})) {
      const field = fieldOf(credential);
      if (field === undefined || entry.tenant !== undefined) continue;
      for (const variable of asList(credential.variables)) {
        const plainTokens = entry.plainTokens === true;
        const one = known.get(variable) ?? { entry: name, plainTokens, places: [] };
        known.set(variable, one);
        for (const host of hostsOf(entry, form))
          one.places.push({ host, field, hostVariables: asList(credential.hostVariables) });
      }
    }
  return new Map([...known].filter(([, { places }]) => places.length > 0));
}

type EntryCredential = NonNullable<CatalogEntry['credentials']>[string];

/** Kinds that put the secret behind a scheme. */
const schemes = new Set(['bearer', 'basic']);

/** Where the secret alone, or behind a scheme, is the value. */
function fieldOf({ kind, header, prefix }: EntryCredential): string | undefined {
  if (header !== undefined) return prefix === undefined ? header.toLowerCase() : undefined;
  return schemes.has(kind) ? 'authorization' : undefined;
}

function hostsOf({ parts }: CatalogEntry, form: string): readonly string[] {
  const hosts = parts.filter(({ credential }) => credential === form).flatMap((part) => asList(part.hosts));
  return [...new Set(hosts)].filter((host) => !host.includes('*'));
}
