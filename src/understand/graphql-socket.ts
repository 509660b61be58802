// What a client says to a server of GraphQL on a WebSocket, in the two protocols that servers know: the one that names itself `graphql-transport-ws`, and the
// earlier one, which named itself `graphql-ws`. A message that is none of theirs is not read.

import { defaultLimits } from '../protocol/limits.ts';
import { JsonObject, type JsonValue, memberOf, shownName, UnreadableBody } from './json-value.ts';
import { writeJson } from './write-json.ts';

const operationTypes = { 'graphql-transport-ws': 'subscribe', 'graphql-ws': 'start' } as const;
export type GraphqlSocketProtocol = keyof typeof operationTypes;

/** What else a client of each says. */
const otherTypes: Readonly<Record<GraphqlSocketProtocol, readonly string[]>> = {
  'graphql-transport-ws': ['connection_init', 'ping', 'pong', 'complete'],
  'graphql-ws': ['connection_init', 'connection_terminate', 'stop'],
};

export function isGraphqlSocketProtocol(name: string): name is GraphqlSocketProtocol {
  return Object.hasOwn(operationTypes, name);
}

export type GraphqlSocketMessage =
  /** `payload`: as the body of a request has it. */
  | { readonly kind: 'operation'; readonly id: string; readonly payload: JsonObject }
  /** The first one. What else it has is for the server: often a token. */
  | { readonly kind: 'init'; readonly hasPayload: boolean }
  | { readonly kind: 'other' };

/** Linear in what is read. */
export function graphqlSocketMessage(
  value: JsonValue,
  protocol: GraphqlSocketProtocol,
): GraphqlSocketMessage | UnreadableBody {
  if (!(value instanceof JsonObject)) return new UnreadableBody('is no object');
  const [type, id, payload] = ['type', 'id', 'payload'].map((name) => memberOf(value, name));
  for (const one of [type, id, payload]) if (one instanceof UnreadableBody) return one;
  if (typeof type !== 'string') return new UnreadableBody('has a type that is no text');
  if (type === 'connection_init') return { kind: 'init', hasPayload: saysSomething(payload) };
  if (otherTypes[protocol].includes(type)) return { kind: 'other' };
  if (type !== operationTypes[protocol])
    return new UnreadableBody(`has the type ${shownName(type)}, which ${protocol} does not have`);
  if (typeof id !== 'string' || id === '' || id.length > defaultLimits.auditedNameCharactersMax)
    return new UnreadableBody(`asks for an operation without an id, or with one that is no text or too long`);
  if (!(payload instanceof JsonObject)) return new UnreadableBody('asks for an operation without a payload');
  return { kind: 'operation', id, payload };
}

function saysSomething(payload: JsonValue | UnreadableBody | undefined): boolean {
  if (payload === undefined || payload === null) return false;
  return !(payload instanceof JsonObject) || payload.members.size > 0;
}

/** What the client is told of an operation that does not go on. Its socket stays. */
export function graphqlSocketError(
  protocol: GraphqlSocketProtocol,
  id: string,
  error: { readonly message: string; readonly extensions: Readonly<Record<string, string | undefined>> },
): string {
  const payload = protocol === 'graphql-ws' ? error : [error];
  return `{"id":${writeJson(id)},"type":"error","payload":${JSON.stringify(payload)}}`;
}
