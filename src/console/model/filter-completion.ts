// What the word at the caret may become: a key, or a value that the events have, with how many have it.

import type { AuditEvent } from '../../api/audit-event.ts';
import { plainText } from './clean-text.ts';
import { weightOf } from './event-facts.ts';
import { filterKeys, type FilterKey } from './filter-keys.ts';

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

const values: {
  readonly [Key in FilterKey]?: (event: AuditEvent) => string | readonly string[] | undefined;
} = {
  verdict: ({ verdict }) => verdict,
  kind: ({ kind }) => kind,
  action: ({ action }) => action,
  host: ({ host }) => host,
  method: ({ method }) => method,
  status: ({ status }) => status?.toString(),
  rule: ({ rule }) => rule,
  credential: ({ injected }) => injected,
  session: ({ sessionId }) => sessionId,
  principal: ({ principal }) => principal,
  error: ({ errorCode }) => errorCode,
  limit: ({ limit }) => limit,
  policy: ({ policyVersion }) => policyVersion,
  observed: ({ observed }) => observed,
  'git.repository': ({ git }) => git?.repository,
};

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
  const key = filterKeys.find((one) => one === name.toLowerCase());
  const read = key === undefined ? undefined : values[key];
  if (key === undefined || read === undefined) return [];
  return counted(events, read)
    .filter(([found]) => found.toLowerCase().includes(value.toLowerCase()) && found !== value)
    .slice(0, completionsMax)
    .map(([found, count]) => {
      const said = /[\s,]/.test(found) ? `"${found}"` : found;
      return { shown: plainText(found, 80), insert: `${sign}${key}:${said} `, count, from, to: caret };
    });
}

function counted(
  events: readonly AuditEvent[],
  read: (event: AuditEvent) => string | readonly string[] | undefined,
): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const event of events.slice(-eventsMax)) {
    const found = read(event);
    for (const value of typeof found === 'string' ? [found] : (found ?? []))
      if (value.length <= valueCharactersMax && !value.includes('"'))
        counts.set(value, (counts.get(value) ?? 0) + weightOf(event));
  }
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
