// What the audit says of a call of a model.

import type { LlmFacts } from '../../api/audit-facts.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import type { LlmRequest } from '../../understand/llm-request.ts';
import type { ModelCost } from './model-budgets.ts';

/** With the API as one of those that are known. */
export type CallFacts = LlmFacts & Pick<LlmRequest, 'api'>;

/** Undefined: it is none, or could not be read. */
export function modelFacts(request: LlmRequest | UnreadableBody | undefined): CallFacts | undefined {
  return request === undefined || request instanceof UnreadableBody ? undefined : callFacts(request);
}

function callFacts({ api, model, kind, streams }: LlmRequest): CallFacts {
  return {
    api,
    model: model.slice(0, defaultLimits.auditedNameCharactersMax).toWellFormed(),
    ...(kind === 'count' ? { isCount: true } : {}),
    streams,
  };
}

/** What it took, and what was set in it. */
export function usageFacts(
  request: LlmRequest,
  cost: ModelCost | undefined,
  set: readonly string[],
): CallFacts {
  const facts = callFacts(request);
  const changed = set.length === 0 ? {} : { set: [...set] };
  if (cost === undefined) return { ...facts, ...changed };
  const { input, cached, cacheWritten, output } = cost.usage;
  return {
    ...facts,
    ...changed,
    inputTokens: input,
    cachedTokens: cached,
    cacheWrittenTokens: cacheWritten,
    outputTokens: output,
    ...(cost.nanoUsd === undefined || !Number.isSafeInteger(cost.nanoUsd) ? {} : { nanoUsd: cost.nanoUsd }),
    ...(cost.isEstimate ? { isEstimate: true } : {}),
  };
}
