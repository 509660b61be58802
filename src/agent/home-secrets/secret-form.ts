// What reading a file of the home gives: its text without the secrets, and where each of them may go.

import type { HomeCredentialPlace } from '../../protocol/home-credential.ts';

/**
 * Told of each secret that a file holds; says what stands in its place, or nothing: then its entry is left out. A place is what stands
 * beside the secret in the same file.
 */
export type ReplaceSecret = (secret: string, place: HomeCredentialPlace | undefined) => string | undefined;

/** The text with every secret replaced or left out, and without comments, in which old ones stand. Throws an Error for what it does not understand. */
export type SecretForm = (text: string, replace: ReplaceSecret) => string;

/** The place that a URL names; undefined for another scheme than https, for a variable, and for what is none. */
export function placeOf(url: string): HomeCredentialPlace | undefined {
  if (url.includes('$') || !URL.canParse(url)) return undefined;
  const { protocol, hostname, port, pathname } = new URL(url);
  if (protocol !== 'https:' || hostname === '') return undefined;
  // A path that is written in two ways is not guessed at.
  if (pathname.includes('%') || pathname.includes('//')) return undefined;
  const path = pathname.length > 1 && pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
  return { host: hostname, port: port === '' ? 443 : Number(port), path };
}

/** `scheme://user:password@` in a text; ends before the host. */
const withUser = /(?<![a-z0-9])([a-z][a-z0-9+.-]{0,30}):\/\/([^\s/"'<>]+)@([^\s"'<>,;]*)/gi;

/** The text with the secrets of its URLs replaced; without a replacement the URL has no user any more. */
export function replaceInUrls(text: string, replace: ReplaceSecret): string {
  return text.replace(withUser, (_, scheme: string, user: string, rest: string) => {
    const colon = user.indexOf(':');
    // A user without a password is often a token.
    const [name, secret] = colon === -1 ? ['', user] : [user.slice(0, colon + 1), user.slice(colon + 1)];
    const isVariable = secret.includes('${') || secret.startsWith('$');
    if (secret === '' || isVariable) return `${scheme}://${user}@${rest}`;
    const placeholder = replace(decoded(secret), placeOf(`${scheme}://${rest}`));
    return placeholder === undefined ? `${scheme}://${rest}` : `${scheme}://${name}${placeholder}@${rest}`;
  });
}

/** Of Base64 that is the pair of Basic; undefined if it is something else. */
export function pairOf(base64: string): { readonly user: string; readonly password: string } | undefined {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1 || text.includes('\ufffd')) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The pair with its password replaced; undefined if nothing stands in its place. */
export function replaceInPair(
  base64: string,
  replace: ReplaceSecret,
  place: HomeCredentialPlace | undefined,
): string | undefined {
  const pair = pairOf(base64);
  if (pair === undefined) return replace(base64, place);
  const placeholder = replace(pair.password, place);
  return placeholder === undefined
    ? undefined
    : Buffer.from(`${pair.user}:${placeholder}`).toString('base64');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
