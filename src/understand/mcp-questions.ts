// What a server of MCP asks its client for: in a message of its own on a stream, in the result of a call (2026-07-28), or in the error of one.

import { JsonObject, type JsonValue, memberOf, UnreadableBody } from './json-value.ts';
import type { McpInput } from './mcp-message.ts';
import { writeJson } from './write-json.ts';

export interface McpQuestion {
  /** `message`: of the server's own, which the client responds to. `response`: the client sends its call again. */
  readonly kind: 'message' | 'response';
  readonly inputs: readonly McpInput[];
}

const inputOf: ReadonlyMap<string, McpInput> = new Map([
  ['sampling/createMessage', 'sampling'],
  ['elicitation/create', 'elicitation'],
  ['roots/list', 'roots'],
]);

/** The error by which a server sends its client's user to a page (2025-11-25). */
const pageNeeded = -32_042;

/** Undefined: it asks for nothing. */
export function questionIn(message: JsonValue): McpQuestion | UnreadableBody | undefined {
  if (!(message instanceof JsonObject)) return undefined;
  const [method, result, error] = ['method', 'result', 'error'].map((name) => memberOf(message, name));
  for (const one of [method, result, error]) if (one instanceof UnreadableBody) return one;
  if (typeof method === 'string') {
    const input = inputOf.get(method);
    // A notification asks for nothing; a ping for a sign of life.
    const isAsking = message.members.has('id') && method !== 'ping';
    if (input !== undefined || isAsking) return { kind: 'message', inputs: [input ?? 'other'] };
  }
  const inputs = [...askedIn(result), ...askedByError(error)];
  const odd = inputs.find((one) => one instanceof UnreadableBody);
  if (odd !== undefined) return odd;
  const kinds = inputs.filter((one) => typeof one === 'string');
  return kinds.length === 0 ? undefined : { kind: 'response', inputs: [...new Set(kinds)] };
}

type Asked = readonly (McpInput | UnreadableBody)[];

function askedIn(result: JsonValue | UnreadableBody | undefined): Asked {
  if (!(result instanceof JsonObject)) return [];
  const requests = memberOf(result, 'inputRequests');
  if (requests === undefined || requests === null) return [];
  if (requests instanceof UnreadableBody) return [requests];
  if (!(requests instanceof JsonObject)) return ['other'];
  return [...requests.members.values()].map((one) => {
    const method = one instanceof JsonObject ? memberOf(one, 'method') : undefined;
    if (method instanceof UnreadableBody) return method;
    return (typeof method === 'string' ? inputOf.get(method) : undefined) ?? 'other';
  });
}

function askedByError(error: JsonValue | UnreadableBody | undefined): Asked {
  const code = error instanceof JsonObject ? memberOf(error, 'code') : undefined;
  if (code instanceof UnreadableBody) return [code];
  return code === pageNeeded ? ['elicitation'] : [];
}

/** No method of any client: each says so to the server, with the id of the question, as it has to for a method that it does not know. */
const withheldMethod = 'upstreamproxy/withheld';

/** What the client gets in place of a question. `why`: for the model; of a question on a stream its client makes an error of its own. */
export function withheldQuestion(
  message: JsonValue,
  { kind }: McpQuestion,
  { code, why }: { readonly code: number; readonly why: string },
): string {
  const id = message instanceof JsonObject ? message.members.get('id') : undefined;
  const head = `{"jsonrpc":"2.0"${id === undefined ? '' : `,"id":${writeJson(id)}`}`;
  if (kind === 'message') return `${head},"method":${JSON.stringify(withheldMethod)}}`;
  return `${head},"error":${JSON.stringify({ code, message: why })}}`;
}
