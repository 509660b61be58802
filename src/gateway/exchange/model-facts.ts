// What the audit says of a call of a model.

import type { LlmFacts } from '../../api/audit-facts.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import type { LlmRequest } from '../../understand/llm-request.ts';
import type { ModelCost } from './model-budgets.ts';

/** Undefined: it could not be read. */
export function modelFacts(request: LlmRequest | UnreadableBody | undefined): LlmFacts | undefined {
  if (request === undefined || request instanceof UnreadableBody) return undefined;
  const { api, model, kind, streams } = request;
  return {
    api,
    model: model.slice(0, defaultLimits.auditedNameCharactersMax).toWellFormed(),
    ...(kind === 'count' ? { isCount: true } : {}),
    streams,
  };
}

/** What it took, and what was set in it. */
export function usageFacts(
  facts: LlmFacts | undefined,
  cost: ModelCost | undefined,
  set: readonly string[],
): LlmFacts | undefined {
  if (facts === undefined) return undefined;
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
