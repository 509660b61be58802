// What each key of the filter looks at in an event.

import type { AuditEvent } from '../../api/audit-event.ts';
import { eventFields, type Field } from './event-fields.ts';
import { type Comparison, type FilterKey, type Reading, readingOf } from './filter-keys.ts';

export type Matcher = (event: AuditEvent) => boolean;

/** A test for one value of a key; without a key, for a word in host or path. */
export function matcherOf(key: FilterKey | undefined, value: string, nowMs: number): Matcher {
  if (key === undefined) return wordTest(value);
  const reading = readingOf(key, value);
  if (reading === undefined) return () => true;
  if (key === 'since') return ({ time }) => Date.parse(time) >= momentOf(reading, nowMs);
  if (key === 'until') return ({ time }) => Date.parse(time) < momentOf(reading, nowMs);
  if (key === 'trace') {
    const trace = value.toLowerCase();
    return ({ traceId, lastTraceId }) => traceId.startsWith(trace) || lastTraceId?.startsWith(trace) === true;
  }
  const field = eventFields[key];
  if (reading.form === 'number') return numberTest(field, reading.comparison);
  const fits = textTest(reading.form === 'text' ? reading.pattern : value);
  return (event) => {
    const found = field(event);
    if (found === undefined) return false;
    return typeof found === 'object' ? found.some(fits) : fits(String(found));
  };
}

function wordTest(word: string): Matcher {
  const wanted = word.toLowerCase();
  return ({ host, path }) =>
    host?.toLowerCase().includes(wanted) === true || path?.toLowerCase().includes(wanted) === true;
}

function numberTest(field: (event: AuditEvent) => Field, { operator, amount }: Comparison): Matcher {
  return (event) => {
    const found = field(event);
    if (typeof found !== 'number') return false;
    switch (operator) {
      case '>':
        return found > amount;
      case '>=':
        return found >= amount;
      case '<':
        return found < amount;
      case '<=':
        return found <= amount;
      case '=':
        return found === amount;
    }
  };
}

/** `*` stands for any text; without one it must be the whole. Read piece by piece, so no value is slow to look for. */
function textTest(pattern: string): (text: string) => boolean {
  const wanted = pattern.toLowerCase();
  if (!wanted.includes('*')) return (text) => text.toLowerCase() === wanted;
  const pieces = wanted.split('*');
  const head = pieces.at(0) ?? '';
  const tail = pieces.at(-1) ?? '';
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '');
  return (text) => {
    const lower = text.toLowerCase();
    if (lower.length < head.length + tail.length) return false;
    if (!lower.startsWith(head) || !lower.endsWith(tail)) return false;
    const end = lower.length - tail.length;
    let at = head.length;
    for (const piece of middle) {
      const found = lower.indexOf(piece, at);
      if (found < 0 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
}

function momentOf(reading: Reading, nowMs: number): number {
  switch (reading.form) {
    case 'ago':
      return nowMs - reading.ms;
    case 'time':
      return reading.ms;
    case 'clock': {
      const day = new Date(nowMs);
      day.setHours(0, reading.minutes, 0, 0);
      return day.getTime();
    }
    case 'text':
    case 'number':
      return 0;
  }
}
