// How long a client can be held before it gives up by itself. What it says of itself only makes it shorter.

import type { HeaderList } from '../../http/header-list.ts';
import type { Limits } from '../../protocol/limits.ts';

/** Clients that wait less than a minute for a response, by the beginning of their User-Agent. Some seconds before their own deadline. */
const impatient: readonly (readonly [userAgent: RegExp, holdMs: number])[] = [
  [/^python-httpx\//i, 4000],
  [/^okhttp\//i, 8000],
  [/^pip\//i, 12_000],
  [/^uv\//i, 25_000],
  [/^cargo[ /]/i, 25_000],
];

export function holdMsFor(headers: HeaderList, { askTimeoutMs }: Limits): number {
  const agent = headers.first('user-agent') ?? '';
  const known = impatient.find(([pattern]) => pattern.test(agent));
  return Math.min(askTimeoutMs, known?.[1] ?? askTimeoutMs);
}
