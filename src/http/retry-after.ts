// When somebody who refuses for now asks to be asked again (RFC 9110 §10.2.3).

import type { HeaderList } from './header-list.ts';

/** Seconds of a 429 or 503; a date is not looked at. Undefined where nothing is asked for in that form. */
export function retryAfterSecondsOf(status: number, headers: Pick<HeaderList, 'all'>): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const [value = '', ...more] = headers.all('retry-after');
  return more.length === 0 && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}
