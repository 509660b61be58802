// The outer form of a compact JWS, judged strictly before any key is touched.

import { ProxyError } from '../../protocol/error.ts';
import type { ErrorCode } from '../../protocol/error-table.ts';

export interface TokenParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Splits a compact JWS (RFC 7515 §3.1). Throws ProxyError of the given code for anything but three base64url
 * segments of JSON objects without duplicate members (RFC 7515 §4: duplicates are where two parsers disagree).
 * The message says which check failed and holds nothing of the token.
 */
export function splitToken(
  token: string,
  options: { readonly name: string; readonly code: ErrorCode; readonly bytesMax: number },
): TokenParts {
  const fail = (why: string, cause?: unknown): ProxyError =>
    new ProxyError(options.code, `${options.name} is malformed: ${why}.`, { cause });
  const message = `${options.name} is malformed: it is longer than ${options.bytesMax} bytes (tokenBytesMax).`;
  if (token === '') throw fail('it is empty');
  if (token.length > options.bytesMax)
    throw new ProxyError(options.code, message, { limit: 'tokenBytesMax' });
  const segments = token.split('.');
  const [header, payload, signature] = segments;
  if (segments.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw fail('it does not have three segments');
  }
  for (const segment of segments) if (!isBase64Url(segment)) throw fail('a segment is not base64url');
  const objectOf = (segment: string, part: string): Readonly<Record<string, unknown>> => {
    try {
      return parseObject(Buffer.from(segment, 'base64url'));
    } catch (error) {
      throw fail(`its ${part} is not a JSON object with each member once`, error);
    }
  };
  return { header: objectOf(header, 'header'), payload: objectOf(payload, 'payload') };
}

/** Canonical base64url only (RFC 4648 §3.5): no padding, no stray low bits, so one token has one spelling. */
function isBase64Url(segment: string): boolean {
  return (
    /^[A-Za-z0-9_-]+$/.test(segment) && Buffer.from(segment, 'base64url').toString('base64url') === segment
  );
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('not an object');
  if (hasDuplicateMember(text)) throw new TypeError('a member stands twice');
  // A JSON object has string keys.
  return value as Readonly<Record<string, unknown>>;
}

/** Whether an object in the text, at any depth, has a member twice. The text must be valid JSON. */
export function hasDuplicateMember(json: string): boolean {
  // Only strings and the marks between them matter; numbers and literals cannot hold either.
  const tokens = stringsAndMarks(json);
  const names: (Set<string> | undefined)[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token === '{') names.push(new Set());
    else if (token === '[') names.push(undefined);
    else if (token === '}' || token === ']') names.pop();
    else if (token !== ':' && tokens[index + 1] === ':') {
      const members = names.at(-1);
      // Escapes are undone: "a" and "\u0061" are the same member.
      const name: unknown = JSON.parse(token);
      if (members === undefined || typeof name !== 'string') continue;
      if (members.has(name)) return true;
      members.add(name);
    }
  }
  return false;
}

function stringsAndMarks(json: string): readonly string[] {
  const tokens: string[] = [];
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at] ?? '';
    if ('{}[]:'.includes(character)) tokens.push(character);
    else if (character === '"') {
      const start = at;
      for (at += 1; at < json.length && json[at] !== '"'; at += 1) if (json[at] === '\\') at += 1;
      tokens.push(json.slice(start, at + 1));
    }
  }
  return tokens;
}
