// What the body of a request was read as, and which bodies can be read at all.

import { cgiName, type HeaderList } from '../http/header-list.ts';
import { JsonObject, type JsonValue, UnreadableBody } from './json-value.ts';
import type { McpMessage } from './mcp-message.ts';
import { formBoundaryOf } from './multipart-parts.ts';
import type { JsonText } from './read-json.ts';

/** `octets`: how long it is, decoded. `reason` ends a sentence that begins with "the body". */
export type ReadBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly value: JsonValue; readonly octets: number }
  | UnreadBody
  /** No body at all: what a message would be about, for whoever asks whether it could be allowed. */
  | { readonly kind: 'message'; readonly message: McpMessage };

export interface UnreadBody {
  readonly kind: 'unreadable';
  readonly reason: string;
  /** Of a form with files: its operations of GraphQL, which is all that is read of it. */
  readonly form?: {
    readonly value: JsonValue;
    readonly octets: number;
    /** It is one document and nothing beside it. */
    readonly isDocument?: true;
  };
  /** Of a request that opens a WebSocket: what of protocols it offers to speak there. */
  readonly webSocket?: readonly string[];
}

/** Codings of content that are decoded, and one that changes nothing. */
export type ContentCoding = 'identity' | 'gzip' | 'br' | 'zstd';

const codings: ReadonlyMap<string, ContentCoding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['br', 'br'],
  ['zstd', 'zstd'],
]);

/**
 * How a body of JSON is coded, by the fields of its request; else why it cannot be read. Whatever leaves a choice to the server is
 * no: two fields, another charset, a coding that servers read in two ways (deflate).
 */
export function jsonCodingOf(headers: HeaderList): ContentCoding | { readonly problem: string } {
  return codingOf(headers, typeProblem);
}

/** How operations of GraphQL come without JSON around them. */
export type OperationsForm =
  | { readonly coding: ContentCoding; readonly boundary: string }
  | { readonly coding: ContentCoding; readonly isDocument: true };

/** The same of a form with operations of GraphQL and files, and of a document alone; undefined: it is none, or one that servers read in more than one way. */
export function formOf(headers: HeaderList): OperationsForm | undefined {
  const type = headers.first('content-type') ?? '';
  const boundary = formBoundaryOf(type);
  const coding = codingOf(headers, () => undefined);
  if (typeof coding === 'object') return undefined;
  if (boundary !== undefined) return { coding, boundary };
  return documentType.test(type) ? { coding, isDocument: true } : undefined;
}

const documentType = /^application\/graphql(?:;[ \t]*charset=utf-?8)?$/i;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A document of GraphQL as the JSON that would say the same. */
export function readDocument(octets: Uint8Array): JsonText | UnreadableBody {
  try {
    const value = new JsonObject(new Map([['query', decoder.decode(octets)]]));
    return { value, count: 3, objects: 1 };
  } catch {
    return new UnreadableBody('is not UTF-8');
  }
}

function codingOf(
  headers: HeaderList,
  problemOf: (type: string) => string | undefined,
): ContentCoding | { readonly problem: string } {
  for (const [name] of headers) {
    const lower = name.toLowerCase();
    const meant = cgiName(lower);
    if (lower !== meant && (meant === 'content-type' || meant === 'content-encoding'))
      return { problem: `comes with the field ${lower}, which some take for ${meant}` };
  }
  const types = headers.all('content-type');
  if (types.length !== 1)
    return { problem: types.length === 0 ? 'says no Content-Type' : 'says two of Content-Type' };
  const problem = problemOf(types[0] ?? '');
  if (problem !== undefined) return { problem };
  const named = headers.all('content-encoding');
  if (named.length === 0) return 'identity';
  const coding = codings.get((named[0] ?? '').trim().toLowerCase());
  if (named.length > 1 || coding === undefined)
    return { problem: 'has a Content-Encoding other than one of gzip, br and zstd' };
  return coding;
}

/** `name=value`, whose name no reader takes apart (RFC 8187 has `charset*`, RFC 2231 `charset*0`), and whose value has no escapes. */
const plainParameter = /^([!#$%&'+.^_`|~0-9a-z-]+)=(?:([!#$%&'*+.^_`|~0-9a-z-]+)|"([^"\\]*)")$/i;

function typeProblem(field: string): string | undefined {
  const [type = '', ...parameters] = field.split(';').map((part) => part.trim());
  const isJson = /^application\/(?:[a-z0-9.!#$&^_-]{1,80}\+)?json$/i.test(type);
  // A comma begins a second value, of which servers take the first or the last.
  if (!isJson || field.includes(',')) return 'has a Content-Type that is not one of JSON';
  const names = new Set<string>();
  for (const parameter of parameters) {
    const [, name = '', token, quoted = ''] = plainParameter.exec(parameter) ?? [];
    const lower = name.toLowerCase();
    if (lower === '' || names.has(lower)) return 'has a Content-Type that servers read in more than one way';
    names.add(lower);
    const value = (token ?? quoted).toLowerCase();
    if (lower === 'charset' && value !== 'utf-8' && value !== 'utf8') return 'has a charset other than UTF-8';
  }
  return undefined;
}
