// What a server of MCP says on its way to the client: its lists without what the session may not use, and without questions to which the client may
// not respond. Hiding is a courtesy to the model; what decides is the rule about each call, and about each thing that the client says.

import { Buffer } from 'node:buffer';
import type { ResponseHead } from '../../http/message-head.ts';
import type { AllowDecision, RequestAccess } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { EventStreamReader, eventText, type StreamEvent } from '../../understand/event-stream.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { listedCount, listMethods, listProblem, showLists } from '../../understand/mcp-lists.ts';
import type { McpMessage } from '../../understand/mcp-message.ts';
import { questionIn } from '../../understand/mcp-questions.ts';
import { readJson } from '../../understand/read-json.ts';
import { isList, writeJson } from '../../understand/write-json.ts';
import { type QuestionOptions, withheldText } from './server-questions.ts';
import { withoutDigests } from '../scrub/searchable-response.ts';
import type { ListedTools } from './listed-tools.ts';
import { type ChangedTool, PinnedTools } from './pinned-tools.ts';
import type { ResponseClient } from './response-client.ts';

export interface ListFilterOptions extends QuestionOptions {
  readonly client: ResponseClient;
  readonly limits: Limits;
  /** Takes room for what is held of a response. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
  readonly onHidden: (count: number) => void;
  readonly tools: ListedTools;
  readonly onChanged: (changed: readonly ChangedTool[]) => void;
}

/** Whether the response can have messages of a server of MCP in it: to a message, and the stream of what a server says. */
export function readsMessages(
  { method }: Pick<RequestAccess, 'method'>,
  { showsLists }: AllowDecision,
): boolean {
  return showsLists === true && (method === 'GET' || method === 'POST');
}

/** The client of a response whose messages are shown without the rest. */
export function withShownMessages(options: ListFilterOptions): ResponseClient {
  const { client } = options;
  let body: ListBody | undefined;
  return {
    signal: client.signal,
    sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
    sendHead: (head, endsAtHead) => {
      body = endsAtHead === true ? undefined : bodyOf(head, options);
      if (body === undefined) client.sendHead(head, endsAtHead);
      else body.begin(head);
    },
    sendData: (chunk) => (body === undefined ? client.sendData(chunk) : body.push(chunk)),
    onDrain: (listener) => client.onDrain(listener),
    sendEnd: (rawTrailers) => {
      body?.end();
      client.sendEnd(rawTrailers);
    },
  };
}

/** A body in which lists can stand. */
interface ListBody {
  begin(head: ResponseHead): void;
  push(chunk: Uint8Array): boolean;
  end(): void;
}

const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

/** Undefined: it goes on as it is. @throws ProxyError origin_malformed */
function bodyOf({ status, headers }: ResponseHead, options: ListFilterOptions): ListBody | undefined {
  if (withoutBody.has(status)) return undefined;
  const isError = status < 200 || status > 299;
  // What was asked for comes on another stream (2024-11-05), and nobody reads a body here.
  if (status === 202 && options.access.method === 'POST') return new NoBody(options);
  const types = headers.all('content-type');
  const type = types.join(',').split(';', 1)[0]?.trim().toLowerCase();
  const isStream = type === 'text/event-stream';
  if (types.length !== 1 || (!isStream && type !== 'application/json')) {
    const isRead = isError ? types.some(namesMessages) : isReadAsMessage(types, options);
    if (!isRead) return undefined;
    throw unreadable('it is neither JSON nor a stream of events');
  }
  const coding = headers.all('content-encoding').join(', ').trim().toLowerCase();
  if (coding !== '' && coding !== 'identity')
    throw unreadable('it comes with a Content-Encoding that was not asked for');
  return isStream ? new StreamBody(options, isError) : new WholeBody(options, isError);
}

/** Clients look for a type anywhere in the field. */
function namesMessages(type: string): boolean {
  return /application\/json|text\/event-stream/i.test(type);
}

/** They read the stream that they asked for without looking. */
function isReadAsMessage(types: readonly string[], { access, message }: ListFilterOptions): boolean {
  if (types.length > 1 || types.some(namesMessages)) return true;
  // Of a message that asks for a list nothing else is a response; GET serves pages too.
  if (access.method !== 'GET') return asksForList(message);
  return access.headers.all('accept').some((one) => /text\/event-stream/i.test(one));
}

function asksForList(message: McpMessage | undefined): boolean {
  return message?.kind === 'request' && listMethods.has(message.method);
}

/** The fields of a body whose length is not known, and that is for this client alone. */
function ownHead(head: ResponseHead): ResponseHead {
  const headers = withoutDigests(head.headers.without('content-length', 'etag', 'last-modified'));
  return { ...head, headers: headers.with('cache-control', 'private, no-store') };
}

/** Room is taken in steps, and kept as long as the response lasts. */
const roomStep = 65_536;

/** A body that no client reads: it does not go on, so that none could find a list in it. */
class NoBody implements ListBody {
  readonly #options: ListFilterOptions;

  constructor(options: ListFilterOptions) {
    this.#options = options;
  }

  begin(head: ResponseHead): void {
    const own = ownHead(head);
    this.#options.client.sendHead({ ...own, headers: own.headers.with('content-length', '0') });
  }

  push(): boolean {
    return true;
  }

  end(): void {
    return;
  }
}

/** One message of JSON, held until it is whole. */
class WholeBody implements ListBody {
  readonly #options: ListFilterOptions;
  readonly #isError: boolean;
  readonly #octets = new GatheredOctets();
  #room = 0;
  #head: ResponseHead | undefined;

  constructor(options: ListFilterOptions, isError: boolean) {
    this.#options = options;
    this.#isError = isError;
  }

  begin(head: ResponseHead): void {
    this.#head = head;
  }

  push(chunk: Uint8Array): boolean {
    const { keep, limits } = this.#options;
    const length = this.#octets.length + chunk.byteLength;
    if (length > limits.listBytesMax) throw tooLong();
    for (; this.#room < length; this.#room += roomStep) keep(roomStep);
    this.#octets.push(chunk);
    return true;
  }

  end(): void {
    const { client } = this.#options;
    const octets = this.#octets.take();
    const shown = octets.length === 0 ? undefined : shownOf(octets, this.#isError, this.#options);
    const body = shown === undefined ? octets : Buffer.from(shown);
    if (this.#head !== undefined && this.#isError && shown === undefined) client.sendHead(this.#head);
    else if (this.#head !== undefined) {
      const head = ownHead(this.#head);
      client.sendHead({ ...head, headers: head.headers.with('content-length', String(body.length)) });
    }
    if (body.length > 0) client.sendData(body);
  }
}

/** A stream of events, each held until it is whole. */
class StreamBody implements ListBody {
  readonly #options: ListFilterOptions;
  readonly #isError: boolean;
  readonly #reader: EventStreamReader;
  #room = 0;

  constructor(options: ListFilterOptions, isError: boolean) {
    this.#options = options;
    this.#isError = isError;
    this.#reader = new EventStreamReader(options.limits.listBytesMax);
  }

  begin(head: ResponseHead): void {
    this.#options.client.sendHead(ownHead(head));
  }

  push(chunk: Uint8Array): boolean {
    const events = this.#reader.push(chunk);
    if (this.#reader.isTooLong) throw tooLong();
    if (this.#reader.isOdd) throw unreadable('it begins with two byte order marks');
    for (; this.#room < 2 * this.#reader.characters; this.#room += roomStep) this.#options.keep(roomStep);
    if (events.length === 0) return true;
    return this.#options.client.sendData(Buffer.from(events.map((event) => this.#shown(event)).join('')));
  }

  /** What is no whole event by then is none for the client either. */
  end(): void {
    return;
  }

  #shown(event: StreamEvent): string {
    // An event without data only tells its id, so that a client can go on from there; one with a name of its own is no message.
    if (!isMessage(event) || event.data === undefined || event.data.trim() === '') return eventText(event);
    const shown = shownOf(Buffer.from(event.data), this.#isError, this.#options);
    return eventText(shown === undefined ? event : { ...event, data: shown });
  }
}

/** Clients take an event for a message by its last name. */
function isMessage({ otherLines }: StreamEvent): boolean {
  const name = otherLines.findLast((line) => line === 'event' || line.startsWith('event:'));
  return name === undefined || /^event(?:: ?(?:message)?)?$/.test(name);
}

function shownOf(octets: Uint8Array, isError: boolean, options: ListFilterOptions): string | undefined {
  return isError ? shownError(octets, options) : shownText(octets, options);
}

/** White space, byte order marks, and the zeros of UTF-16 and UTF-32, which some parsers read. */
const beforeJson: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0, 0xef, 0xbb, 0xbf, 0xfe, 0xff]);

/** What is no success has no list, and need be no message; a question in it is one all the same. */
function shownError(octets: Uint8Array, options: ListFilterOptions): string | undefined {
  // What begins otherwise is no object to any parser of JSON.
  const first = octets.find((octet) => !beforeJson.has(octet));
  if (first !== 0x5b && first !== 0x7b) return undefined;
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const text = readJson(octets, { depthMax, valuesMax, takesHalves: true });
  if (text instanceof UnreadableBody) throw unreadable(`it ${text.reason}`);
  if (isList(text.value) && text.value.some((one) => questionIn(one) !== undefined))
    throw unreadable('it is an array of messages, with a question');
  const withheld = withheldText(text.value, options);
  if (withheld instanceof UnreadableBody) throw unreadable(`it ${withheld.reason}`);
  return withheld;
}

/** Undefined: nothing of it is left out. @throws ProxyError origin_malformed */
function shownText(octets: Uint8Array, options: ListFilterOptions): string | undefined {
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  // Results of tools are cut anywhere, also between the halves of a character; names in lists are not.
  const takesHalves = !asksForList(options.message);
  const text = readJson(octets, { depthMax, valuesMax, takesHalves });
  if (text instanceof UnreadableBody) throw unreadable(`it ${text.reason}`);
  const withheld = withheldText(text.value, options);
  if (withheld instanceof UnreadableBody) throw unreadable(`it ${withheld.reason}`);
  if (withheld !== undefined) return withheld;
  const problem = listProblem(text.value);
  if (problem !== undefined) throw unreadable(`it ${problem.reason}`);
  if (listedCount(text.value) > options.limits.listItemsMax)
    throw new ProxyError(
      'origin_malformed',
      `the list of the server has more than ${String(options.limits.listItemsMax)} items (listItemsMax)`,
      { limit: 'listItemsMax' },
    );
  const pinned = new PinnedTools(options);
  const { tools, principal, message } = options;
  const listing = tools.listing(principal.sessionId, options.access, message?.goesOn === true);
  const { value, hidden } = showLists(text.value, ({ kind, name, definition }) =>
    kind === 'tool' ? pinned.isShown(name, definition, listing) : isUsable({ kind, name }, options),
  );
  if (pinned.changed.length > 0) options.onChanged(pinned.changed);
  if (hidden === 0 && value === text.value) return undefined;
  options.onHidden(hidden);
  return writeJson(value);
}

const methods = { prompt: 'prompts/get', resource: 'resources/read' } as const;

/** Whether some message about it could be allowed: the policy itself is asked, so that it is asked by all of its rules. */
function isUsable(
  { kind, name }: { readonly kind: keyof typeof methods; readonly name: string },
  { access, principal, policy, clock }: ListFilterOptions,
): boolean {
  const target = { kind, name };
  const about = { target, inputs: [], goesOn: false };
  const message = { kind: 'request', method: methods[kind], id: 0, ...about } as const;
  const asked = { ...access, method: 'POST', body: { kind: 'message', message } } as const;
  return policy().decide(principal, asked, clock()).effect === 'allow';
}

function unreadable(why: string): ProxyError {
  return new ProxyError(
    'origin_malformed',
    `the response has to be read, so that it shows what this session may use, and ${why}`,
  );
}

function tooLong(): ProxyError {
  return new ProxyError(
    'origin_malformed',
    'the response has to be read, so that it shows what this session may use, and it is too long (listBytesMax)',
    { limit: 'listBytesMax' },
  );
}
