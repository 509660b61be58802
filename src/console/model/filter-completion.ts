// What the word at the caret may become: a key, or a value that the events have, with how many have it.

import type { AuditEvent } from '../../api/audit-event.ts';
import { plainText } from './clean-text.ts';
import { eventFields, type Field } from './event-fields.ts';
import { weightOf } from './event-facts.ts';
import { filterKeys } from './filter-keys.ts';

export interface Completion {
  readonly shown: string;
  readonly insert: string;
  readonly count: number | undefined;
  readonly from: number;
  readonly to: number;
}

const completionsMax = 8;
/** The newest are enough to know which values there are. */
const eventsMax = 5000;
const valueCharactersMax = 200;

/** Keys whose values repeat: a path or a number is seldom the one that is looked for. */
const completedKeys = [
  'verdict',
  'kind',
  'action',
  'host',
  'method',
  'status',
  'rule',
  'credential',
  'session',
  'principal',
  'error',
  'limit',
  'policy',
  'observed',
  'git.repository',
] as const;

export function completionsAt(
  text: string,
  caret: number,
  events: readonly AuditEvent[],
): readonly Completion[] {
  const from = text.slice(0, caret).search(/\S*$/);
  const word = text.slice(from, caret);
  const [, sign = '', name = '', value] = /^(-?)([A-Za-z.]*)(?::(.*))?$/s.exec(word) ?? [];
  if (word !== '' && sign === '' && name === '') return [];
  if (value === undefined)
    return filterKeys
      .filter((key) => key.startsWith(name.toLowerCase()) && key !== name)
      .slice(0, word === '' ? 6 : completionsMax)
      .map((key) => ({
        shown: `${sign}${key}:`,
        insert: `${sign}${key}:`,
        count: undefined,
        from,
        to: caret,
      }));
  const key = completedKeys.find((one) => one === name.toLowerCase());
  if (key === undefined) return [];
  return counted(events, eventFields[key])
    .filter(([found]) => found.toLowerCase().includes(value.toLowerCase()) && found !== value)
    .slice(0, completionsMax)
    .map(([found, count]) => {
      const said = /[\s,]/.test(found) ? `"${found}"` : found;
      return { shown: plainText(found, 80), insert: `${sign}${key}:${said} `, count, from, to: caret };
    });
}

function counted(
  events: readonly AuditEvent[],
  read: (event: AuditEvent) => Field,
): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const event of events.slice(-eventsMax)) {
    const found = read(event);
    const said = typeof found === 'object' ? found : found === undefined ? [] : [String(found)];
    for (const value of said)
      if (value.length <= valueCharactersMax && !value.includes('"'))
        counts.set(value, (counts.get(value) ?? 0) + weightOf(event));
  }
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
