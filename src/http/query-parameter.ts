// The parameters of a query: what an origin reads there, and one of them changed without touching the bytes of the others.

import { isUnreserved, octetAt } from './percent-octet.ts';

/**
 * The query (with its `?`, or empty) without every parameter of that name, however the name is encoded, in any letters, and
 * as the languages that make variables of parameters write it: `access.token`, `access_token[]`.
 */
export function withoutParameter(query: string, name: string): string {
  const kept = parametersOf(query).flatMap((parameter) => withoutPart(parameter, name));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** To some origins a semicolon separates parameters as well (HTML 4.01 appendix B.2.2). */
function withoutPart(parameter: string, name: string): readonly string[] {
  const parts = parameter.split(';');
  const kept = parts.filter((part) => !isAlike(parameterName(part), name));
  if (kept.length === parts.length) return [parameter];
  return kept.length === 0 ? [] : [kept.join(';')];
}

/** The query with this one parameter at the end, in the place of all others of its name. */
export function withParameter(query: string, name: string, value: string): string {
  const rest = withoutParameter(query, name);
  return `${rest === '' ? '?' : `${rest}&`}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
}

/** As a form decodes it: `+` is a space. Text that is no valid encoding stays as it is. */
export function decodeParameter(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** Every parameter by its decoded name, with its decoded values in order. */
export type Parameters = ReadonlyMap<string, readonly string[]>;

/**
 * What origins read in a query (with its `?`, or empty): to some a semicolon separates as `&` does. One reading where none
 * stands in it.
 */
export function readParameters(query: string): readonly Parameters[] {
  const parts = parametersOf(query);
  const all = [grouped(parts)];
  if (query.includes(';')) all.push(grouped(parts.flatMap((part) => part.split(';'))));
  return all;
}

function grouped(parts: readonly string[]): Parameters {
  const parameters = new Map<string, string[]>();
  for (const part of parts) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decodeLeniently(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? '' : decodeLeniently(part.slice(equals + 1));
    const values = parameters.get(name);
    if (values === undefined) parameters.set(name, [value]);
    else values.push(value);
  }
  return parameters;
}

/** As servers do: what is no UTF-8 is replaced, and a percent sign without two digits is one. */
function decodeLeniently(text: string): string {
  const plain = text.replaceAll('+', ' ');
  if (!plain.includes('%')) return plain;
  const bytes = new Uint8Array(plain.length);
  let length = 0;
  for (let at = 0; at < plain.length; at++) {
    const octet = plain[at] === '%' ? octetAt(plain, at + 1) : undefined;
    bytes[length++] = octet ?? plain.charCodeAt(at);
    if (octet !== undefined) at += 2;
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, length));
}

/** The query in one form: unreserved octets plain, the others encoded in upper case, also a stray percent sign. */
export function canonicalQueryText(query: string): string {
  let out = '';
  let from = 0;
  for (let at = query.indexOf('%'); at >= 0; at = query.indexOf('%', from)) {
    const octet = octetAt(query, at + 1);
    out += query.slice(from, at);
    from = at + (octet === undefined ? 1 : 3);
    if (octet === undefined) out += '%25';
    else out += isUnreserved(octet) ? String.fromCharCode(octet) : query.slice(at, from).toUpperCase();
  }
  return from === 0 ? query : out + query.slice(from);
}

/** Whether some origin takes the one name for the other. */
function isAlike(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  const bracket = name.indexOf('[');
  const key = variableName(wanted);
  return variableName(name) === key || (bracket > 0 && variableName(name.slice(0, bracket)) === key);
}

/** As PHP makes variables of names; in lower case for those that ignore case. */
function variableName(name: string): string {
  return name
    .trimStart()
    .toLowerCase()
    .replaceAll(/[. [-]/g, '_');
}

function parametersOf(query: string): readonly string[] {
  return query.length < 2 ? [] : query.slice(1).split('&');
}

function parameterName(parameter: string): string {
  const equals = parameter.indexOf('=');
  return decodeLeniently(equals === -1 ? parameter : parameter.slice(0, equals));
}
