// What a decider wants changed of a request, held to what its rule permits: request fields that the rule names, and nothing else.

import type { RuleDecide } from '../../policy/decide-rule.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Verdict } from './decider.ts';

/** What moves what else is shown, in a terminal or on a page. */
const notShown = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const valuePattern = /^[\t\u0020-\u007e\u0080-\u00ff]+$/;

/** What it asks for beyond that is not done by half: it does not allow the request as it is. Names in lower case, texts not long. */
export function heldTo({ mayAdd, mayRemove }: RuleDecide, given: Verdict): Verdict {
  const { said, decisionId, ...rest } = given;
  const told = { ...cut('said', said), ...cut('decisionId', decisionId) };
  const verdict: Verdict = { ...rest, ...told };
  if (verdict.outcome !== 'allowed') return { ...verdict, set: [], removed: [] };
  const set = verdict.set.map(([name, value]) => [name.toLowerCase(), value] as const);
  const removed = verdict.removed.map((name) => name.toLowerCase());
  const names = set.map(([name]) => name);
  const problem =
    problemOf('set', names, mayAdd) ??
    problemOf('take out', removed, mayRemove) ??
    (new Set(names).size < names.length ? 'it sets one field twice' : undefined) ??
    (set.every(([, value]) => isValue(value)) ? undefined : 'what it sets is no value of a field');
  if (problem === undefined) return { ...verdict, set, removed };
  return { outcome: 'denied', ...told, said: problem, set: [], removed: [] };
}

function cut<Name extends string>(name: Name, text: string | undefined): { readonly [Key in Name]?: string } {
  if (text === undefined) return {};
  // A computed key is typed as any text.
  return {
    [name]: text.slice(0, defaultLimits.deciderSaidCharactersMax).toWellFormed().replaceAll(notShown, ' '),
  } as { readonly [Key in Name]?: string };
}

function isValue(text: string): boolean {
  return (
    text.length <= defaultLimits.deciderFieldValueCharactersMax &&
    valuePattern.test(text) &&
    text.trim() === text
  );
}

function problemOf(what: string, names: readonly string[], permitted: readonly string[]): string | undefined {
  const other = names.find((name) => !permitted.includes(name));
  return other === undefined
    ? undefined
    : `it wants to ${what} ${JSON.stringify(other.slice(0, 64))}, which the rule does not let it`;
}
