// The index of advisories: a line a package, sorted, so that one is found without reading the others. A line is the registry, the name in lower
// case, and JSON of the versions that bound what is affected, and of each advisory: ids, level, places, and versions that have no place.

import { defaultLimits } from '../../protocol/limits.ts';
import {
  type AdvisoryLevel,
  advisoryLevels,
  type FoundAdvisory,
  type PackageAdvisories,
} from './advisory.ts';
import { endless, hasPlace, orderedVersion, placeOf } from './affected-versions.ts';
import { type PackageRegistry, packageRegistries } from './package-request.ts';
import { nameIn } from './read-package.ts';

/** What the file says of itself in its first line. */
export interface IndexHead {
  readonly madeMs: number;
  readonly registries: ReadonlyMap<PackageRegistry, IndexedRegistry>;
  /** Of all lines behind the first. */
  readonly bytes: number;
  readonly sha256: string;
}

export interface IndexedRegistry {
  readonly packages: number;
  readonly advisories: number;
  /** When the record that was changed last was changed. */
  readonly newestMs: number;
}

export interface IndexedPackage {
  readonly bounds: readonly string[];
  readonly advisories: readonly IndexedAdvisory[];
}

export interface IndexedAdvisory extends FoundAdvisory {
  readonly places: readonly number[];
  readonly odd: readonly string[];
}

const format = 'upstreamproxy advisories';
const formatVersion = 1;
const newline = 0x0a;

export function headLine({ madeMs, registries, bytes, sha256 }: IndexHead): string {
  return `${JSON.stringify({ format, version: formatVersion, madeMs, registries: Object.fromEntries(registries), bytes, sha256 })}\n`;
}

/** The head, or what is wrong with it, as the end of a sentence: `the index` … */
export function readHead(line: string): IndexHead | string {
  const value = objectIn(line);
  if (value?.['format'] !== format) return 'is no index of advisories';
  if (value['version'] !== formatVersion)
    return 'was made by another version of this program; import the advisories again';
  const { madeMs, bytes, sha256, registries } = value;
  if (!isCount(madeMs) || !isCount(bytes) || typeof sha256 !== 'string')
    return 'has a first line that says too little';
  const read = new Map<PackageRegistry, IndexedRegistry>();
  for (const registry of packageRegistries) {
    const one =
      typeof registries === 'object' && registries !== null ? objectOf(registries, registry) : undefined;
    if (one === undefined) continue;
    const { packages, advisories, newestMs } = one;
    if (!isCount(packages) || !isCount(advisories) || !isCount(newestMs))
      return 'has a first line that says too little';
    read.set(registry, { packages, advisories, newestMs });
  }
  return { madeMs, bytes, sha256, registries: read };
}

export const packageKey = (registry: PackageRegistry, name: string): string =>
  `${registry}\t${nameIn(registry, name).toLowerCase()}`;

export function packageLine(key: string, { bounds, advisories }: IndexedPackage): string {
  const written = advisories.map(({ ids, level, places, odd }) => [
    ids,
    advisoryLevels.indexOf(level),
    places,
    ...(odd.length === 0 ? [] : [odd]),
  ]);
  return `${key}\t${JSON.stringify([bounds, written])}\n`;
}

/** Key and package of a line; undefined: it is none. */
export function readPackageLine(line: string): readonly [key: string, one: IndexedPackage] | undefined {
  const at = line.indexOf('\t', line.indexOf('\t') + 1);
  if (at < 0) return undefined;
  const one = packageIn(line.slice(at + 1));
  return one === undefined ? undefined : [line.slice(0, at), one];
}

/** Of a package whose line cannot be read nothing is let through. */
const unreadable: IndexedPackage = {
  bounds: [],
  advisories: [{ ids: ['unreadable'], level: 'malware', places: [0, endless], odd: [] }],
};

/** Packages that were asked for last are kept as they were read; so many, and so much of them as it is written. */
const keptMax = 256;
const keptBytesMax = 4 * defaultLimits.advisoryPackageBytesMax;

interface KeptPackage {
  readonly one: IndexedPackage | undefined;
  readonly bytes: number;
}

export class AdvisoryIndex implements PackageAdvisories {
  readonly head: IndexHead;
  /** Without the first line. */
  readonly #octets: Uint8Array;
  readonly #kept = new Map<string, KeptPackage>();
  #keptBytes = 0;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  /** @param octets whole lines, in the order of their keys */
  constructor(head: IndexHead, octets: Uint8Array) {
    this.head = head;
    this.#octets = octets;
  }

  covers(registry: PackageRegistry): boolean {
    return this.head.registries.has(registry);
  }

  find(registry: PackageRegistry, name: string, version?: string): readonly FoundAdvisory[] {
    const known = this.#packageOf(packageKey(registry, name));
    if (known === undefined) return [];
    if (version === undefined) return known.advisories;
    const ordered = orderedVersion(version, registry);
    const place = ordered === undefined ? undefined : placeOf(ordered, known.bounds, registry);
    return known.advisories.filter(({ places, odd }) => {
      if (odd.includes(version)) return true;
      // What the registry cannot order is in every range.
      return place === undefined ? places.length > 0 : hasPlace(places, place);
    });
  }

  /** In the order of their keys. */
  *packages(): Generator<readonly [key: string, one: IndexedPackage]> {
    for (let at = 0; at < this.#octets.length;) {
      const end = this.#lineEnd(at);
      const read = readPackageLine(this.#decoder.decode(this.#octets.subarray(at, end)));
      if (read !== undefined) yield read;
      at = end + 1;
    }
  }

  #packageOf(key: string): IndexedPackage | undefined {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept.one;
    const octets = this.#lineOf(key);
    const one = octets === undefined ? undefined : this.#read(octets);
    const bytes = octets === undefined || one === unreadable ? 0 : octets.length;
    this.#kept.set(key, { one, bytes });
    this.#keptBytes += bytes;
    for (const [oldest, { bytes: left }] of this.#kept) {
      if (this.#kept.size <= keptMax && this.#keptBytes <= keptBytesMax) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= left;
    }
    return one;
  }

  #read(octets: Uint8Array): IndexedPackage {
    // Reading it would hold up everybody.
    if (octets.length > defaultLimits.advisoryPackageBytesMax) return unreadable;
    return readPackageLine(this.#decoder.decode(octets))?.[1] ?? unreadable;
  }

  #lineOf(key: string): Uint8Array | undefined {
    const wanted = this.#encoder.encode(`${key}\t`);
    let [from, to] = [0, this.#octets.length];
    while (from < to) {
      const start = this.#lineStart((from + to) >> 1);
      const end = this.#lineEnd(start);
      const order = this.#compareAt(start, wanted);
      if (order === 0) return this.#octets.subarray(start, end);
      if (order > 0) to = start;
      else from = end + 1;
    }
    return undefined;
  }

  /** Below 0: the line is before what begins so. */
  #compareAt(start: number, wanted: Uint8Array): number {
    for (const [i, octet] of wanted.entries()) {
      const order = (this.#octets[start + i] ?? 0) - octet;
      if (order !== 0) return order;
    }
    return 0;
  }

  #lineStart(at: number): number {
    return at === 0 ? 0 : this.#octets.lastIndexOf(newline, at - 1) + 1;
  }

  #lineEnd(at: number): number {
    const end = this.#octets.indexOf(newline, at);
    return end < 0 ? this.#octets.length : end;
  }
}

function packageIn(text: string): IndexedPackage | undefined {
  const value = parsed(text);
  if (!isList(value)) return undefined;
  const [bounds, written] = value;
  if (!isTexts(bounds) || !isList(written)) return undefined;
  const advisories = written.map(advisoryIn);
  return advisories.every((one) => one !== undefined) ? { bounds, advisories } : undefined;
}

function advisoryIn(value: unknown): IndexedAdvisory | undefined {
  if (!isList(value)) return undefined;
  const [ids, level, places, odd = []] = value;
  const known: AdvisoryLevel | undefined = typeof level === 'number' ? advisoryLevels[level] : undefined;
  const isWhole = known !== undefined && isTexts(ids) && isNumbers(places) && isTexts(odd);
  return isWhole ? { ids, level: known, places, odd } : undefined;
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const isTexts = (value: unknown): value is readonly string[] =>
  isList(value) && value.every((one) => typeof one === 'string');
const isNumbers = (value: unknown): value is readonly number[] =>
  isList(value) && value.every((one) => typeof one === 'number');
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Members = Readonly<Record<string, unknown>>;

function objectIn(text: string): Members | undefined {
  const value = parsed(text);
  // An object that JSON.parse made has members of any kind.
  return typeof value === 'object' && value !== null ? (value as Members) : undefined;
}

function objectOf(parent: object, name: string): Members | undefined {
  const value: unknown = (parent as Members)[name];
  return typeof value === 'object' && value !== null ? (value as Members) : undefined;
}
