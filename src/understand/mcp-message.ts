// What a message of the Model Context Protocol asks for: one JSON-RPC message a request, as all revisions since 2025-06-18 have it.
// An array of messages is not read: an earlier revision knew it, and a server may take it past checks for the current one.

import { octetsOfBase64 } from './base64.ts';
import { cgiName, type HeaderList } from '../http/header-list.ts';
import {
  foldedName,
  InexactNumber,
  JsonObject,
  type JsonValue,
  memberOf,
  UnreadableBody,
} from './json-value.ts';

/** What of a server a message is about. */
export type McpTarget =
  /** `any`: of a call that nobody made, with whatever arguments. */
  | { readonly kind: 'tool'; readonly name: string; readonly input: JsonObject | 'any' | undefined }
  | { readonly kind: 'resource'; readonly name: string }
  | { readonly kind: 'prompt'; readonly name: string };

/** What a server can ask its client for; `other`: what the client says is none that is known. */
export type McpInput = 'elicitation' | 'sampling' | 'roots' | 'other';

export interface McpMessage {
  /** `response`: what a client says to a request of the server, of the revisions in which servers make requests. */
  readonly kind: 'request' | 'notification' | 'response';
  /** Empty in a response. */
  readonly method: string;
  /** Undefined in a notification. */
  readonly id: string | number | undefined;
  readonly target: McpTarget | undefined;
  /** It carries what a server asked the client for: of its user, its model or its files. */
  readonly inputs: readonly McpInput[];
  /** It asks for a list beyond its first page. */
  readonly goesOn: boolean;
}

/** Linear in the names of the objects that are looked at, and in the fields. */
export function mcpMessageOf(value: JsonValue, headers: HeaderList): McpMessage | UnreadableBody {
  try {
    const message = new MessageReader(value).read();
    checkMirrors(message, value, headers);
    return message;
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

class MessageReader {
  readonly #message: JsonObject;

  constructor(value: JsonValue) {
    if (Array.isArray(value)) throw fault('is an array of messages; send each one by itself');
    if (!(value instanceof JsonObject)) throw fault('is no JSON-RPC message');
    this.#message = value;
  }

  read(): McpMessage {
    if (member(this.#message, 'jsonrpc') !== '2.0') throw fault('is no message of JSON-RPC 2.0');
    const method = member(this.#message, 'method');
    const [result, error] = [member(this.#message, 'result'), member(this.#message, 'error')];
    const id = idOf(member(this.#message, 'id'));
    if (method === undefined) return responseOf(id, result, error);
    if (typeof method !== 'string') throw fault('has a method that is no text');
    if (result !== undefined || error !== undefined) throw fault('is a request and a response at once');
    const params = member(this.#message, 'params');
    if (params !== undefined && !(params instanceof JsonObject)) throw fault('has params that are no object');
    return {
      kind: id === undefined ? 'notification' : 'request',
      method,
      id,
      target: targetOf(method, params),
      inputs: inputsIn(params === undefined ? undefined : member(params, 'inputResponses')),
      goesOn: params !== undefined && (member(params, 'cursor') ?? null) !== null,
    };
  }
}

function member(object: JsonObject, name: string): JsonValue | undefined {
  const value = memberOf(object, name);
  if (value instanceof UnreadableBody) throw new Fault(value);
  return value;
}

function idOf(id: JsonValue | undefined): string | number | undefined {
  if (id === undefined || typeof id === 'string' || typeof id === 'number') return id;
  throw fault(
    id instanceof InexactNumber
      ? 'has an id that some parsers round'
      : 'has an id that is neither text nor a number',
  );
}

/** By the id of what was asked. */
function inputsIn(responses: JsonValue | undefined): readonly McpInput[] {
  if (responses === undefined) return [];
  if (!(responses instanceof JsonObject)) return ['other'];
  return [...new Set([...responses.members.values()].flatMap(inputsOf))];
}

/** Members of what a client says, by which it is told what that is: a response does not repeat what was asked. */
const inputMembers = [
  ['action', 'elicitation'],
  ['role', 'sampling'],
  ['model', 'sampling'],
  ['stopReason', 'sampling'],
  ['roots', 'roots'],
] as const satisfies readonly (readonly [string, McpInput])[];

/** All that it could be. What says `{}` says only that the client is there, as to a ping. */
function inputsOf(result: JsonValue): readonly McpInput[] {
  if (!(result instanceof JsonObject)) return ['other'];
  const action = member(result, 'action');
  const isRefusal = result.members.size === 1 && (action === 'decline' || action === 'cancel');
  if (result.members.size === 0 || isRefusal) return [];
  const found = new Set<McpInput>();
  for (const [name, input] of inputMembers) if (member(result, name) !== undefined) found.add(input);
  return found.size === 0 ? ['other'] : [...found];
}

/** That it refuses is for every client to say; what it adds to that is not. */
function inputsOfError(error: JsonValue | undefined): readonly McpInput[] {
  const isPlain = error instanceof JsonObject && member(error, 'data') === undefined;
  return isPlain ? [] : ['other'];
}

function responseOf(
  id: string | number | undefined,
  result: JsonValue | undefined,
  error: JsonValue | undefined,
): McpMessage {
  if (id === undefined || (result === undefined) === (error === undefined))
    throw fault('is neither a request nor a response of JSON-RPC');
  return {
    kind: 'response',
    method: '',
    id,
    target: undefined,
    inputs: result === undefined ? inputsOfError(error) : inputsOf(result),
    goesOn: false,
  };
}

/** Which member names what a method is about. */
const named: ReadonlyMap<string, readonly [kind: McpTarget['kind'], member: string]> = new Map([
  ['tools/call', ['tool', 'name']],
  ['prompts/get', ['prompt', 'name']],
  ['resources/read', ['resource', 'uri']],
  ['resources/subscribe', ['resource', 'uri']],
  ['resources/unsubscribe', ['resource', 'uri']],
]);

const aboutSomething: ReadonlySet<string> = new Set([...named.keys(), 'completion/complete']);

function targetOf(method: string, params: JsonObject | undefined): McpTarget | undefined {
  if (method === 'completion/complete') return completedOf(params);
  const place = named.get(method);
  if (place === undefined) {
    // A rule that denies could be about it, and no server writes it so.
    if (aboutSomething.has(foldedName(method)))
      throw fault('has a method that differs from one of MCP in its letter case alone');
    return undefined;
  }
  const [kind, key] = place;
  const name = textOf(params, key, method);
  if (kind === 'resource') checkUri(name);
  if (kind !== 'tool') return { kind, name };
  const input = params === undefined ? undefined : member(params, 'arguments');
  if (input !== undefined && !(input instanceof JsonObject)) throw fault('has arguments that are no object');
  return { kind, name, input };
}

/** What is completed is named as it is where it is used, so a list that hides a name hides it here too. */
function completedOf(params: JsonObject | undefined): McpTarget {
  const reference = params === undefined ? undefined : member(params, 'ref');
  if (!(reference instanceof JsonObject)) throw fault('asks for a completion of nothing');
  const type = member(reference, 'type');
  if (type === 'ref/prompt')
    return { kind: 'prompt', name: textOf(reference, 'name', 'completion/complete') };
  if (type === 'ref/resource') {
    const name = textOf(reference, 'uri', 'completion/complete');
    checkUri(name);
    return { kind: 'resource', name };
  }
  throw fault('asks for a completion of neither a prompt nor a resource');
}

/** Blanks and controls, which parsers of URLs take away; a backslash, which is a slash to them; an octet that is encoded for nothing. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const oddInUri = /[\u0000-\u0020\u007f\\]|%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2[de])/i;
/** A segment of one or two dots, which parsers of URLs take away with what stands before it. */
const dotSegment = /[/:]\.{1,2}(?:[/?#]|$)/;

/** Servers look a resource up by what a parser of URLs makes of the text: it has to be what is written there. */
function checkUri(uri: string): void {
  if (oddInUri.test(uri) || dotSegment.test(uri))
    throw fault('names a resource by a URI that a parser of URLs writes in another way');
}

function textOf(object: JsonObject | undefined, key: string, method: string): string {
  const value = object === undefined ? undefined : member(object, key);
  // Where it ends for some.
  if (typeof value === 'string' && value.includes('\0')) throw fault(`is a ${method} for a name with a NUL`);
  if (typeof value === 'string') return value;
  throw fault(`is a ${method} without ${JSON.stringify(key)}`);
}

/** Fields that say again what the body says, for what does not look into it. */
const mirrors = ['mcp-method', 'mcp-name', 'mcp-protocol-version'] as const;

/** The body decides. A field that says something else would lead whoever believes it to another decision. */
function checkMirrors(message: McpMessage, value: JsonValue, headers: HeaderList): void {
  for (const [name] of headers) {
    const lower = name.toLowerCase();
    const mirrored = mirrors.find((one) => one === cgiName(lower));
    if (mirrored === undefined) continue;
    if (mirrored !== lower) throw fault(`comes with the field ${lower}, which some take for ${mirrored}`);
    if (headers.isRepeated(lower)) throw fault(`comes with the field ${mirrored} twice`);
    const said = sentValue(headers.first(lower) ?? '', mirrored);
    const meant = meantBy(mirrored, message, value);
    // Revisions without that member say their version in the field alone.
    if (meant === undefined && mirrored === 'mcp-protocol-version') continue;
    if (said !== meant) throw fault(`says something else than its field ${mirrored}`);
  }
}

function meantBy(
  field: (typeof mirrors)[number],
  { method, target }: McpMessage,
  value: JsonValue,
): string | undefined {
  if (field === 'mcp-method') return method;
  if (field === 'mcp-name') return target?.name;
  const params = value instanceof JsonObject ? member(value, 'params') : undefined;
  const meta = params instanceof JsonObject ? member(params, '_meta') : undefined;
  const version =
    meta instanceof JsonObject ? member(meta, 'io.modelcontextprotocol/protocolVersion') : undefined;
  if (version !== undefined && typeof version !== 'string') throw fault('has a version that is no text');
  return version;
}

/** Values that a field cannot have as they are come as `=?base64?…?=`. */
function sentValue(text: string, field: string): string {
  const [, encoded] = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(text) ?? [];
  if (encoded === undefined) return text;
  const octets = octetsOfBase64(encoded);
  if (octets === undefined) throw fault('comes with a field in a broken base64');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    throw fault(`comes with a field ${field} that is no text`);
  }
}
