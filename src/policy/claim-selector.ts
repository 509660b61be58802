// Which sessions a rule or a file is for, by the claims of their token.

import type { ClaimPattern, ClaimValue } from './claim-pattern.ts';

/** All of its claims must match. */
export type ClaimSelector = Readonly<Record<string, ClaimPattern>>;

/** Whether the claims fit. A claim that is a list fits if one of its values does; an absent claim never fits. */
export function selects(selector: ClaimSelector, claims: unknown): boolean {
  if (typeof claims !== 'object' || claims === null) return false;
  return Object.entries(selector).every(
    // Own property of an object, checked first.
    ([name, pattern]) =>
      Object.hasOwn(claims, name) && fits(pattern, (claims as Record<string, unknown>)[name]),
  );
}

function fits(pattern: ClaimPattern, value: unknown): boolean {
  if (typeof pattern !== 'object') {
    if (Array.isArray(value)) return value.some((item) => fitsValue(pattern, item));
    return fitsValue(pattern, value);
  }
  if (isList(pattern)) return pattern.some((one) => fits(one, value));
  return !Array.isArray(value) && selects(pattern, value);
}

function isList(pattern: object): pattern is readonly ClaimValue[] {
  return Array.isArray(pattern);
}

function fitsValue(pattern: ClaimValue, value: unknown): boolean {
  if (typeof pattern !== 'string' || typeof value !== 'string') return pattern === value;
  return pattern.includes('*') ? globMatches(pattern, value) : pattern === value;
}

/** `*` stands for any text, empty text too. Greedy with one point of return, so linear in pattern times text. */
function globMatches(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Whether two lists of selectors are for the same sessions, as they are written. */
export function sameSelectors(a: readonly ClaimSelector[], b: readonly ClaimSelector[]): boolean {
  return a === b || textOf(a) === textOf(b);
}

/** Rules are compared in pairs, so that thousands of them on one host would be written millions of times. */
const texts = new WeakMap<readonly ClaimSelector[], string>();

function textOf(selectors: readonly ClaimSelector[]): string {
  let text = texts.get(selectors);
  if (text === undefined) {
    text = JSON.stringify(selectors);
    texts.set(selectors, text);
  }
  return text;
}
