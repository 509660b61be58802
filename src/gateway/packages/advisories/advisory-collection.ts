// What records say, collected by package: compact, for there are hundreds of thousands of them.

import { advisoryLevels } from '../../../understand/packages/advisory.ts';
import type { IndexedRegistry } from '../../../understand/packages/advisory-index.ts';
import type { AffectedVersions, RangeEvent } from '../../../understand/packages/affected-versions.ts';
import { type PackageRegistry, packageRegistries } from '../../../understand/packages/package-request.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { boundedEntries, boundedLine } from './bounded-advisories.ts';
import { type AdvisoryEntry, mergedAdvisories } from './merged-advisories.ts';
import type { AffectedPackage, OsvRecord } from './osv-record.ts';

export interface CollectedLine {
  readonly key: string;
  readonly line: string;
}

/** A record that says when it was changed in the future says nothing about how new an export is. */
const clockSkewMs = 86_400_000;

type Written = readonly [
  id: string,
  aliases: readonly string[],
  level: number,
  modifiedMs: number,
  ranges: readonly (readonly RangeEvent[])[],
  versions: readonly string[],
  isWhole: 0 | 1,
];

export class AdvisoryCollection {
  readonly #nowMs: number;
  readonly #texts = new TextArena();
  /** Places of what records say, by package. */
  readonly #byKey = new Map<string, number[]>();
  /** When records that were taken back were changed, by their ids. */
  readonly #withdrawn = new Map<string, number>();
  readonly #registries = new Map<
    PackageRegistry,
    { packages: number; advisories: number; newestMs: number }
  >();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** Those whose own export was read: the records of another one that name packages of a registry too are the least of what is known of it. */
  get registries(): ReadonlyMap<PackageRegistry, IndexedRegistry> {
    return this.#registries;
  }

  get withdrawnCount(): number {
    return this.#withdrawn.size;
  }

  isWithdrawn(id: string): boolean {
    return this.#withdrawn.has(id);
  }

  /** @throws ProxyError config_invalid if there is too much of it */
  add({ id, aliases, modifiedMs, isWithdrawn, ofOneEcosystem, affected }: OsvRecord): void {
    const byKey = new Map<string, AffectedPackage>();
    for (const [key, all] of Map.groupBy(affected, (one) => one.key)) byKey.set(key, together(key, all));
    for (const { key } of ofOneEcosystem ? byKey.values() : []) {
      const registry = this.#registryOf(key);
      if (modifiedMs <= this.#nowMs + clockSkewMs)
        registry.newestMs = Math.max(registry.newestMs, modifiedMs);
    }
    if (isWithdrawn) {
      this.#withdrawn.set(id, Math.max(modifiedMs, this.#withdrawn.get(id) ?? 0));
      return;
    }
    for (const { key, level, ranges, versions, isWhole } of byKey.values()) {
      const written: Written = [
        id,
        aliases,
        advisoryLevels.indexOf(level),
        modifiedMs,
        ranges,
        versions,
        isWhole === true ? 1 : 0,
      ];
      const place = this.#texts.add(JSON.stringify(written));
      const others = this.#byKey.get(key);
      if (others === undefined) this.#byKey.set(key, [place]);
      else others.push(place);
    }
  }

  /** Whole, in the order of their keys. To be asked for once, when all is collected. */
  *lines(): Generator<CollectedLine> {
    for (const key of [...this.#byKey.keys()].toSorted()) {
      const written = (this.#byKey.get(key) ?? []).map((place) => this.#texts.at(place));
      const entries = this.#inForce(written);
      if (entries.length === 0) continue;
      const registry = this.#registries.get(registryIn(key));
      if (registry === undefined) continue;
      const known = mergedAdvisories(boundedEntries(entries), registryIn(key));
      registry.packages += 1;
      registry.advisories += known.advisories.length;
      yield { key, line: boundedLine(key, known) };
    }
  }

  /** Of a record that came several times the newest, if that was not withdrawn. */
  #inForce(texts: readonly string[]): readonly AdvisoryEntry[] {
    const newest = new Map<string, Written>();
    for (const text of texts) {
      // Written above.
      const one = JSON.parse(text) as Written;
      const [id, , , modifiedMs] = one;
      if (modifiedMs >= (newest.get(id)?.[3] ?? 0)) newest.set(id, one);
    }
    return [...newest.values()].flatMap(([id, aliases, level, modifiedMs, ranges, versions, isWhole]) => {
      if (modifiedMs <= (this.#withdrawn.get(id) ?? -1)) return [];
      const affected: AffectedVersions = { ranges, versions, ...(isWhole === 1 ? { isWhole: true } : {}) };
      return [{ id, aliases, level: advisoryLevels[level] ?? 'malware', affected }];
    });
  }

  #registryOf(key: string): { packages: number; advisories: number; newestMs: number } {
    const name = registryIn(key);
    let registry = this.#registries.get(name);
    if (registry === undefined)
      this.#registries.set(name, (registry = { packages: 0, advisories: 0, newestMs: 0 }));
    return registry;
  }
}

function registryIn(key: string): PackageRegistry {
  const name = key.slice(0, key.indexOf('\t'));
  const registry = packageRegistries.find((one) => one === name);
  if (registry === undefined) throw new ProxyError('internal', `${name} is no registry`);
  return registry;
}

/** What one record says of a package in several places. */
function together(key: string, all: readonly AffectedPackage[]): AffectedPackage {
  const level = all.reduce((most, one) => Math.max(most, advisoryLevels.indexOf(one.level)), 0);
  return {
    key,
    level: advisoryLevels[level] ?? 'malware',
    ranges: all.flatMap(({ ranges }) => ranges),
    versions: all.flatMap(({ versions }) => versions),
    ...(all.some(({ isWhole }) => isWhole === true) ? { isWhole: true } : {}),
  };
}

const blockBytes = 1024 * 1024;
const blockPlaces = 2 ** 26;

/** Texts as octets in large blocks, so that they cost what they are long. */
class TextArena {
  readonly #blocks: Buffer[] = [];
  #used = blockBytes;
  #bytes = 0;

  add(text: string): number {
    const length = Buffer.byteLength(text);
    this.#bytes += length + 4;
    if (this.#bytes > defaultLimits.advisoryIndexBytesMax || length > blockPlaces - 4)
      throw new ProxyError('config_invalid', 'there are too many advisories (advisoryIndexBytesMax)');
    let block = this.#blocks.at(-1);
    if (block === undefined || this.#used + length + 4 > block.length) {
      block = Buffer.allocUnsafe(Math.max(blockBytes, length + 4));
      this.#blocks.push(block);
      this.#used = 0;
    }
    const at = this.#used;
    block.writeUInt32LE(length, at);
    block.write(text, at + 4);
    this.#used += length + 4;
    return (this.#blocks.length - 1) * blockPlaces + at;
  }

  at(place: number): string {
    const block = this.#blocks[Math.floor(place / blockPlaces)] ?? Buffer.alloc(4);
    const at = place % blockPlaces;
    return block.toString('utf8', at + 4, at + 4 + block.readUInt32LE(at));
  }
}
