// The head of a request, searched before anything of it is sent: as it stands, and as an origin reads it: decoded once and twice, and the
// values alone, one behind the other.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { RequestHead } from '../../http/message-head.ts';
import { octetAt } from '../../http/percent-octet.ts';
import { type LeakMatch, LeakSearch, type LeakSought } from './leak-search.ts';

export interface HeadMatch {
  readonly match: LeakMatch;
  readonly place: 'url' | 'field';
}

/** What was found, each name once for each place. */
export function searchHead(head: RequestHead, sought: LeakSought): readonly HeadMatch[] {
  const found = new Map<string, HeadMatch>();
  const look = (place: HeadMatch['place'], text: string): void => {
    for (const match of new LeakSearch(sought).run(Buffer.from(text, 'latin1'))) {
      const key = `${place} ${match.kind} ${match.name}`;
      if (!found.has(key)) found.set(key, { match, place });
    }
  };
  for (const text of readingsOfUrl(head)) look('url', text);
  for (const text of readingsOfFields(head.headers)) look('field', text);
  return [...found.values()];
}

/** Fields alone, such as trailers. */
export function searchFields(fields: HeaderList, sought: LeakSought): readonly LeakMatch[] {
  return [...readingsOfFields(fields)].flatMap((text) =>
    new LeakSearch(sought).run(Buffer.from(text, 'latin1')),
  );
}

/** The fields with asterisks where something was found; undefined where it stands in more than one, or is encoded. */
export function redactFields(fields: HeaderList, sought: LeakSought): HeaderList | undefined {
  const redacted = new HeaderList(
    [...fields].map(([name, value]) => {
      const octets = Buffer.from(value, 'latin1');
      let end = octets.length;
      let start = end;
      for (const match of new LeakSearch(sought).run(Buffer.from(octets))) {
        start = Math.min(start, beginsAt(octets, match));
        end = match.end;
      }
      if (start < end) octets.fill(0x2a, start, end);
      return [name, octets.toString('latin1')] as const;
    }),
  );
  return searchFields(redacted, sought).length === 0 ? redacted : undefined;
}

/** Where it begins at the latest: of a loose one letters and digits alone are counted. */
function beginsAt(octets: Buffer, { end, length, isLoose }: LeakMatch): number {
  if (!isLoose) return Math.max(0, end - length);
  let at = end;
  for (let left = length; left > 0 && at > 0; at -= 1)
    if (/[A-Za-z0-9]/.test(String.fromCharCode(octets[at - 1] ?? 0))) left -= 1;
  return at;
}

function readingsOfUrl({ method, destination, path, query }: RequestHead): ReadonlySet<string> {
  // A method may be any token.
  const whole = `${method} ${destination.host}${path}${query}`;
  const once = percentDecoded(whole);
  const values = query
    .slice(1)
    .split('&')
    .map((parameter) => parameter.slice(parameter.indexOf('=') + 1));
  const names = query
    .slice(1)
    .split('&')
    .map((parameter) => parameter.split('=', 1)[0] ?? '');
  return new Set([
    whole,
    once,
    percentDecoded(once),
    percentDecoded(values.join('')),
    percentDecoded(names.join('')),
  ]);
}

function readingsOfFields(fields: HeaderList): ReadonlySet<string> {
  const all = [...fields];
  const values = all.map(([, value]) => value);
  const text = all.map(([name, value]) => `${name}: ${value}`).join('\n');
  return new Set([
    text,
    percentDecoded(text),
    values.join('\n'),
    all.map(([name]) => name).join('\n'),
    ...basicReadings(values),
  ]);
}

/** Every octet that is encoded, whatever stands beside it: what is no UTF-8 must not keep the rest from being read. */
function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  let decoded = '';
  let from = 0;
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', from)) {
    const octet = octetAt(text, at + 1);
    decoded += text.slice(from, at) + (octet === undefined ? '%' : String.fromCharCode(octet));
    from = at + (octet === undefined ? 1 : 3);
  }
  return decoded + text.slice(from);
}

/** User and password of Basic: what stands there is known to be Base64, so that what is inside may be of any shape. */
function basicReadings(values: readonly string[]): readonly string[] {
  return values.flatMap((value) => {
    const [scheme = '', text = ''] = value.split(' ', 2);
    return scheme.toLowerCase() === 'basic' ? [Buffer.from(text, 'base64').toString('latin1')] : [];
  });
}
