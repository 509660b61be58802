// What responses are searched for by credential: the tables of its values, built once for each value, and bounded in memory.

import { ProxyError } from '../../protocol/error.ts';
import { type Limits, defaultLimits } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { SearchedValues } from './response-scrubber.ts';
import { buildSearchTable, type SearchTable } from './search-table.ts';
import { secretForms } from './secret-forms.ts';

/** What all tables together take. */
export class TableBudget {
  readonly #limits: Pick<Limits, 'scrubTableBytesMax' | 'scrubTablesBytesMax'>;
  #bytes = 0;

  constructor(limits: Pick<Limits, 'scrubTableBytesMax' | 'scrubTablesBytesMax'>) {
    this.#limits = limits;
  }

  /** @throws ProxyError credential_unavailable */
  build(values: readonly Secret<string>[], name: string): SearchTable {
    const { scrubTableBytesMax, scrubTablesBytesMax } = this.#limits;
    const table = buildSearchTable(secretForms(values), scrubTableBytesMax);
    if (table === undefined) throw tooLarge(name, 'scrubTableBytesMax');
    if (this.#bytes + table.bytes > scrubTablesBytesMax) throw tooLarge(name, 'scrubTablesBytesMax');
    this.#bytes += table.bytes;
    return table;
  }

  giveBack({ bytes }: SearchTable): void {
    this.#bytes -= bytes;
  }
}

function tooLarge(name: string, limit: 'scrubTableBytesMax' | 'scrubTablesBytesMax'): ProxyError {
  const message = `the value of credential ${name} is too long to be searched for in responses (${limit})`;
  return new ProxyError('credential_unavailable', message, { limit });
}

export class SearchedCredential {
  readonly #name: string;
  readonly #budget: TableBudget;
  #values = '';
  /** The newest is the last. */
  #tables: readonly SearchTable[] = [];
  /** How many there were before those that are kept. */
  #dropped = 0;

  constructor(name: string, budget: TableBudget) {
    this.#name = name;
    this.#budget = budget;
  }

  /** Nobody is searched for it any more, but for what runs. */
  close(): void {
    for (const table of this.#tables) this.#budget.giveBack(table);
    this.#dropped += this.#tables.length;
    this.#tables = [];
    this.#values = '';
  }

  /** The values of this moment; what runs is searched for them from now on. @throws ProxyError credential_unavailable */
  note(values: readonly Secret<string>[]): void {
    const joined = values.map((value) => value.reveal()).join('\0');
    if (joined === this.#values && this.#tables.length > 0) return;
    const tables = [...this.#tables, this.#budget.build(values, this.#name)];
    for (; tables.length > defaultLimits.scrubTablesPerCredentialMax; this.#dropped += 1) {
      const [oldest] = tables.splice(0, 1);
      if (oldest !== undefined) this.#budget.giveBack(oldest);
    }
    this.#tables = tables;
    this.#values = joined;
  }

  /** Changes when there is another table, and with each a place behind the newest that was there before. */
  get place(): number {
    return this.#dropped + this.#tables.length;
  }

  /** The tables from the newest at a place on. */
  from(place: number): readonly SearchTable[] {
    return this.#tables.slice(Math.max(0, place - 1 - this.#dropped));
  }
}

/** The credentials of a rule, from now on; undefined if there is nothing to search for. */
export function searchedValues(credentials: readonly SearchedCredential[]): SearchedValues | undefined {
  const began = credentials.map((credential) => ({ credential, place: credential.place }));
  const current = (): readonly SearchTable[] =>
    began
      .flatMap(({ credential, place }) => credential.from(place))
      .filter(({ formBytesMax }) => formBytesMax > 0);
  let version = sum(credentials);
  let tables = current();
  if (tables.length === 0) return undefined;
  return {
    get tables() {
      const now = sum(credentials);
      if (now !== version) tables = current();
      version = now;
      return tables;
    },
  };
}

/** Places only grow. */
function sum(credentials: readonly SearchedCredential[]): number {
  return credentials.reduce((total, { place }) => total + place, 0);
}
