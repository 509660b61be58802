// What stands in a token's place, in the form that the token has: clients look at that before they ask anybody. Nothing of a token is in it but
// what all tokens of its kind have in common, and of a JSON Web Token the claims below.

import { Buffer } from 'node:buffer';
import { defaultLimits } from '../../../protocol/limits.ts';
import { JsonObject, type JsonValue, UnreadableBody } from '../../../understand/json-value.ts';
import { readJson } from '../../../understand/read-json.ts';
import { isList, writeJson } from '../../../understand/write-json.ts';
import { jsonWebTokenPattern } from './token-members.ts';

export type RandomOctets = (count: number) => Uint8Array;

/** How services mark what kind of token it is; the same in all of their tokens, and told in their documents. */
const beginnings =
  /^(?:gh[opusr]_|github_pat_|gl(?:pat|oas|dt|rt|cbt|ft|imt|agent|soat)-|npm_|pypi-|hf_(?:oauth_)?|sk-ant-(?:oat|ort|api)\d\d-|sk-(?:ant-|proj-|or-v1-)?|xox[abeprs](?:[.-]\d?-?)?|ya29\.|1\/\/|lin_(?:api|oauth)_|ntn_|do[opr]_v1_|shp(?:at|ua|ca|pa)_|dckr_pat_|dckr_oat_|fo1_|atlassian_)/;

/** A chance hit, and a guess, are out of the question. */
const randomBits = 160;

const hexadecimal = '0123456789abcdef';
const alphanumeric = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * Claims that clients read before they use a token, or compare in one that tells who logged in (OpenID Connect Core §3.1.3.7): by whom and for whom,
 * for how long, for what. The subject is among them, for clients compare it with what UserInfo says. Not among them: names, addresses, pictures,
 * groups, what the token is bound to (`cnf`), hashes of other tokens (`at_hash`, `c_hash`: they would be of the real ones), and ids of the token
 * and of the browser's session (`jti`, `sid`).
 */
const keptClaims: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'azp',
  'client_id',
  'appid',
  'tid',
  'exp',
  'iat',
  'nbf',
  'auth_time',
  'nonce',
  'acr',
  'amr',
  'scope',
  'scp',
  'token_use',
  'ver',
]);
const claimBounds = { depthMax: 8, valuesMax: 512 };
const signatureOctetsMin = 32;
/** Behind the header. */
const encryptedPart = 2;

export function placeholderForToken(token: string, random: RandomOctets): string {
  return (
    (jsonWebTokenPattern.test(token) ? webTokenPlaceholder(token.split('.'), random) : undefined) ??
    opaque(token, random)
  );
}

/** A text of the same length and alphabet, where that is enough to be unique. */
function opaque(token: string, random: RandomOctets): string {
  const [beginning = ''] = beginnings.exec(token) ?? [];
  const rest = token.slice(beginning.length);
  const alphabet = /^[0-9a-f]+$/.test(rest) ? hexadecimal : alphanumeric;
  const least = Math.ceil(randomBits / Math.log2(alphabet.length));
  const count = Math.min(Math.max(rest.length, least), defaultLimits.insideRandomCharactersMax);
  return beginning + randomText(alphabet, count, random);
}

function randomText(alphabet: string, count: number, random: RandomOctets): string {
  // The largest multiple: what lies above would come more often.
  const bound = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < count)
    for (const octet of random(count)) {
      if (octet < bound && text.length < count) text += alphabet[octet % alphabet.length] ?? '';
    }
  return text;
}

/** Header, claims, and random octets as its signature, by which it is told from all others; undefined: it says nothing that can be read. */
function webTokenPlaceholder(token: readonly string[], random: RandomOctets): string | undefined {
  const [head = '', body = '', signature = '', ...more] = token;
  const header = objectIn(head);
  if (header === undefined) return undefined;
  const shown = new Map<string, JsonValue>();
  for (const name of ['alg', 'enc', 'typ'] as const) {
    const value = header.members.get(name);
    if (typeof value === 'string' && value.length <= 64) shown.set(name, value);
  }
  if (more.length > 0) return encryptedPlaceholder(shown, token.slice(1), random);
  const claims = objectIn(body);
  if (claims === undefined) return undefined;
  const kept = new Map<string, JsonValue>();
  for (const [name, value] of claims.members)
    if (keptClaims.has(name) && isPlain(value)) kept.set(name, value);
  const octets = Math.min(
    Math.max(Math.floor((signature.length * 3) / 4), signatureOctetsMin),
    defaultLimits.insideSignatureBytesMax,
  );
  const parts = [
    Buffer.from(writeJson(new JsonObject(shown))),
    Buffer.from(writeJson(new JsonObject(kept))),
    Buffer.from(random(octets)),
  ];
  return parts.map((part) => part.toString('base64url')).join('.');
}

/** Of a token that is encrypted nobody but its server reads more than the header: parts as long as its own, of random octets. */
function encryptedPlaceholder(
  shown: ReadonlyMap<string, JsonValue>,
  parts: readonly string[],
  random: RandomOctets,
): string {
  const own = parts.map((part, at) => {
    const octets = Math.min(Math.floor((part.length * 3) / 4), defaultLimits.insideSignatureBytesMax);
    // The third is what is encrypted: by it the placeholder is told from all others.
    return Buffer.from(random(at === encryptedPart ? Math.max(octets, signatureOctetsMin) : octets));
  });
  return [Buffer.from(writeJson(new JsonObject(shown))), ...own]
    .map((part) => part.toString('base64url'))
    .join('.');
}

function objectIn(part: string): JsonObject | undefined {
  const text = readJson(Buffer.from(part, 'base64url'), claimBounds);
  return text instanceof UnreadableBody || !(text.value instanceof JsonObject) ? undefined : text.value;
}

/** A text, a number, or a list of them: nothing with names in it. */
function isPlain(value: JsonValue): boolean {
  if (isList(value)) return value.length <= 64 && value.every((one) => !isList(one) && isPlain(one));
  if (value instanceof JsonObject) return false;
  return (
    typeof value !== 'string' ||
    (value.length <= defaultLimits.insideClaimCharactersMax && !jsonWebTokenPattern.test(value))
  );
}
