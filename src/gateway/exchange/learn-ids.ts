// The response to a query on its way to the client: held until it is whole, so that what it says of ids is known before the client can use it.

import type { ResponseHead } from '../../http/message-head.ts';
import type { AllowDecision, RequestAccess } from '../../policy/decision.ts';
import { type GraphqlIds, idPlacesOf, idSourceOf } from '../../policy/graphql-ids.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type AskedQuery, idsIn } from '../../understand/graphql-ids.ts';
import { type GraphqlParser, loadGraphqlParser } from '../../understand/graphql-parser.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { readJson } from '../../understand/read-json.ts';
import type { Admitted } from './exchange-parts.ts';
import type { LearnedIds } from './learned-ids.ts';
import type { ResponseClient } from './response-client.ts';

/** The query whose response can have ids to learn; undefined: there is none. */
export function learnedQuery(
  { graphql }: RequestAccess,
  { learnsIds }: AllowDecision,
): AskedQuery | undefined {
  if (learnsIds === undefined || graphql === undefined || graphql instanceof UnreadableBody) return undefined;
  const [one] = graphql.asked;
  const isOne = !graphql.isBatch && one?.kind === 'document' && one.operations.length === 1;
  return isOne && one.operations[0]?.type === 'query' ? one : undefined;
}

export interface IdLearner {
  readonly sessionId: string;
  readonly access: RequestAccess;
  readonly sources: readonly GraphqlIds[];
  readonly query: AskedQuery;
  readonly ids: LearnedIds;
  readonly parser: GraphqlParser;
}

/** Undefined: nothing is learned of its response. */
export async function idLearner(
  { access, decision }: Pick<Admitted, 'access' | 'decision'>,
  sessionId: string,
  ids: LearnedIds,
): Promise<IdLearner | undefined> {
  const query = learnedQuery(access, decision);
  const { learnsIds: sources } = decision;
  if (query === undefined || sources === undefined) return undefined;
  return { sessionId, access, sources, query, ids, parser: await loadGraphqlParser() };
}

export interface LearnOptions {
  readonly client: ResponseClient;
  /** Takes room for what is held of a response. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
}

/** The client of such a response. What cannot be read, or is too long, goes on, and nothing is learned of it. */
export function withLearnedIds(learner: IdLearner, { client, keep }: LearnOptions): ResponseClient {
  let held: GatheredOctets | undefined;
  let room = 0;
  const sendHeld = (): boolean => {
    const octets = held?.take();
    held = undefined;
    return octets === undefined || octets.length === 0 || client.sendData(octets);
  };
  return {
    signal: client.signal,
    sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
    sendHead: (head, endsAtHead) => {
      if (endsAtHead !== true && isPlainJson(head)) held = new GatheredOctets();
      client.sendHead(head, endsAtHead);
    },
    sendData: (chunk) => {
      if (held === undefined) return client.sendData(chunk);
      held.push(chunk);
      if (held.length > defaultLimits.learnedResponseBytesMax) return sendHeld();
      for (; room < held.length; room += roomStep) keep(roomStep);
      return true;
    },
    onDrain: (listener) => client.onDrain(listener),
    sendEnd: (rawTrailers) => {
      const octets = held?.take();
      held = undefined;
      if (octets !== undefined && octets.length > 0) {
        learn(octets, learner);
        client.sendData(octets);
      }
      client.sendEnd(rawTrailers);
    },
  };
}

/** Room is taken in steps, and kept as long as the response lasts. */
const roomStep = 65_536;

function isPlainJson({ status, headers }: ResponseHead): boolean {
  const types = headers.all('content-type');
  const type = types[0]?.split(';', 1)[0]?.trim().toLowerCase();
  const isJson = type === 'application/json' || type === 'application/graphql-response+json';
  return status === 200 && types.length === 1 && isJson && !headers.has('content-encoding');
}

function learn(octets: Uint8Array, { sessionId, access, sources, query, ids, parser }: IdLearner): void {
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const text = readJson(octets, { depthMax, valuesMax });
  if (text instanceof UnreadableBody) return;
  const found = idsIn(text.value, query, sources.map(idPlacesOf), parser);
  for (const [at, source] of sources.entries())
    ids.learn(sessionId, access, idSourceOf(source), found[at] ?? []);
}
