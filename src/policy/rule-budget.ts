// In whose name the limits of a whole session are counted, and rules that share one without meaning it.

import type { RuleDocument } from './policy-schema.ts';
import type { Rule } from './rule.ts';
import { shortHash } from './short-hash.ts';
import type { Report } from './yaml-source.ts';

/**
 * The rule's own `limits.budget`, or a hash of what the rule says but for its name and reason: renaming it resets nothing. Undefined if
 * nothing is counted over a session.
 */
export function budgetOf(document: RuleDocument, report: Report): string | undefined {
  const { limits } = document;
  if (!countsOverSession(document)) {
    if (limits?.budget !== undefined)
      report(
        ['limits', 'budget'],
        'nothing is counted in this budget; write requestsPerSession or bytesPerSession',
      );
    if (limits?.whenStoreAway !== undefined)
      report(
        ['limits', 'whenStoreAway'],
        'nothing is counted over a session; write requestsPerSession or bytesPerSession',
      );
    return undefined;
  }
  if (limits?.budget !== undefined) return `budget ${limits.budget}`;
  const { name: _name, description: _description, deny: _deny, ...meaning } = document;
  return `hash ${shortHash([JSON.stringify(meaning, sorted)])}`;
}

export function countsOverSession({ limits }: RuleDocument): boolean {
  return countedKeys.some((key) => limits?.[key] !== undefined);
}

/** What is counted over a whole session. */
const countedKeys = [
  'requestsPerSession',
  'bytesPerSession',
  'bytesOutPerSession',
  'urlsPerSession',
  'urlBytesPerSession',
] as const;

/** The same text whatever order the keys were written in. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Warnings about rules that share a budget and differ in how large it is. */
export function checkBudgets(
  rules: readonly Rule[],
): readonly { readonly indexes: readonly number[]; readonly message: string }[] {
  const named = rules
    .map((rule, index) => ({ rule, index }))
    .filter(({ rule }) => rule.budget?.startsWith('budget ') === true);
  return [...Map.groupBy(named, ({ rule }) => rule.budget)].flatMap(([budget, sharing]) => {
    const first = sharing[0]?.rule;
    if (first === undefined) return [];
    const indexes = sharing.filter(({ rule }) => !isSame(rule, first)).map(({ index }) => index);
    if (indexes.length === 0) return [];
    const name = `"${first.reference.name}" (${first.reference.place ?? 'unknown place'})`;
    const message = `the ${budget} is shared with ${name}, whose limits of the whole session are others; what both take counts against each limit`;
    return [{ indexes, message }];
  });
}

function isSame({ limits: a }: Rule, { limits: b }: Rule): boolean {
  return countedKeys.every((key) => a[key] === b[key]);
}
