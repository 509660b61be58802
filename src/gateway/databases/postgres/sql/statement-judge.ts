// Whether a statement may pass by its rule, and what the audit is told of all of them.

import type { StatementKind, StatementRule } from '../../../../policy/postgres-statements.ts';
import { ruleStatementKinds } from '../../../../policy/postgres-statements.ts';
import type { StatementReading } from './parse-statement.ts';
import type { StatementMark } from './statement-facts.ts';

/** Why one may not pass. */
export type StatementRefusal =
  | { readonly why: 'kind'; readonly kind: StatementKind }
  | { readonly why: 'unreadable' | 'long' | 'batch' | 'reading' | StatementMark };

/** By one word of letters and `_` each, since it travels in the name of a statement that fails. */
const refusals: ReadonlyMap<string, StatementRefusal> = new Map(
  [
    ...ruleStatementKinds.map((kind) => ({ why: 'kind', kind }) as const),
    ...(['unreadable', 'long', 'batch', 'reading', 'strings', 'encoding', 'writable'] as const).map(
      (why) => ({
        why,
      }),
    ),
  ].map((refusal) => [refusalWord(refusal), refusal]),
);

export function refusalWord(refusal: StatementRefusal): string {
  return refusal.why === 'kind' ? `kind_${refusal.kind.replaceAll('-', '_')}` : refusal.why;
}

export function refusalOfWord(word: string): StatementRefusal | undefined {
  return refusals.get(word);
}

/** Fingerprints that one event of the audit has. */
const fingerprintsMax = 20;

export function judge(
  reading: StatementReading,
  { allowed, isReadOnly }: StatementRule,
): StatementRefusal | undefined {
  if (allowed === undefined) return undefined;
  if (reading.kind === 'unreadable') return { why: 'unreadable' };
  const passing: ReadonlySet<StatementKind> = new Set(allowed);
  const bound: ReadonlySet<StatementKind> = new Set(ruleStatementKinds);
  const kind = reading.kinds.find((one) => bound.has(one) && !passing.has(one));
  if (kind !== undefined) return { why: 'kind', kind };
  const mark = reading.marks.find((one) => one !== 'writable' || isReadOnly);
  return mark === undefined ? undefined : { why: mark };
}

/** What is read in one way whatever the settings of strings and characters are. */
export function isPlain(text: Uint8Array): boolean {
  return text.every((octet) => octet < 0x80 && octet !== 0x5c);
}

export function refusalText(refusal: StatementRefusal, { allowed = [], isReadOnly }: StatementRule): string {
  switch (refusal.why) {
    case 'kind':
      return `statements of kind ${refusal.kind} may not pass; ${allowed.join(', ')} may`;
    case 'unreadable':
      return 'the statement cannot be read, and what cannot be read may not pass';
    case 'long':
      return 'the statement is longer than what is read (databaseStatementBytesMax); pass data as parameters or by COPY';
    case 'batch':
      return 'a statement with a backslash, or with characters beyond ASCII, may not follow what runs before it in one batch; pass such text as a parameter';
    case 'reading':
      return 'a statement with a backslash, or with characters beyond ASCII, may not pass while standard_conforming_strings is off or client_encoding is not UTF8';
    case 'strings':
      return 'standard_conforming_strings may not be switched off';
    case 'encoding':
      return 'client_encoding may only be UTF8';
    case 'writable':
      return `a transaction may not be made one that writes${isReadOnly ? ' (readOnly)' : ''}`;
  }
}

/** Counts and fingerprints; nothing of a statement itself. */
export class StatementFactsOfSession {
  readonly #kinds = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  readonly #fingerprints = new Map<string, number>();
  #fingerprintsMore = 0;
  #unread = 0;

  passed(reading: StatementReading): void {
    if (reading.kind === 'unreadable') {
      this.#unread += 1;
      return;
    }
    for (const kind of reading.kinds) add(this.#kinds, kind);
    this.#noteFingerprint(reading.fingerprint);
  }

  /** It was too long to be read. */
  passedUnread(): void {
    this.#unread += 1;
  }

  refused(refusal: StatementRefusal): void {
    add(this.#refused, refusal.why === 'kind' ? refusal.kind : refusal.why);
  }

  get(): {
    readonly statements: Readonly<Record<string, number>>;
    readonly refused?: Readonly<Record<string, number>>;
    readonly fingerprints: Readonly<Record<string, number>>;
    readonly fingerprintsMore?: number;
    readonly unread?: number;
  } {
    return {
      statements: Object.fromEntries(this.#kinds),
      ...(this.#refused.size === 0 ? {} : { refused: Object.fromEntries(this.#refused) }),
      fingerprints: Object.fromEntries(this.#fingerprints),
      ...(this.#fingerprintsMore === 0 ? {} : { fingerprintsMore: this.#fingerprintsMore }),
      ...(this.#unread === 0 ? {} : { unread: this.#unread }),
    };
  }

  #noteFingerprint(fingerprint: string): void {
    if (fingerprint === '') return;
    if (this.#fingerprints.has(fingerprint) || this.#fingerprints.size < fingerprintsMax)
      add(this.#fingerprints, fingerprint);
    else this.#fingerprintsMore += 1;
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
