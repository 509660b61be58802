// The one canonicaliser of request targets: its output is judged by policy and is the very bytes that go upstream.

import { ProxyError } from '../protocol/error.ts';
import { defaultPortOf, parseAuthority } from './authority.ts';
import type { Destination } from './destination.ts';
import { canonicalPath } from './canonical-path.ts';
import { pathFeatures } from './path-reading.ts';
import { encodeOctet } from './percent-octet.ts';
import { printable } from './printable.ts';

export interface CanonicalTarget {
  /** Starts with `/`; unreserved characters decoded, hex upper case, no dot segment, ASCII only. */
  readonly path: string;
  /** Opaque, with its `?`; empty if there is none. */
  readonly query: string;
}

/**
 * Canonical form of an origin-form target. What two origins could read as two different paths throws
 * `request_malformed`; docs/reference/canonical-requests.md has the table. Idempotent.
 */
export function canonicalTarget(target: string): CanonicalTarget {
  const foreign = /[^\x21-\x7e\x80-\xff]|#/.exec(target)?.[0];
  if (foreign === '#') throw malformed(target, 'a fragment is not sent to a server');
  if (foreign !== undefined)
    throw malformed(target, 'it has white space, a control character or one beyond a byte');
  if (!target.startsWith('/')) throw malformed(target, 'a path has to begin with a slash');
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? '' : target.slice(mark);
  const canonical = canonicalPath(path);
  if ('fault' in canonical) throw malformed(target, canonical.fault);
  return { path: canonical.path, query: canonicalQuery(query) };
}

export interface AbsoluteTarget {
  readonly destination: Destination;
  /** The origin-form of the rest, not canonical yet; empty if the URL ends behind the authority. */
  readonly target: string;
}

/**
 * Splits an absolute-form `http://` or `https://` target; undefined if it is not absolute-form at all. Throws
 * `request_malformed` for other schemes, `authority_malformed` for user information and the like.
 */
export function parseAbsoluteTarget(target: string): AbsoluteTarget | undefined {
  const colon = target.indexOf('://');
  const given = target.slice(0, Math.max(0, colon));
  if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(given)) return undefined;
  const behind = target.slice(colon + 3);
  const end = behind.search(/[/?#\\]/);
  const [authority, rest] = end < 0 ? [behind, ''] : [behind.slice(0, end), behind.slice(end)];
  const scheme = given.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') {
    throw malformed(target, `the scheme ${printable(given)} is not proxied, only http and https are`);
  }
  if (!/^(?:[/?]|$)/.test(rest)) throw malformed(target, 'neither a path nor a query follows the host');
  const { host, port } = parseAuthority(authority, { defaultPort: defaultPortOf(scheme) ?? 0 });
  return { destination: { scheme, host, port }, target: rest.startsWith('?') ? `/${rest}` : rest };
}

/**
 * Why origins may differ about this canonical path (encoded slash, path parameter, empty segment, double
 * encoding, an encoded reserved character); undefined if all read it alike. What the readings are: `path-reading.ts`.
 */
export function pathAmbiguity(path: string): string | undefined {
  if (pathFeatures(path) === 0) return undefined;
  if (path.includes('%2F')) return 'an encoded slash, which some origins read as a separator';
  if (path.includes(';') || path.includes('%3B')) return 'a path parameter (;), which some origins leave out';
  if (path.includes('//')) return 'an empty segment, which some origins leave out';
  if (path.includes('%25')) return 'a percent sign that was encoded twice, which some origins decode twice';
  return 'a reserved character in its encoded form, which some origins decode';
}

/** The query is the origin's own language: only what HTTP forbids in it is encoded. */
function canonicalQuery(query: string): string {
  return query
    .replace(/%(?![0-9A-Fa-f]{2})/g, '%25')
    .replace(/[\x80-\xff]/g, (character) => encodeOctet(character.charCodeAt(0)));
}

function malformed(target: string, reason: string): ProxyError {
  return new ProxyError(
    'request_malformed',
    `The request target ${printable(target)} is refused: ${reason}.`,
  );
}
