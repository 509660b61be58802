// A call of a model that a rule admitted: what it can take at the most, and what is set in it so that it takes no more.

import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision, RequestAccess } from '../../policy/decision.ts';
import type { LlmCondition } from '../../policy/llm-condition.ts';
import type { llmRequestIn } from '../../policy/llm-rule.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { changedRequest } from '../../understand/llm-changes.ts';
import type { LlmRequest } from '../../understand/llm-request.ts';
import { writeJson } from '../../understand/write-json.ts';
import { askSearchable, withoutDigests } from '../scrub/searchable-response.ts';

/** Tokens that a call can take at the most, as far as its body bounds them. */
export interface WorstUsage {
  readonly input: number;
  readonly output: number;
}

export interface ModelCall {
  readonly request: LlmRequest;
  readonly terms: LlmCondition;
  /** Undefined without a cap of the output. */
  readonly worst: WorstUsage | undefined;
  /** Members that were set in the body. */
  readonly set: readonly string[];
  /** The body with them. */
  readonly body: Buffer | undefined;
  /** Its stream says what was used because the gateway asked for it: the client gets the stream without. */
  readonly hidesUsage: boolean;
}

/** Undefined: the rule is about no model, or the request calls none. */
export function modelCallOf(
  { body }: RequestAccess,
  { llm: terms }: AllowDecision,
  read: ReturnType<typeof llmRequestIn>,
): ModelCall | undefined {
  if (terms === undefined || body?.kind !== 'json') return undefined;
  if (read === undefined || read instanceof UnreadableBody) return undefined;
  const isCall = read.kind === 'call';
  const tells = terms.budget !== undefined;
  const change = isCall ? changedRequest(body.value, read, { cap: terms.outputTokens, tells }) : undefined;
  const cap = read.outputTokens ?? terms.outputTokens;
  const { llmTokensPerCall, llmTokensPerItem } = defaultLimits;
  const input = body.octets + llmTokensPerCall + read.items * llmTokensPerItem;
  return {
    request: read,
    terms,
    worst: isCall && cap !== undefined ? { input, output: cap * read.choices } : undefined,
    set: change?.set ?? [],
    body: change === undefined ? undefined : Buffer.from(writeJson(change.value)),
    hidesUsage: change?.set.includes('stream_options.include_usage') === true,
  };
}

export interface CalledRequest {
  readonly validated: ValidatedRequest;
  readonly body: Readable | undefined;
}

/** What goes on: the body that was judged, with what was set, and a response that can be read. */
export function requestOfCall(asked: CalledRequest, call: ModelCall | undefined): CalledRequest {
  if (call === undefined) return asked;
  const { body } = call;
  const { head, framing } = asked.validated;
  const readable = askSearchable(head.headers, { decode: false, keepsRange: false });
  if (body === undefined)
    return { ...asked, validated: { ...asked.validated, head: { ...head, headers: readable } } };
  asked.body?.destroy();
  const headers = withoutDigests(readable.without('content-encoding'));
  return {
    validated: {
      ...asked.validated,
      head: { ...head, headers },
      framing: { ...framing, kind: 'length', length: body.length },
    },
    body: Readable.from([body], { objectMode: false }),
  };
}
