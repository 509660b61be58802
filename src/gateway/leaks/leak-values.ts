// The values that requests are searched for, from all that the gateway holds: read again while requests ask for them, and kept where a
// source gives new ones, for what was had before may still be in a container.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import { buildLeakTable, type LeakOwner, type LeakTable } from './leak-table.ts';

/** Something whose values may not leave. */
export interface LeakSource {
  readonly owner: LeakOwner;
  /** Its values now; what fails leaves those that were known. */
  read(nowMs: number): Promise<readonly Secret<string>[]>;
}

export class LeakValues {
  readonly #sources: readonly LeakSource[];
  readonly #limits: Pick<Limits, 'leakTableBytesMax'>;
  /** By owner: the values of a few generations, the newest last. */
  readonly #known = new Map<string, { readonly owner: LeakOwner; generations: readonly string[] }>();
  #table: LeakTable | undefined;
  #checkedMs = Number.NEGATIVE_INFINITY;
  #checking: Promise<undefined> | undefined;

  /** @param sources of which a look costs little; others are told by `note` when they were used */
  constructor(sources: readonly LeakSource[], limits: Pick<Limits, 'leakTableBytesMax'>) {
    this.#sources = sources;
    this.#limits = limits;
  }

  /** @throws ProxyError credential_unavailable if there is more than can be searched for */
  async current(nowMs: number): Promise<LeakTable> {
    if (Math.abs(nowMs - this.#checkedMs) >= defaultLimits.leakValuesCheckMs) {
      this.#checking ??= this.#check(nowMs).finally(() => {
        this.#checking = undefined;
      });
      await this.#checking;
    }
    return this.table;
  }

  /** Of what is known by now. @throws as `current` */
  get table(): LeakTable {
    return (this.#table ??= this.#build());
  }

  note(owner: LeakOwner, values: readonly Secret<string>[]): void {
    if (values.length === 0) return;
    const key = `${owner.kind} ${owner.name}`;
    const joined = values.map((value) => value.reveal()).join('\0');
    const known = this.#known.get(key)?.generations ?? [];
    if (known.includes(joined)) return;
    const generations = [...known, joined];
    this.#known.set(key, {
      owner,
      generations: generations.slice(-defaultLimits.scrubTablesPerCredentialMax),
    });
    this.#table = undefined;
  }

  async #check(nowMs: number): Promise<undefined> {
    await Promise.all(
      this.#sources.map(async ({ owner, read }) => {
        // Whoever puts it on is told what is wrong with it.
        this.note(owner, await read(nowMs).catch(() => []));
      }),
    );
    this.#checkedMs = nowMs;
    return undefined;
  }

  #build(): LeakTable {
    const values = [...this.#known.values()].flatMap(({ owner, generations }) =>
      [...new Set(generations.flatMap((one) => one.split('\0')))].map((value) => ({ owner, value })),
    );
    const table = buildLeakTable(values, this.#limits.leakTableBytesMax);
    if (table !== undefined) return table;
    throw new ProxyError(
      'credential_unavailable',
      'the values of credentials and canaries are too many or too long to search requests for them (leakTableBytesMax)',
      { limit: 'leakTableBytesMax' },
    );
  }
}
