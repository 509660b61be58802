// What is different between two indexes of advisories, both read in the order of their packages.

import {
  type AdvisoryIndex,
  type IndexedAdvisory,
  type IndexedPackage,
  readPackageLine,
} from '../../../understand/packages/advisory-index.ts';
import type { AdvisoryLevel } from '../../../understand/packages/advisory.ts';
import { defaultLimits } from '../../../protocol/limits.ts';

export interface ToldAdvisory {
  readonly registry: string;
  readonly package: string;
  readonly ids: readonly string[];
  readonly level: AdvisoryLevel;
  /** Those who wrote it took it back. */
  readonly withdrawn?: true;
}

interface ToldAdvisories {
  readonly count: number;
  /** The first of them. */
  readonly some: readonly ToldAdvisory[];
}

export interface ChangedAdvisories {
  readonly added: ToldAdvisories;
  /** What they were about is allowed again, if nothing else is known against it. */
  readonly gone: ToldAdvisories;
  /** About other versions, or of another severity, than before. */
  readonly changed: number;
}

export class AdvisoryChanges {
  readonly #before: Iterator<readonly [key: string, one: IndexedPackage]> | undefined;
  readonly #isWithdrawn: (id: string) => boolean;
  #next: readonly [key: string, one: IndexedPackage] | undefined;
  readonly #added = new Told();
  readonly #gone = new Told();
  #changed = 0;

  constructor(before: AdvisoryIndex | undefined, isWithdrawn: (id: string) => boolean) {
    this.#before = before?.packages();
    this.#isWithdrawn = isWithdrawn;
    this.#step();
  }

  /** A line of the new index. */
  add(key: string, line: string): void {
    for (; this.#next !== undefined && this.#next[0] < key; this.#step())
      this.#compare(this.#next[0], this.#next[1]);
    const now = readPackageLine(line)?.[1];
    const isSame = this.#next?.[0] === key;
    this.#compare(key, isSame ? this.#next?.[1] : undefined, now);
    if (isSame) this.#step();
  }

  end(): ChangedAdvisories {
    for (; this.#next !== undefined; this.#step()) this.#compare(this.#next[0], this.#next[1]);
    return { added: this.#added.all, gone: this.#gone.all, changed: this.#changed };
  }

  #step(): void {
    const step = this.#before?.next();
    this.#next = step === undefined || step.done === true ? undefined : step.value;
  }

  #compare(key: string, before: IndexedPackage | undefined, now?: IndexedPackage): void {
    const known = byId(before);
    const left = byId(now);
    for (const one of now?.advisories ?? []) {
      const was = one.ids.map((id) => known.get(id)).find((other) => other !== undefined);
      if (was === undefined) this.#added.add(key, one);
      else if (textOf(was, before) !== textOf(one, now)) this.#changed += 1;
    }
    for (const one of before?.advisories ?? []) {
      if (one.ids.some((id) => left.has(id))) continue;
      this.#gone.add(
        key,
        one,
        one.ids.some((id) => this.#isWithdrawn(id)),
      );
    }
  }
}

class Told {
  #count = 0;
  readonly #some: ToldAdvisory[] = [];

  get all(): ToldAdvisories {
    return { count: this.#count, some: this.#some };
  }

  add(key: string, { ids, level }: IndexedAdvisory, isWithdrawn = false): void {
    this.#count += 1;
    if (this.#some.length >= defaultLimits.advisoryChangesToldMax) return;
    const [registry = '', name = ''] = key.split('\t');
    this.#some.push({ registry, package: name, ids, level, ...(isWithdrawn ? { withdrawn: true } : {}) });
  }
}

function byId(one: IndexedPackage | undefined): ReadonlyMap<string, IndexedAdvisory> {
  const advisories = one?.advisories ?? [];
  // An id is first of all that of the record that has it for its own.
  return new Map([
    ...advisories.flatMap((each) => each.ids.map((id) => [id, each] as const)),
    ...advisories.flatMap((each) => each.ids.slice(0, 1).map((id) => [id, each] as const)),
  ]);
}

/** What it says, without places, which are those of its own index. */
function textOf({ level, places, odd }: IndexedAdvisory, of: IndexedPackage | undefined): string {
  const bound = (place: number): string => `${of?.bounds[place >> 1] ?? ''}${place % 2 === 0 ? '-' : ''}`;
  return JSON.stringify([level, places.map((one) => (one < 0 ? '' : bound(one))), odd]);
}
