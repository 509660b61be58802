// What a tool sends to a server of OAuth: the placeholders in it, and the same with the tokens in their place, each where its kind belongs.

import { Buffer } from 'node:buffer';
import { defaultLimits } from '../../../protocol/limits.ts';
import { JsonObject, UnreadableBody } from '../../../understand/json-value.ts';
import { readJson } from '../../../understand/read-json.ts';
import { writeJson } from '../../../understand/write-json.ts';
import { decodedText, encodeText, formOctets, readForm } from './token-form.ts';
import { isPlace, type TokenKind } from './token-members.ts';

const jsonBounds = { depthMax: 16, valuesMax: 4_096 };

/** A text where a placeholder could stand. */
export interface Mentioned {
  readonly name: string;
  readonly value: string;
}

export interface RequestDocument {
  /** By name, in order: no name stands there twice. */
  readonly mentioned: readonly Mentioned[];
  readonly grantType: string | undefined;
  /** As which the tool asks (RFC 6749 §2.3.1). */
  readonly client: { readonly id?: string; readonly secret?: string };
  /** Values of parameters by their name; all others stay. */
  write(values: ReadonlyMap<string, string>): Buffer;
}

export function readRequest(octets: Uint8Array, form: 'json' | 'form'): RequestDocument | UnreadableBody {
  return form === 'form' ? ofForm(octets) : ofJson(octets);
}

function ofForm(octets: Uint8Array): RequestDocument | UnreadableBody {
  const fields = readForm(octets, defaultLimits.insideFieldsMax);
  if (fields instanceof UnreadableBody) return fields;
  const mentioned = [...fields].filter(([name]) => isPlace(name)).map(([name, value]) => ({ name, value }));
  return {
    mentioned,
    grantType: fields.get('grant_type'),
    client: clientOf((name) => fields.get(name)),
    write: (values) =>
      formOctets(new Map([...fields].map(([name, value]) => [name, values.get(name) ?? value]))),
  };
}

/** The members of the document itself; what lies deeper is no parameter. */
function ofJson(octets: Uint8Array): RequestDocument | UnreadableBody {
  const text = readJson(octets, jsonBounds);
  if (text instanceof UnreadableBody) return text;
  const { value } = text;
  if (!(value instanceof JsonObject))
    return { mentioned: [], grantType: undefined, client: {}, write: () => Buffer.from(octets) };
  const mentioned: Mentioned[] = [];
  for (const [name, member] of value.members)
    if (isPlace(name) && typeof member === 'string') mentioned.push({ name, value: member });
  const grantType = value.members.get('grant_type');
  return {
    mentioned,
    grantType: typeof grantType === 'string' ? grantType : undefined,
    client: clientOf((name) => value.members.get(name)),
    write: (values) => {
      const members = new Map(value.members);
      for (const [name, one] of values) members.set(name, one);
      return Buffer.from(writeJson(new JsonObject(members)));
    },
  };
}

function clientOf(member: (name: string) => unknown): RequestDocument['client'] {
  const [id, secret] = [member('client_id'), member('client_secret')];
  return {
    ...(typeof id === 'string' ? { id } : {}),
    ...(typeof secret === 'string' ? { secret } : {}),
  };
}

/** A placeholder in Authorization, and the field with a token in its place. */
export interface MentionedInField {
  readonly value: string;
  /** Which kinds are put there. */
  readonly kinds: readonly TokenKind[];
  /** Undefined: it cannot stand there. */
  with(token: string): string | undefined;
}

/** Behind a scheme, or as the password of Basic: a client's secret is in the form of RFC 6749 §2.3.1 there. At most 2. */
export function mentionedInField(field: string, isIssuer: boolean): readonly MentionedInField[] {
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9-]{0,30}) ([\x21-\x7e]+)$/.exec(field) ?? [];
  if (scheme === '') return [];
  if (scheme.toLowerCase() !== 'basic') {
    const kinds: readonly TokenKind[] = isIssuer ? ['access', 'registration'] : ['access'];
    return [{ value: rest, kinds, with: (token) => `${scheme} ${token}` }];
  }
  const pair = Buffer.from(rest, 'base64');
  // Readers differ in what they make of other texts.
  if (pair.toString('base64') !== rest) return [];
  const text = pair.toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1 || text.includes('\ufffd')) return [];
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (isIssuer) {
    const secret = decodedText(password) ?? password;
    return [{ value: secret, kinds: ['client'], with: (token) => basic(user, encodeText(token)) }];
  }
  return [
    { value: password, kinds: ['access'], with: (token) => basic(user, token) },
    ...(user === password ? [] : [asUser(user, password)]),
  ];
}

/** A colon would end it (RFC 7617 §2). */
function asUser(user: string, password: string): MentionedInField {
  const placed = (token: string): string | undefined =>
    token.includes(':') ? undefined : basic(token, password);
  return { value: user, kinds: ['access'], with: placed };
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}
