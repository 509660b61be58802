// What a request to a server of GraphQL asks for: each document that it has, with all of its operations, or the name of one that the
// server keeps. What servers take from more than one place, or under more than one name, is not read.

import { defaultLimits } from '../protocol/limits.ts';
import { type GraphqlOperation, readOperations } from './graphql-document.ts';
import type { GraphqlParser } from './graphql-parser.ts';
import { isAlike, JsonObject, type JsonValue, memberOf, shownName, UnreadableBody } from './json-value.ts';
import type { ReadBody } from './read-body.ts';
import { readJson } from './read-json.ts';
import { isList } from './write-json.ts';

/** One of the things that are asked for; several stand in an array, which servers run one by one. */
export type GraphqlAsked =
  | {
      readonly kind: 'document';
      readonly operations: readonly GraphqlOperation[];
      readonly text: string;
      readonly variables: JsonObject | undefined;
    }
  /** A document that the server knows: `sha256:` and its hash, or another name. Nobody here knows what it does. */
  | { readonly kind: 'kept'; readonly id: string };

export interface GraphqlRequest {
  readonly asked: readonly GraphqlAsked[];
  /** It came as an array, whose response is one too. */
  readonly isBatch: boolean;
  /** It came in a form with files. */
  readonly hasFiles: boolean;
  /** Octets of what was read. */
  readonly octets: number;
  /** Of all documents. */
  readonly tokens: number;
}

/** Where a request can have its operations. */
export interface GraphqlSource {
  readonly method: string;
  /** With its `?`. */
  readonly query: string;
  readonly body: ReadBody;
}

export interface GraphqlTools {
  readonly parser: GraphqlParser;
  /** In hex, of the text as UTF-8. */
  readonly sha256: (text: string) => string;
}

/** Linear in what is read. What it gives is `UnreadableBody` where two servers could read something different. */
export function readGraphql(source: GraphqlSource, tools: GraphqlTools): GraphqlRequest | UnreadableBody {
  try {
    return new RequestReader(tools).read(source);
  } catch (fault) {
    if (fault instanceof Fault) return fault.body;
    throw fault;
  }
}

/** Thrown inside of this file alone. */
class Fault extends Error {
  readonly body: UnreadableBody;

  constructor(body: UnreadableBody) {
    super(body.reason);
    this.body = body;
  }
}

const fault = (reason: string): Fault => new Fault(new UnreadableBody(reason));

function read<T>(value: T | UnreadableBody): T {
  if (value instanceof UnreadableBody) throw new Fault(value);
  return value;
}

/** What a client says of one document. */
const members = ['query', 'variables', 'operationName', 'extensions', 'documentId'] as const;

class RequestReader {
  readonly #tools: GraphqlTools;
  #tokens = 0;

  constructor(tools: GraphqlTools) {
    this.#tools = tools;
  }

  read({ method, query, body }: GraphqlSource): GraphqlRequest {
    const hasParameters = query !== '' && query !== '?';
    switch (body.kind) {
      case 'none': {
        if (method !== 'GET') throw fault('has no body');
        const asked = this.#asked(parametersOf(query), 'GET');
        return {
          asked: [asked],
          isBatch: false,
          hasFiles: false,
          octets: query.length,
          tokens: this.#tokens,
        };
      }
      case 'json':
        return { ...this.#ofBody(body, hasParameters, method), hasFiles: false };
      case 'unreadable':
        if (body.form === undefined) throw fault(body.reason);
        return { ...this.#ofBody(body.form, hasParameters, method), hasFiles: body.form.isDocument !== true };
      case 'message':
        throw fault('is one of MCP');
    }
  }

  #ofBody(
    { value, octets }: { readonly value: JsonValue; readonly octets: number },
    hasParameters: boolean,
    method: string,
  ): Omit<GraphqlRequest, 'hasFiles'> {
    if (hasParameters) throw fault('comes with a query in the URL, which some servers take before the body');
    if (!isList(value)) {
      const asked = this.#asked(objectOf(value), method);
      return { asked: [asked], isBatch: false, octets, tokens: this.#tokens };
    }
    const { graphqlBatchMax: max } = defaultLimits;
    if (value.length === 0 || value.length > max)
      throw fault(`is an array of none, or of more than ${String(max)} requests`);
    const asked = value.map((one) => this.#asked(objectOf(one), method));
    return { asked, isBatch: true, octets, tokens: this.#tokens };
  }

  #asked(request: JsonObject, method: string): GraphqlAsked {
    for (const name of request.members.keys())
      if (!members.some((one) => one === name || isAlike(one, name)))
        throw fault(`has ${shownName(name)}, by which some servers find another document`);
    const text = textOf(request, 'query');
    const id = textOf(request, 'documentId');
    const variables = mapOf(request, 'variables');
    textOf(request, 'operationName');
    const hash = hashOf(mapOf(request, 'extensions'));
    if (id !== undefined && (text !== undefined || hash !== undefined))
      throw fault('has documentId beside another document');
    if (text === undefined) {
      const kept = id ?? hash;
      if (kept === undefined || kept === '') throw fault('has no document of GraphQL');
      return { kind: 'kept', id: kept };
    }
    if (hash !== undefined && hash !== `sha256:${this.#tools.sha256(text)}`)
      throw fault('has a sha256Hash that is not of its query');
    const tokensMax = defaultLimits.graphqlTokensMax - this.#tokens;
    const document = read(readOperations(text, { variables, tokensMax }, this.#tools.parser));
    this.#tokens += document.tokens;
    if (method === 'GET' && document.operations.some(({ type }) => type !== 'query'))
      throw fault('has more than queries, which GET is for');
    return { kind: 'document', operations: document.operations, text, variables };
  }
}

function objectOf(value: JsonValue): JsonObject {
  if (value instanceof JsonObject) return value;
  throw fault('is no request of GraphQL');
}

/** `null` is as if it was not there. */
function member(object: JsonObject, name: (typeof members)[number]): JsonValue | undefined {
  const value = read(memberOf(object, name));
  return value === null ? undefined : value;
}

function textOf(object: JsonObject, name: (typeof members)[number]): string | undefined {
  const value = member(object, name);
  if (value === undefined || typeof value === 'string') return value;
  throw fault(`has ${name} that is no text`);
}

/** Some servers take a text of JSON for them in a body too. */
function mapOf(object: JsonObject, name: 'variables' | 'extensions'): JsonObject | undefined {
  const value = member(object, name);
  if (value === undefined || value instanceof JsonObject) return value;
  throw fault(`has ${name} that are no object`);
}

/** Of a document that the server may know by it. */
function hashOf(extensions: JsonObject | undefined): string | undefined {
  const persisted = extensions === undefined ? undefined : read(memberOf(extensions, 'persistedQuery'));
  if (persisted === undefined || persisted === null) return undefined;
  const hash = persisted instanceof JsonObject ? read(memberOf(persisted, 'sha256Hash')) : undefined;
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
    throw fault('has a persistedQuery without a sha256Hash in hex');
  return `sha256:${hash}`;
}

/** Parameters of a URL, as the members that a body would have. */
function parametersOf(query: string): JsonObject {
  if (query.includes(';')) throw fault('is in a URL with a semicolon, which some servers take for &');
  const found = new Map<string, JsonValue>();
  for (const part of query.replace(/^\?/, '').split('&')) {
    const at = part.indexOf('=');
    const name = decoded(at < 0 ? part : part.slice(0, at));
    const text = at < 0 ? '' : decoded(part.slice(at + 1));
    if (!members.some((one) => one === name))
      throw fault(`comes with the parameter ${shownName(name)}, which is none of GraphQL's`);
    if (found.has(name)) throw fault(`comes with the parameter ${name} twice`);
    const isJson = name === 'variables' || name === 'extensions';
    found.set(name, isJson && text !== '' ? jsonOf(text, name) : isJson ? null : text);
  }
  return new JsonObject(found);
}

function jsonOf(text: string, name: string): JsonValue {
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const json = readJson(new TextEncoder().encode(text), { depthMax, valuesMax });
  if (json instanceof UnreadableBody) throw fault(`comes with the parameter ${name}, which ${json.reason}`);
  return json.value;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw fault('is in a URL that is not encoded as UTF-8');
  }
}
