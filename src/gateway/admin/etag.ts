// ETags of what the admin API gives: a hash of the response, so that one reading of it is compared with another.

import { createHash } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';

/** Strong: the same value in the same order of members. */
export function etagOf(json: string): string {
  return `"${createHash('sha256').update(json).digest('base64url').slice(0, 27)}"`;
}

/** Whether one of a list of ETags is that one, or the list is `*`. */
export function etagMatches(list: string, etag: string): boolean {
  return list.split(',').some((one) => ['*', etag, `W/${etag}`].includes(one.trim()));
}

/** @throws ProxyError state_changed if who asks saw another state of it */
export function requireMatch(ifMatch: string | undefined, value: object): void {
  if (ifMatch === undefined || etagMatches(ifMatch, etagOf(JSON.stringify(value)))) return;
  throw new ProxyError('state_changed', 'it is not as it was when it was looked at (If-Match); look again');
}
