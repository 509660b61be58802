// What a release would change for who runs this program: its place among versions, the wire, and the schema of each store.

import type { Compatibility, ReleaseManifest, StoreFacts } from '../../api/release-manifest.ts';

export type ReleaseAge = 'newer' | 'same' | 'older';

interface ReleaseChanges {
  readonly release: ReleaseAge;
  /** Sentences for an operator, of a newer one alone. */
  readonly changes: readonly string[];
  /** Gateways of both versions can serve side by side; undefined where the release does not say. */
  readonly rolling: boolean | undefined;
}

export function releaseChanges(
  own: { readonly version: string; readonly compatibility: Compatibility },
  release: ReleaseManifest,
): ReleaseChanges {
  const order = compareVersions(release.version, own.version);
  if (order === 0) return { release: 'same', changes: [], rolling: undefined };
  if (order < 0) return { release: 'older', changes: [], rolling: undefined };
  const { compatibility: next } = release;
  if (next === undefined)
    return {
      release: 'newer',
      changes: ['What it changes is not said there: read its changelog.'],
      rolling: undefined,
    };
  const now = own.compatibility;
  const wire = wireChange(now.wire, next.wire);
  const stores = (['sqlite', 'postgres'] as const).map((engine) =>
    storeChange(engine, now.store[engine], next.store[engine]),
  );
  const all = [wire, ...stores];
  return {
    release: 'newer',
    changes: all.map(({ sentence }) => sentence),
    rolling: all.every(({ rolling }) => rolling),
  };
}

interface Change {
  readonly sentence: string;
  readonly rolling: boolean;
}

function wireChange(now: readonly string[], next: readonly string[]): Change {
  const lost = now.filter((name) => !next.includes(name));
  if (lost.length === 0)
    return { sentence: 'Wire: agents of this version work with gateways of that one.', rolling: true };
  return {
    sentence: `Wire: gateways of that version do not speak ${lost.join(', ')}. Upgrade the agents that use it first.`,
    rolling: false,
  };
}

const engineNames = { sqlite: 'SQLite', postgres: 'PostgreSQL' } as const;

function storeChange(engine: 'sqlite' | 'postgres', now: StoreFacts, next: StoreFacts): Change {
  const name = engineNames[engine];
  if (next.schema <= now.schema)
    return { sentence: `${name}: the schema stays at version ${now.schema}.`, rolling: true };
  const step = `${name}: the schema goes from version ${now.schema} to ${next.schema}`;
  if (next.migratesFrom > now.schema)
    return {
      sentence: `${step}, and that version migrates from ${next.migratesFrom} on. Install a release in between first.`,
      rolling: false,
    };
  if (next.servesFrom > now.schema)
    return {
      sentence: `${step}, which this version cannot use. End all gateways of this version before the first of that one starts.`,
      rolling: false,
    };
  return {
    sentence: `${step}; gateways of both versions can use it. Make a backup first: there is no way back.`,
    rolling: true,
  };
}

/** By Semantic Versioning §11; both are versions. */
export function compareVersions(one: string, other: string): number {
  const [first, second] = [parts(one), parts(other)];
  for (const [index, number] of first.numbers.entries()) {
    const difference = number - (second.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  // A version without further words comes behind those with them.
  if (first.words.length === 0 || second.words.length === 0) return second.words.length - first.words.length;
  for (const [index, word] of first.words.entries()) {
    const otherWord = second.words[index];
    if (otherWord === undefined) return 1;
    const difference = compareWords(word, otherWord);
    if (difference !== 0) return difference;
  }
  return first.words.length - second.words.length;
}

function parts(version: string): { readonly numbers: readonly number[]; readonly words: readonly string[] } {
  const dash = version.indexOf('-');
  const numbers = (dash < 0 ? version : version.slice(0, dash)).split('.').map(Number);
  return { numbers, words: dash < 0 ? [] : version.slice(dash + 1).split('.') };
}

function compareWords(one: string, other: string): number {
  const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)];
  if (isNumber && isOtherNumber) return Number(one) - Number(other);
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
  return one < other ? -1 : one > other ? 1 : 0;
}
