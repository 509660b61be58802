// Searches a text that comes in pieces for all that a rule lets nobody send: values of credentials and canaries, and well-known shapes.

import { hash } from 'node:crypto';
import type { LeakKind } from '../../policy/leak-rule.ts';
import type { LeakTable } from './leak-table.ts';
import { ShapeSearch, type FoundShape } from './shape-search.ts';
import { type FoundValue, ValueSearch } from './value-search.ts';

/** What was found: its name, and never itself. */
export interface LeakMatch {
  readonly kind: LeakKind;
  /** Of the credential, the canary or the shape. */
  readonly name: string;
  /** Behind its last octet, in the piece. */
  readonly end: number;
  /** Octets of it; where it is loose, letters and digits alone. */
  readonly length: number;
  readonly isLoose: boolean;
  /** Of a shape: by which `allow` lets this one text through. */
  readonly hash?: string;
}

export interface LeakSought {
  readonly table: LeakTable;
  readonly kinds: ReadonlySet<LeakKind>;
  /** Credentials that the rule itself sends there. */
  readonly own: ReadonlySet<string>;
  /** Hashes of texts that are let through although they look like a secret. */
  readonly allowed: ReadonlySet<string>;
  /** What stands for credentials in the container, and may look like them. */
  readonly placeholders: readonly string[];
}

/** By which a text of a known shape is named where it may go. It is of texts alone that are too long to be found by trying. */
export function leakHash(text: string): string {
  return hash('sha256', `upstreamproxy leak\0${text}`, 'hex').slice(0, 32);
}

export class LeakSearch {
  readonly #sought: LeakSought;
  readonly #values: ValueSearch;
  readonly #shapes: ShapeSearch | undefined;
  #before = 0;
  /** Where the last one of each name ended: what overlaps is one occurrence. */
  readonly #ends = new Map<string, number>();

  constructor(sought: LeakSought) {
    this.#sought = sought;
    this.#values = new ValueSearch(sought.table);
    this.#shapes = sought.kinds.has('shape') ? new ShapeSearch() : undefined;
  }

  run(piece: Uint8Array): readonly LeakMatch[] {
    const found: LeakMatch[] = [];
    for (const one of this.#values.run(piece)) this.#addValue(found, one);
    for (const one of this.#shapes?.run(piece) ?? []) this.#addShape(found, one);
    this.#before += piece.length;
    return found;
  }

  #addValue(found: LeakMatch[], { owners, end, length, isLoose }: FoundValue): void {
    const { kinds, own } = this.#sought;
    for (const { kind, name } of owners) {
      if (!kinds.has(kind) || (kind === 'credential' && own.has(name))) continue;
      const match = { kind, name, end, length, isLoose };
      if (this.#isNew(match)) found.push(match);
    }
  }

  #addShape(found: LeakMatch[], { name, end, text }: FoundShape): void {
    const own = leakHash(text);
    const { allowed, placeholders } = this.#sought;
    if (allowed.has(own) || placeholders.some((one) => one.includes(text))) return;
    const match = { kind: 'shape', name, end, length: text.length, isLoose: false, hash: own } as const;
    if (this.#isNew(match)) found.push(match);
  }

  #isNew({ kind, name, end, length }: LeakMatch): boolean {
    const key = `${kind} ${name}`;
    const last = this.#ends.get(key) ?? 0;
    const endAt = this.#before + end;
    this.#ends.set(key, endAt);
    return endAt - length >= last;
  }
}
