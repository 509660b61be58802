// The client of a response as the decision has it: what stands between the relay and who asked.

import type { ExchangeParts, Admitted } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import { type IdLearner, withLearnedIds } from './learn-ids.ts';
import { mayHaveLists, withShownLists } from './list-filter.ts';
import type { ModelResponse } from './model-response.ts';
import { type ChangedTool, tellChangedTools } from './pinned-tools.ts';
import type { ResponseClient } from './response-client.ts';
import type { ResponseRoom } from './response-room.ts';
import { withRewrittenJson } from './rewrite-response.ts';

interface Responding {
  readonly admitted: Admitted;
  readonly record: ExchangeRecord;
  readonly room: ResponseRoom;
  readonly learner: IdLearner | undefined;
  readonly model: ModelResponse | undefined;
}

/** Behind the relay: what is kept of the response is what the client gets, and lists are without what the session may not use. */
export function shownResponse(
  client: ResponseClient,
  { principal }: Pick<ExchangeScene, 'principal'>,
  parts: ExchangeParts,
  { admitted, record, room, learner, model }: Responding,
): ResponseClient {
  const { access, decision, capture } = admitted;
  const captured = capture?.ofResponse(client) ?? client;
  const keep = (octets: number): void => room.keep(octets);
  const rewrite = decision.rewrite?.response;
  const onRewritten = (changes: number): void => record.rewrote('response', changes);
  const { limits } = parts;
  const sent =
    rewrite === undefined
      ? captured
      : withRewrittenJson({ client: captured, rewrite, limits, keep, onRewritten });
  if (learner !== undefined) return withLearnedIds(learner, { client: sent, keep });
  if (model !== undefined) return model.clientOf(sent, keep);
  if (!mayHaveLists(record.message, access, decision)) return sent;
  const onHidden = (count: number): void => record.hid(count);
  const onChanged = (changed: readonly ChangedTool[]): void => {
    record.foundChanged(changed.map(({ tool }) => tool));
    tellChangedTools(changed, parts, { principal, access });
  };
  const { policy, clock, tools } = parts;
  const asked = { principal, access, policy, clock, limits, tools, message: record.message };
  return withShownLists({ client: sent, ...asked, keep, onHidden, onChanged });
}
