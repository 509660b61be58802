// The filter of the live list, as it stands in the address: `session:agent-* -path:/simple/* took:>2s`. Keys are the audit's own.

import type { AuditEvent } from '../../api/audit-event.ts';
import { matcherOf, type Matcher } from './filter-tests.ts';
import { filterKeys, type FilterKey, readingOf } from './filter-keys.ts';

/** One condition. Bare words have no key. */
export interface FilterTerm {
  readonly key: FilterKey | undefined;
  readonly isNegated: boolean;
  /** One of them must fit. */
  readonly values: readonly string[];
  /** Where it stands in the text. */
  readonly start: number;
  readonly end: number;
}

export interface Filter {
  readonly terms: readonly FilterTerm[];
  /** What of the text says nothing, in sentences. The rest applies. */
  readonly problems: readonly string[];
}

// A word is up to a space outside of quotes. A quote that is not closed goes on to the end.
const words = /(?:"[^"]*(?:"|$)|[^\s"])+/g;
const filterCharactersMax = 2000;

export function parseFilter(text: string): Filter {
  const terms: FilterTerm[] = [];
  const problems: string[] = [];
  for (const found of text.slice(0, filterCharactersMax).matchAll(words)) {
    const term = readTerm(found[0], found.index);
    if (typeof term === 'string') problems.push(term);
    else terms.push(term);
  }
  return { terms, problems };
}

function readTerm(word: string, start: number): FilterTerm | string {
  const isNegated = word.startsWith('-') && word.length > 1;
  const said = isNegated ? word.slice(1) : word;
  const end = start + word.length;
  const [, name, rest = ''] = /^([A-Za-z][A-Za-z.]*):(.*)$/s.exec(said) ?? [];
  if (name === undefined || rest.startsWith('//'))
    return { key: undefined, isNegated, values: [unquoted(said)], start, end };
  const key = filterKeys.find((one) => one === name.toLowerCase());
  if (key === undefined) return `There is no key "${name}".`;
  const values = splitValues(rest);
  if (values.length === 0) return `${key}: says no value yet.`;
  const wrong = values.find((value) => readingOf(key, value) === undefined);
  if (wrong !== undefined) return `${key}: takes no "${wrong}".`;
  return { key, isNegated, values, start, end };
}

function splitValues(text: string): readonly string[] {
  const parts = [...text.matchAll(/(?:"[^"]*(?:"|$)|[^,"])+/g)].map(([part]) => unquoted(part));
  return parts.filter((part) => part !== '');
}

function unquoted(text: string): string {
  return text.replaceAll('"', '');
}

export interface MatchOptions {
  /** For times that are told from now. */
  readonly nowMs: number;
  /** Terms of these keys are left out. */
  readonly without?: ReadonlySet<FilterKey>;
}

/** Whether an event fits every term. */
export function filterMatcher({ terms }: Filter, { nowMs, without }: MatchOptions): Matcher {
  const tests = terms
    .filter(({ key }) => key === undefined || without?.has(key) !== true)
    .map(({ key, values, isNegated }) => {
      const one = values.map((value) => matcherOf(key, value, nowMs));
      const any = (event: AuditEvent): boolean => one.some((test) => test(event));
      return isNegated ? (event: AuditEvent): boolean => !any(event) : any;
    });
  return (event) => tests.every((test) => test(event));
}

/** The text with that value alone for the key, or without the key where none is given. */
export function withTerm(text: string, key: FilterKey, value: string | undefined, isNegated = false): string {
  const { terms } = parseFilter(text);
  let rest = text;
  for (const term of terms.toReversed())
    if (term.key === key && (!isNegated || term.values.includes(value ?? '')))
      rest = `${rest.slice(0, term.start)}${rest.slice(term.end)}`;
  const kept = rest.replaceAll(/\s+/g, ' ').trim();
  if (value === undefined) return kept;
  const said = `${isNegated ? '-' : ''}${key}:${quoted(value)}`;
  return kept === '' ? said : `${kept} ${said}`;
}

function quoted(value: string): string {
  const bare = value.replaceAll('"', '');
  return /[\s,]/.test(bare) ? `"${bare}"` : bare;
}

/** The one value that the filter asks for by that key, if it is one. */
export function valueOf({ terms }: Filter, key: FilterKey): string | undefined {
  const found = terms.filter((term) => term.key === key && !term.isNegated);
  return found.length === 1 && found[0]?.values.length === 1 ? found[0].values[0] : undefined;
}
