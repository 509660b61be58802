// The values that requests are searched for, from all that the gateway holds: read again while requests ask for them, and kept where a
// source gives new ones, for what was had before may still be in a container.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import { buildLeakTable, type LeakOwner, type LeakTable } from './leak-table.ts';

/** Something whose values may not leave. */
export interface LeakSource {
  readonly owner: LeakOwner;
  /** Its values now; what fails leaves those that were known. */
  read(nowMs: number): Promise<readonly Secret<string>[]>;
  /** A look costs something. Without a first value nothing can be searched for it. */
  readonly isAsked?: true;
}

/** What is known of a source that is asked. */
interface AskedSource {
  readonly source: LeakSource;
  hasValue: boolean;
  askedMs: number;
  asking?: Promise<undefined> | undefined;
  fault?: ProxyError;
}

export class LeakValues {
  readonly #sources: readonly LeakSource[];
  readonly #asked: readonly AskedSource[];
  readonly #limits: Pick<Limits, 'leakTableBytesMax'>;
  /** By owner: the values of a few generations, the newest last. */
  readonly #known = new Map<string, { readonly owner: LeakOwner; generations: readonly string[] }>();
  #table: LeakTable | undefined;
  #checkedMs = Number.NEGATIVE_INFINITY;
  #checking: Promise<undefined> | undefined;

  constructor(sources: readonly LeakSource[], limits: Pick<Limits, 'leakTableBytesMax'>) {
    this.#sources = sources.filter(({ isAsked }) => isAsked !== true);
    this.#asked = sources
      .filter(({ isAsked }) => isAsked === true)
      .map((source) => ({ source, hasValue: false, askedMs: Number.NEGATIVE_INFINITY }));
    this.#limits = limits;
  }

  /** @throws ProxyError credential_unavailable if there is more than can be searched for, or a source that is asked never gave a value */
  async current(nowMs: number): Promise<LeakTable> {
    await this.#look(nowMs);
    await Promise.all(this.#asked.map(async (one) => this.#ask(one, nowMs)));
    return this.table;
  }

  /** Without asking for what costs something: of that there is what is known by now. @throws as `table` */
  async currentUnasked(nowMs: number): Promise<LeakTable> {
    await this.#look(nowMs);
    return this.table;
  }

  async #look(nowMs: number): Promise<void> {
    if (Math.abs(nowMs - this.#checkedMs) >= defaultLimits.leakValuesCheckMs) {
      this.#checking ??= this.#check(nowMs).finally(() => {
        this.#checking = undefined;
      });
      await this.#checking;
    }
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

  /** Waits for the first value alone: a later one takes the place of none, and is searched for soon. */
  async #ask(one: AskedSource, nowMs: number): Promise<void> {
    const { leakSourceCheckMs, issuerFailureHoldMs } = defaultLimits;
    const passedMs = Math.abs(nowMs - one.askedMs);
    if (one.hasValue) {
      if (passedMs >= leakSourceCheckMs) void this.#read(one, nowMs);
      return;
    }
    if (one.fault === undefined || passedMs >= issuerFailureHoldMs) await this.#read(one, nowMs);
    if (!one.hasValue && one.fault !== undefined) throw one.fault;
  }

  #read(one: AskedSource, nowMs: number): Promise<undefined> {
    const { owner } = one.source;
    const read = async (): Promise<undefined> => {
      try {
        this.note(owner, await one.source.read(nowMs));
        one.hasValue = true;
      } catch (error) {
        const message = `requests cannot be searched for the credential ${owner.name}: its value cannot be had`;
        one.fault = new ProxyError('credential_unavailable', message, {
          cause: error,
          credential: owner.name,
          operatorDetail: asProxyError(error).message,
        });
      } finally {
        one.askedMs = nowMs;
        one.asking = undefined;
      }
      return undefined;
    };
    return (one.asking ??= read());
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
