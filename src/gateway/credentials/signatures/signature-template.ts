// The text that an HMAC is made over, and the fields that carry it, as templates: `v0:{timestamp}:{body}`. A template is read once, when
// the configuration is, and whatever is not exactly of this grammar is refused there.

import { defaultLimits } from '../../../protocol/limits.ts';

export const timestampForms = ['s', 'ms', 'iso', 'http'] as const;
export type TimestampForm = (typeof timestampForms)[number];
export const bodyHashes = ['sha256', 'sha512', 'sha1', 'md5'] as const;
export type BodyHash = (typeof bodyHashes)[number];
export const textEncodings = ['hex', 'base64', 'base64url'] as const;
export type TextEncoding = (typeof textEncodings)[number];

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'timestamp'; readonly form: TimestampForm }
  | { readonly kind: 'body-hash'; readonly hash: BodyHash; readonly encoding: TextEncoding }
  /** `name` is in lower case. */
  | { readonly kind: 'field'; readonly name: string }
  | {
      readonly kind: 'method' | 'path' | 'query-text' | 'sorted-query' | 'target' | 'host' | 'nonce' | 'body';
    }
  | { readonly kind: 'signature' };

type PlainKind = Exclude<TemplatePart['kind'], 'text' | 'timestamp' | 'body-hash' | 'field'>;

const plainKinds: Readonly<Record<string, PlainKind>> = {
  method: 'method',
  path: 'path',
  query: 'query-text',
  'query:sorted': 'sorted-query',
  target: 'target',
  host: 'host',
  nonce: 'nonce',
  body: 'body',
  signature: 'signature',
};
const wordsHint =
  '{method}, {path}, {query}, {query:sorted}, {target}, {host}, {timestamp}, {timestamp:ms}, {timestamp:iso}, {timestamp:http}, {nonce}, {body}, {body:sha256:hex}, {header:NAME} and {signature}';
/** Kinds that stand in a field or a parameter: what the workload chooses would be in the head a second time. */
const placed: ReadonlySet<TemplatePart['kind']> = new Set([
  'text',
  'timestamp',
  'nonce',
  'body-hash',
  'signature',
]);

/** @throws Error that says what to write */
export function parseSignatureTemplate(template: string): readonly TemplatePart[] {
  const { signatureTemplateCharactersMax, signatureTemplatePartsMax } = defaultLimits;
  if (template.length > signatureTemplateCharactersMax)
    throw new Error(
      `the template is longer than ${String(signatureTemplateCharactersMax)} characters; shorten it`,
    );
  const parts: TemplatePart[] = [];
  let text = '';
  for (let at = 0; at < template.length;) {
    const character = template[at] ?? '';
    const isBrace = character === '{' || character === '}';
    if (!isBrace || template[at + 1] === character) {
      text += character;
      at += isBrace ? 2 : 1;
      continue;
    }
    const end = template.indexOf('}', at);
    if (character === '}' || end === -1)
      throw new Error(`a brace stands alone; write {{ or }} for one, or one of ${wordsHint}`);
    if (text !== '') parts.push({ kind: 'text', text });
    text = '';
    parts.push(partOf(template.slice(at + 1, end)));
    at = end + 1;
  }
  if (text !== '') parts.push({ kind: 'text', text });
  if (parts.length > signatureTemplatePartsMax)
    throw new Error(`the template has more than ${String(signatureTemplatePartsMax)} parts; shorten it`);
  return parts;
}

function partOf(word: string): TemplatePart {
  const plain = Object.hasOwn(plainKinds, word) ? plainKinds[word] : undefined;
  if (plain !== undefined) return { kind: plain };
  const [name, first = '', second, ...rest] = word.split(':');
  const isShort = rest.length === 0;
  if (name === 'timestamp' && isShort && second === undefined) {
    const form = word === 'timestamp' ? 's' : timestampForms.find((one) => one === first);
    if (form !== undefined) return { kind: 'timestamp', form };
  }
  if (name === 'body' && isShort) {
    const hash = bodyHashes.find((one) => one === first);
    const encoding = second === undefined ? 'hex' : textEncodings.find((one) => one === second);
    if (hash !== undefined && encoding !== undefined) return { kind: 'body-hash', hash, encoding };
  }
  if (name === 'header' && second === undefined && /^[A-Za-z0-9-]{1,128}$/.test(first))
    return { kind: 'field', name: first.toLowerCase() };
  throw new Error(`{${word.slice(0, 60)}} is not known; write one of ${wordsHint}`);
}

/** What is wrong with the text to sign; undefined: nothing. */
export function signedTextProblem(
  parts: readonly TemplatePart[],
  { isAmbiguityAllowed }: { readonly isAmbiguityAllowed: boolean },
): string | undefined {
  if (parts.some(({ kind }) => kind === 'signature'))
    return '{signature} is what is made of this text; write it into a field or a parameter';
  if (parts.every(({ kind }) => kind === 'text' || kind === 'timestamp' || kind === 'nonce'))
    return 'nothing of the request is in the text, so one signature would serve for every request; write {body}, {path} or another part of it';
  if (parts.some((part) => part.kind === 'text' && !/^[\n\x20-\x7e]*$/.test(part.text)))
    return 'write printable ASCII and line feeds';
  const at = isAmbiguityAllowed ? -1 : firstAmbiguity(parts);
  if (at === -1) return undefined;
  return `two requests can give the same text, since it cannot be told where ${nameOf(parts[at])} ends before ${nameOf(parts[at + 1])}; put a line feed or another separator between them, or write dangerouslyAllowAmbiguous: true if the service wants it so`;
}

/** What is wrong with a field or a parameter that carries something; undefined: nothing. */
export function placedTextProblem(parts: readonly TemplatePart[]): string | undefined {
  const unfit = parts.find(({ kind }) => !placed.has(kind));
  if (unfit !== undefined)
    return `${nameOf(unfit)} cannot stand there; write text, {timestamp}, {nonce}, {body:sha256:hex} or {signature}`;
  const [first, last] = [parts.at(0), parts.at(-1)];
  const isBlank = (part: TemplatePart | undefined, pattern: RegExp): boolean =>
    part?.kind === 'text' && pattern.test(part.text);
  if (isBlank(first, /^ /) || isBlank(last, / $/)) return 'it begins or ends with a space; remove it';
  return parts.some((part) => part.kind === 'text' && !/^[\x20-\x7e]*$/.test(part.text))
    ? 'write printable ASCII'
    : undefined;
}

/** Characters of parts that have no fixed length. A method that is signed is in capitals. */
const alphabets: Readonly<Partial<Record<TemplatePart['kind'], RegExp>>> = {
  method: /[A-Z]/,
  path: /[\x21-\x7e]/,
  'query-text': /[\x21-\x7e]/,
  'sorted-query': /[\x21-\x7e]/,
  target: /[\x21-\x7e]/,
  host: /[a-z0-9._:[\]-]/,
  field: /[\x20-\x7e]/,
  body: /[^]/,
};

/**
 * The first part whose end depends on what the parts are, from the left: a reader that knows the template has to find each part
 * again, or two requests have one text. -1 if there is none.
 */
function firstAmbiguity(parts: readonly TemplatePart[]): number {
  return parts.findIndex((part, at) => {
    const alphabet = alphabets[part.kind];
    if (alphabet === undefined) return false;
    const rest = parts.slice(at + 1);
    // Its length is that of the whole without the rest.
    if (rest.every(({ kind }) => alphabets[kind] === undefined)) return false;
    return !isEndedBy(alphabet, rest[0]);
  });
}

function isEndedBy(alphabet: RegExp, next: TemplatePart | undefined): boolean {
  switch (next?.kind) {
    case 'text':
      return !alphabet.test(next.text[0] ?? '');
    case 'path':
    case 'target':
      return !alphabet.test('/') && !alphabet.test('*');
    case 'method':
      return !alphabet.test('A');
    default:
      return false;
  }
}

function nameOf(part: TemplatePart | undefined): string {
  if (part === undefined) return 'the end';
  switch (part.kind) {
    case 'text':
      return JSON.stringify(part.text.slice(0, 20));
    case 'field':
      return `{header:${part.name}}`;
    case 'query-text':
      return '{query}';
    case 'sorted-query':
      return '{query:sorted}';
    case 'body-hash':
      return `{body:${part.hash}}`;
    default:
      return `{${part.kind}}`;
  }
}
