// `llm` of a rule: which models of a service may be called how, and what all calls together may take.

import { UnreadableBody } from '../understand/json-value.ts';
import { isModelList, llmEndpointOf } from '../understand/llm-endpoint.ts';
import { type LlmRequest, llmRequestOf } from '../understand/llm-request.ts';
import type { AccessRequest, RequestAccess } from './decision.ts';
import { budgetPeriods, type LlmBudget, type LlmCondition, nanosPerUsd } from './llm-condition.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import { matchesSegment } from './star-pattern.ts';

/** `body`: it has none that all services read alike. `unread-body`: the rule looks at a body that is not there yet. */
export type LlmMismatch = 'llm' | 'body' | 'unread-body';

/** What of a rule says which requests are calls of its service. */
export interface LlmScope {
  readonly effect: 'allow' | 'deny';
  /** Without paths of its own a rule that allows is for those at which the service itself has its API. */
  readonly paths: readonly unknown[] | undefined;
}

/**
 * A rule that allows takes calls that it can bound, questions about tokens, and lists of models. Until the body is read it matches, and
 * `awaitsBody` says that it has to be asked again. One that denies takes what names a model in any letter case, and every body
 * that services could read in two ways.
 */
export function llmMismatch(
  llm: LlmCondition,
  { effect, paths }: LlmScope,
  access: RequestAccess,
  work: MatchingWork = unmeasured,
): LlmMismatch | undefined {
  const { body, method, path } = access;
  const isStandardOnly = effect === 'allow' && paths === undefined;
  if (body?.kind === 'none') {
    const isList = method === 'GET' && access.query === '' && isModelList(llm.api, path, isStandardOnly);
    return effect === 'allow' && isList ? undefined : 'llm';
  }
  const endpoint = llmEndpointOf(path);
  if (endpoint?.api !== llm.api || (isStandardOnly && !endpoint.isStandard)) return 'llm';
  if (body === undefined) return effect === 'deny' ? 'unread-body' : undefined;
  if (body.kind === 'message') return 'llm';
  const request = llmRequestIn(access);
  if (request === undefined || request instanceof UnreadableBody)
    return effect === 'deny' ? undefined : 'body';
  if (effect === 'deny') return isMeant(llm, request, work) ? undefined : 'llm';
  return method === 'POST' && llmProblem(llm, request, work) === undefined ? undefined : 'llm';
}

/** Of requests that are decided; many rules ask for the same one. */
const known = new WeakMap<RequestAccess, LlmRequest | UnreadableBody>();

/** What a request asks a model for; undefined: its body is not read, or its path is none of these APIs. */
export function llmRequestIn(access: AccessRequest): LlmRequest | UnreadableBody | undefined {
  if (access.depth === 'connect' || access.body === undefined) return undefined;
  if (access.body.kind === 'unreadable') return new UnreadableBody(access.body.reason);
  if (access.body.kind !== 'json') return undefined;
  const read = known.get(access) ?? llmRequestOf(access.body.value, access);
  if (read !== undefined) known.set(access, read);
  return read;
}

/** Why a rule that allows is not for the call, as the end of a sentence; undefined: it is. */
export function llmProblem(
  llm: LlmCondition,
  request: LlmRequest,
  work: MatchingWork = unmeasured,
): string | undefined {
  const { models, streaming, tools, outputTokens, budget, unbounded } = llm;
  const isNamed = (patterns: readonly string[] | undefined, name: string): boolean =>
    patterns === undefined || patterns.some((one) => matchesText(one, name, work));
  if (!isNamed(models, request.model)) return `the model ${shown(request.model)} is none of its models`;
  if (request.kind === 'count') return undefined;
  if (streaming !== undefined && request.streams !== streaming)
    return streaming ? 'the response has to be a stream' : 'the response may not be a stream';
  const tool = request.tools.find(({ name }) => !isNamed(tools, name));
  if (tool !== undefined) return `the tool ${shown(tool.name)} is none of its tools`;
  if (outputTokens !== undefined) {
    if (request.hasOddCap) return 'the cap of the output is said twice, or is no whole number from 1';
    if ((request.outputTokens ?? 0) > outputTokens)
      return `the cap of the output is above ${String(outputTokens)} tokens`;
  }
  if (budget === undefined) return undefined;
  const over = request.unbounded.find((one) => !unbounded.includes(one));
  return over === undefined ? undefined : `${shown(over)} is not bounded by the budget; leave it out`;
}

function isMeant(
  { models, streaming, tools }: LlmCondition,
  request: LlmRequest,
  work: MatchingWork,
): boolean {
  const isNamed = (patterns: readonly string[] | undefined, names: readonly string[]): boolean =>
    patterns === undefined ||
    patterns.some((one) => names.some((name) => matchesText(inOneCase(one), inOneCase(name), work)));
  if (streaming !== undefined && request.streams !== streaming) return false;
  return (
    isNamed(models, [request.model]) &&
    isNamed(
      tools,
      request.tools.map(({ name }) => name),
    )
  );
}

/** A pattern and a text that a workload chose, with what it costs to compare them. */
function matchesText(pattern: string, text: string, work: MatchingWork): boolean {
  return work.spend(1 + text.length / charactersPerStep) && matchesSegment(pattern, text, work);
}

const inOneCase = (text: string): string => text.normalize('NFC').toLowerCase();
const charactersPerStep = 8;
const shown = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);

/** What is written, for people. */
export function llmText(llm: LlmCondition): string {
  const { api, models, streaming, tools, outputTokens, unbounded, budget } = llm;
  const parts = [
    api,
    ...(models === undefined ? [] : [`models ${models.join(', ')}`]),
    ...(streaming === undefined ? [] : [`streaming ${String(streaming)}`]),
    ...(tools === undefined ? [] : [`tools ${tools.join(', ')}`]),
    ...(outputTokens === undefined ? [] : [`outputTokens ${String(outputTokens)}`]),
    ...(unbounded.length === 0 ? [] : [`unbounded ${unbounded.join(', ')}`]),
    ...(budget === undefined ? [] : [`budget ${budgetText(budget)}`]),
  ];
  return parts.join('; ');
}

function budgetText({ name, tokens, nanoUsd }: LlmBudget): string {
  const parts = budgetPeriods.flatMap((period) => [
    ...(tokens[period] === undefined ? [] : [`${String(tokens[period])} tokens a ${period}`]),
    ...(nanoUsd[period] === undefined ? [] : [`${usdText(nanoUsd[period])} a ${period}`]),
  ]);
  return `${name}: ${parts.join(', ')}`;
}

/** `$0.0125`; exact. */
export function usdText(nanoUsd: number): string {
  const whole = Math.floor(nanoUsd / nanosPerUsd);
  const rest = String(nanoUsd % nanosPerUsd)
    .padStart(9, '0')
    .replace(/0{1,7}$/, '');
  return `$${String(whole)}.${rest}`;
}

/** How many patterns are compared with each other to tell that. */
export function llmPairs({ llm: outer }: LlmAspect, { llm: inner }: LlmAspect): number {
  const pairs = (key: 'models' | 'tools'): number =>
    (outer?.[key]?.length ?? 0) * (inner?.[key]?.length ?? 0);
  return pairs('models') + pairs('tools');
}

/** Whether everything that `inner` lets through is known to be let through by `outer`, within what `outer` lets calls take. */
export function llmCovers(outer: LlmAspect, inner: LlmAspect): boolean {
  const [out, own] = [outer.llm, inner.llm];
  if (out === undefined) return true;
  if (own === undefined || out.api !== own.api) return false;
  if (outer.effect === 'allow' && outer.paths === undefined && inner.paths !== undefined) return false;
  return (
    patternsCover(out.models, own.models) &&
    patternsCover(out.tools, own.tools) &&
    (out.streaming === undefined || out.streaming === own.streaming) &&
    isWithin(own.outputTokens, out.outputTokens) &&
    (out.budget === undefined || own.unbounded.every((one) => out.unbounded.includes(one))) &&
    budgetCovers(out.budget, own.budget)
  );
}

interface LlmAspect extends LlmScope {
  readonly llm: LlmCondition | undefined;
}

const isWithin = (own: number | undefined, most: number | undefined): boolean =>
  most === undefined || (own !== undefined && own <= most);

function budgetCovers(outer: LlmBudget | undefined, inner: LlmBudget | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  return budgetPeriods.every(
    (period) =>
      isWithin(inner.tokens[period], outer.tokens[period]) &&
      isWithin(inner.nanoUsd[period], outer.nanoUsd[period]),
  );
}

function patternsCover(outer: readonly string[] | undefined, inner: readonly string[] | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  return inner.every((one) =>
    outer.some(
      (other) =>
        other === '*' || other === one || (!one.includes('*') && matchesSegment(other, one, unmeasured)),
    ),
  );
}

/** `a call of the model gpt-5`; a workload wrote the name. */
export function llmRequestText({ kind, model, streams }: LlmRequest): string {
  if (kind === 'count') return `a count of tokens for the model ${shown(model)}`;
  return `a call of the model ${shown(model)}${streams ? ', streamed' : ''}`;
}
