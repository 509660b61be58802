// The signature base of HTTP Message Signatures (RFC 9421 §2.5): what is signed of a request, line by line.

import { hostField } from '../../../http/authority.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { readParameters } from '../../../http/query-parameter.ts';
import { coveredField, coveredPath, refused } from './covered-head.ts';
import { innerList, structuredItem, structuredParameters } from './structured-field.ts';
import type { StructuredParameters } from './structured-field.ts';

/** Parts of a request that are no fields (RFC 9421 §2.2). */
export const derivedComponents = [
  '@method',
  '@target-uri',
  '@authority',
  '@scheme',
  '@request-target',
  '@path',
  '@query',
  '@query-param',
] as const;
type DerivedComponent = (typeof derivedComponents)[number];

export type SignatureComponent =
  | { readonly kind: 'derived'; readonly name: Exclude<DerivedComponent, '@query-param'> }
  | { readonly kind: 'parameter'; readonly parameter: string }
  /** `name` is in lower case. */
  | { readonly kind: 'field'; readonly name: string };

/** How fields are read; a signer's own way refuses what others join. */
export type FieldReader = (head: RequestHead, name: string) => string;

/** Undefined for what is no component. `@query-param;name="NAME"` is a parameter of the query. */
export function parseComponent(text: string): SignatureComponent | undefined {
  const [, parameter] = /^@query-param;name="([A-Za-z0-9*._-]{1,128})"$/.exec(text) ?? [];
  if (parameter !== undefined) return { kind: 'parameter', parameter };
  if (/^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(text)) return { kind: 'field', name: text };
  const derived = derivedComponents.find((name) => name === text);
  return derived === undefined || derived === '@query-param' ? undefined : { kind: 'derived', name: derived };
}

export interface SignatureBase {
  readonly base: string;
  /** The value of the member of Signature-Input. */
  readonly input: string;
}

/** @throws ProxyError signature_refused where a component has no value, or more than one reading */
export function signatureBase(
  head: RequestHead,
  components: readonly SignatureComponent[],
  parameters: StructuredParameters,
  fieldOf: FieldReader = coveredField,
): SignatureBase {
  const input = innerList(components.map(identifier), parameters);
  const lines = components.map((one) => `${identifier(one)}: ${valueOf(one, head, fieldOf)}\n`);
  return { base: `${lines.join('')}"@signature-params": ${input}`, input };
}

function identifier(component: SignatureComponent): string {
  if (component.kind !== 'parameter') return structuredItem(component.name);
  return `"@query-param"${structuredParameters([['name', component.parameter]])}`;
}

function valueOf(component: SignatureComponent, head: RequestHead, fieldOf: FieldReader): string {
  switch (component.kind) {
    case 'field':
      return fieldOf(head, component.name);
    case 'parameter':
      return parameterValue(head, component.parameter);
    case 'derived':
      return derivedValue(component.name, head);
  }
}

function derivedValue(name: Exclude<DerivedComponent, '@query-param'>, head: RequestHead): string {
  const { method, destination, query } = head;
  const { scheme } = destination;
  switch (name) {
    case '@method':
      return method;
    case '@scheme':
      return scheme;
    case '@authority':
      return hostField(destination);
    case '@target-uri':
      return `${scheme}://${hostField(destination)}${coveredPath(head)}${query}`;
    case '@request-target':
      return head.path + query;
    case '@path':
      return coveredPath(head);
    case '@query':
      return query === '' ? '?' : query;
  }
}

/** Decoded as a form, and encoded in the one way (RFC 9421 §2.2.8). */
function parameterValue({ query }: RequestHead, name: string): string {
  if (query.includes(';'))
    throw refused(`the signature covers the parameter ${name}, and to some servers ";" separates parameters`);
  const [values = []] = readParameters(query).map((found) => found.get(name) ?? []);
  const [value, ...others] = values;
  if (value === undefined || others.length > 0)
    throw refused(`the signature covers the parameter ${name}, which has to stand once in the query`);
  if (value.includes('\ufffd'))
    throw refused(`the signature covers the parameter ${name}, which is not UTF-8`);
  return encodeURIComponent(value).replace(
    /[!'()~]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
