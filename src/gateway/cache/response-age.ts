// When an origin made a response (RFC 9111 §4.2.3), by what it says and by when it came: what is kept counts its age from there.

import type { HeaderField, HeaderList } from '../../http/header-list.ts';

const imfDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

export function madeMs(headers: HeaderList, nowMs: number): number {
  const [age = '', ...others] = headers.all('age');
  const agedS = others.length === 0 && /^\d{1,9}$/.test(age) ? Number(age) : 0;
  return Math.min(nowMs - agedS * 1000, timeIn(headers.all('date')) ?? nowMs);
}

/** Whoever keeps a response that has no date gives it one (RFC 9110 §6.6.1). */
export function dated(fields: readonly HeaderField[], ms: number): readonly HeaderField[] {
  const said = fields.filter(([name]) => name.toLowerCase() === 'date');
  if (timeIn(said.map(([, value]) => value)) !== undefined) return fields;
  const others = fields.filter(([name]) => name.toLowerCase() !== 'date');
  return [...others, ['date', new Date(ms).toUTCString()]];
}

function timeIn([value = '', ...others]: readonly string[]): number | undefined {
  if (others.length > 0 || !imfDate.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}
