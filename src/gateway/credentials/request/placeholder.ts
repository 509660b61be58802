// Puts a secret where the workload put its placeholder: exact matches only, text that merely mentions it passes.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../../http/header-list.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Injected } from './injected.ts';
import { asFieldValue } from './field-value.ts';
import { decodeParameter } from '../../../http/query-parameter.ts';

/** Characters that stand for themselves in a field, a query and a path. */
export const placeholderPattern = /^[A-Za-z0-9._~-]{12,256}$/;

/**
 * Whether the head has the placeholder where it counts: as a whole field value, behind an authentication scheme, as
 * user or password of Basic, as the value of a query parameter, or as a whole path segment.
 */
export function hasPlaceholder(head: RequestHead, placeholder: string): boolean {
  return substitute(head, placeholder, placeholder).found;
}

/** The head with the secret in every such place. @throws ProxyError credential_unavailable */
export function substitutePlaceholder(
  head: RequestHead,
  placeholder: string,
  secret: Secret<string>,
): Pick<Injected, 'head'> {
  return { head: substitute(head, placeholder, secret.reveal()).head };
}

interface Substitution {
  readonly head: RequestHead;
  readonly found: boolean;
}

function substitute(head: RequestHead, placeholder: string, value: string): Substitution {
  let found = false;
  const place = (): string => {
    found = true;
    return value;
  };
  const headers = new HeaderList(
    [...head.headers].map(([name, text]) => [name, inField(text, { placeholder, place })] as const),
  );
  const query = inQuery(head.query, placeholder, place);
  const path = inPath(head.path, placeholder, place);
  return { head: { ...head, headers, query, path }, found };
}

interface FieldPlaces {
  readonly placeholder: string;
  readonly place: () => string;
}

function inField(text: string, { placeholder, place }: FieldPlaces): string {
  if (text === placeholder) return asFieldValue(place());
  const [, scheme = '', space = '', rest = ''] = /^([A-Za-z][A-Za-z0-9-]*)( +)(\S+)$/.exec(text) ?? [];
  if (scheme === '') return text;
  if (rest === placeholder) return `${scheme}${space}${asFieldValue(place())}`;
  if (scheme.toLowerCase() !== 'basic') return text;
  const pair = Buffer.from(rest, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) return text;
  const user = pair.slice(0, colon);
  const password = pair.slice(colon + 1);
  if (user !== placeholder && password !== placeholder) return text;
  const secretUser = user === placeholder ? place() : user;
  if (secretUser.includes(':'))
    throw new ProxyError(
      'credential_unavailable',
      'the secret has a colon, so it cannot be a user name of Basic (RFC 7617); use it as the password',
    );
  const replaced = Buffer.from(`${secretUser}:${password === placeholder ? place() : password}`);
  return `${scheme}${space}${replaced.toString('base64')}`;
}

function inQuery(query: string, placeholder: string, place: () => string): string {
  if (query.length < 2) return query;
  const parameters = query
    .slice(1)
    .split('&')
    .map((parameter) => {
      const equals = parameter.indexOf('=');
      if (equals === -1 || decodeParameter(parameter.slice(equals + 1)) !== placeholder) return parameter;
      return `${parameter.slice(0, equals)}=${encodeURIComponent(place())}`;
    });
  return `?${parameters.join('&')}`;
}

/** The path is canonical: the placeholder's characters stand in it unencoded. */
function inPath(path: string, placeholder: string, place: () => string): string {
  return path
    .split('/')
    .map((segment) => (segment === placeholder ? asSegment(place()) : segment))
    .join('/');
}

/** The rule was matched against the path with the placeholder: the secret must not move it elsewhere. */
function asSegment(secret: string): string {
  if (secret === '.' || secret === '..')
    throw new ProxyError('credential_unavailable', 'a secret of dots cannot stand in a path');
  return encodeURIComponent(secret);
}
