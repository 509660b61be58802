// How many tokens a call took, as its service counts them. What is cached stands inside of the prompt in some APIs, and beside it in others.

import { bedrockMetrics } from './bedrock-counts.ts';
import type { LlmApi } from './llm-endpoint.ts';

/** Tokens, each counted once. */
export interface LlmUsage {
  /** Read anew. */
  readonly input: number;
  /** Read from a cache. */
  readonly cached: number;
  /** Read, and written into a cache. */
  readonly cacheWritten: number;
  /** Of `cacheWritten`: for longer, at another price. */
  readonly cacheWrittenLong: number;
  /** All that the model wrote, what it thought included. */
  readonly output: number;
}

export function tokensOf({ input, cached, cacheWritten, output }: LlmUsage): number {
  return input + cached + cacheWritten + output;
}

/** How a response says it: as its API does, or as the family of the model does and Bedrock around it. */
export type UsageForm = LlmApi | 'bedrock-invoke';

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members | undefined =>
  // An object that JSON.parse made: its members can be asked for by any name.
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined;

/** A member that says how many tokens, and says no number of them: nothing that the service says is then relied on. */
class NoCount extends Error {}

/** Undefined: it is not said. */
function count(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new NoCount('is no number of tokens');
}

/** Takes what a service says, message by message, and keeps the most that it said of each kind: what is said again is said of all so far. */
export class UsageTally {
  readonly #form: UsageForm;
  readonly #choices: number;
  #most: LlmUsage | undefined;
  #finished = 0;
  #isFinal = false;
  #isOdd = false;

  constructor(form: UsageForm, choices = 1) {
    this.#form = form;
    this.#choices = choices;
  }

  /** Undefined: nothing was said, or something that is no number of tokens. */
  get usage(): LlmUsage | undefined {
    return this.#isOdd ? undefined : this.#most;
  }

  /** Nothing follows that counts. */
  get isFinal(): boolean {
    return this.#isFinal && this.usage !== undefined;
  }

  take(value: unknown): void {
    if (Array.isArray(value)) {
      // What Array.isArray leaves is `any[]`; each item is looked at as unknown.
      for (const one of value as readonly unknown[]) this.take(one);
      return;
    }
    const message = membersOf(value);
    if (message === undefined) return;
    try {
      this.#take(message);
    } catch (error) {
      if (!(error instanceof NoCount)) throw error;
      this.#isOdd = true;
    }
  }

  #take(message: Members): void {
    takers[this.#form](message, {
      said: (usage) => this.#said(usage),
      finished: () => {
        this.#finished += 1;
        if (this.#finished >= this.#choices) this.#isFinal = true;
      },
      final: () => {
        this.#isFinal = true;
      },
    });
  }

  #said(usage: LlmUsage | undefined): void {
    if (usage === undefined) return;
    const before = this.#most ?? usage;
    this.#most = {
      input: Math.max(before.input, usage.input),
      cached: Math.max(before.cached, usage.cached),
      cacheWritten: Math.max(before.cacheWritten, usage.cacheWritten),
      cacheWrittenLong: Math.max(before.cacheWrittenLong, usage.cacheWrittenLong),
      output: Math.max(before.output, usage.output),
    };
  }
}

interface Told {
  said(usage: LlmUsage | undefined): void;
  /** One alternative is whole. */
  finished(): void;
  final(): void;
}

type Taker = (message: Members, told: Told) => void;

const isSaid = (value: unknown): boolean => value !== undefined && value !== null;

/** Of those that count what is cached inside of the prompt. */
function inclusive(
  all: number | undefined,
  output: number | undefined,
  {
    cached = 0,
    written = 0,
  }: { readonly cached?: number | undefined; readonly written?: number | undefined },
): LlmUsage | undefined {
  if (all === undefined || output === undefined) return undefined;
  const input = Math.max(0, all - cached - written);
  return { input, cached, cacheWritten: written, cacheWrittenLong: 0, output };
}

/** Some services count what the model thought in the sum alone. */
function writtenOf(
  written: number | undefined,
  total: number | undefined,
  read: number | undefined,
): number | undefined {
  if (written === undefined || total === undefined || read === undefined) return written;
  return Math.max(written, total - read);
}

function openaiUsage(
  value: unknown,
  [all, output, details]: readonly [string, string, string],
): LlmUsage | undefined {
  const usage = membersOf(value);
  const parts = membersOf(usage?.[details]);
  const [read, written, total] = [
    count(usage?.[all]),
    count(usage?.[output]),
    count(usage?.['total_tokens']),
  ];
  return inclusive(read, writtenOf(written, total, read), {
    cached: count(parts?.['cached_tokens']),
    written: count(parts?.['cache_write_tokens']),
  });
}

const responsesEnds: ReadonlySet<unknown> = new Set(['completed', 'incomplete', 'failed', 'cancelled']);

const takers: Readonly<Record<UsageForm, Taker>> = {
  'openai-chat': (message, told) => {
    const choices = Array.isArray(message['choices']) ? (message['choices'] as readonly unknown[]) : [];
    if (isSaid(message['usage']))
      told.said(
        openaiUsage(message['usage'], ['prompt_tokens', 'completion_tokens', 'prompt_tokens_details']),
      );
    const isWhole = choices.length === 0 || choices.some((one) => isSaid(membersOf(one)?.['finish_reason']));
    // Some services count along, so that what stands before the end is not all.
    if (isSaid(message['usage']) && isWhole) told.final();
  },
  'openai-responses': (message, told) => {
    const response = membersOf(message['response']) ?? message;
    if (!responsesEnds.has(response['status'])) return;
    told.said(openaiUsage(response['usage'], ['input_tokens', 'output_tokens', 'input_tokens_details']));
    if (isSaid(response['usage'])) told.final();
  },
  anthropic: (message, told) => {
    const started = membersOf(message['message']);
    const usage = membersOf((started ?? message)['usage']);
    told.said(anthropicUsage(usage));
    const isStopped = isSaid(membersOf(message['delta'])?.['stop_reason']);
    const isEnd = message['type'] === 'message' || (message['type'] === 'message_delta' && isStopped);
    // Before its end a message says a few tokens of output, which are not all.
    if (isEnd && isSaid(usage?.['output_tokens'])) told.final();
  },
  gemini: (message, told) => {
    const usage = membersOf(message['usageMetadata']);
    if (usage !== undefined) {
      const part = (name: string): number => count(usage[name]) ?? 0;
      const written = part('candidatesTokenCount') + part('thoughtsTokenCount');
      const prompt = count(usage['promptTokenCount']);
      const read = prompt === undefined ? undefined : prompt + part('toolUsePromptTokenCount');
      told.said(
        inclusive(read, writtenOf(written, count(usage['totalTokenCount']), read), {
          cached: part('cachedContentTokenCount'),
        }),
      );
    }
    const candidates = Array.isArray(message['candidates'])
      ? (message['candidates'] as readonly unknown[])
      : [];
    for (const one of candidates) if (isSaid(membersOf(one)?.['finishReason'])) told.finished();
    if (isSaid(membersOf(message['promptFeedback'])?.['blockReason'])) told.final();
  },
  bedrock: (message, told) => {
    const usage = membersOf(message['usage']);
    const [input, output] = [count(usage?.['inputTokens']), count(usage?.['outputTokens'])];
    if (input === undefined || output === undefined) return;
    const cached = count(usage?.['cacheReadInputTokens']) ?? 0;
    const cacheWritten = count(usage?.['cacheWriteInputTokens']) ?? 0;
    told.said({
      input,
      cached,
      cacheWritten,
      cacheWrittenLong: bedrockLong(usage?.['cacheDetails']),
      output,
    });
    told.final();
  },
  'bedrock-invoke': (message, told) => {
    const usage = membersOf(message['usage']) ?? membersOf(membersOf(message['metadata'])?.['usage']);
    if (isSaid(usage?.['inputTokens'])) takeNova(usage, told);
    else if (isSaid(usage?.['prompt_tokens'])) takeMistral(message, told);
    else if (isSaid(message['generation_token_count'])) takeLlama(message, told);
    else if (isSaid(usage) || isSaid(membersOf(message['message'])?.['usage']))
      takers.anthropic(message, told);
    takeMetrics(membersOf(message[bedrockMetrics]), told);
  },
};

/** What Bedrock says of all families, at the end of a stream. */
function takeMetrics(metrics: Members | undefined, told: Told): void {
  const [input, output] = [count(metrics?.['inputTokenCount']), count(metrics?.['outputTokenCount'])];
  const cached = count(metrics?.['cacheReadInputTokenCount']) ?? 0;
  const cacheWritten = count(metrics?.['cacheWriteInputTokenCount']) ?? 0;
  if (input === undefined || output === undefined) return;
  told.said({ input, cached, cacheWritten, cacheWrittenLong: 0, output });
  told.final();
}

function takeNova(usage: Members | undefined, told: Told): void {
  const [input, output] = [count(usage?.['inputTokens']), count(usage?.['outputTokens'])];
  if (input === undefined || output === undefined) return;
  const part = (kind: string): number =>
    Math.max(count(usage?.[`${kind}InputTokenCount`]) ?? 0, count(usage?.[`${kind}InputTokens`]) ?? 0);
  told.said({
    input,
    cached: part('cacheRead'),
    cacheWritten: part('cacheWrite'),
    cacheWrittenLong: 0,
    output,
  });
  told.final();
}

function takeMistral(message: Members, told: Told): void {
  told.said(openaiUsage(message['usage'], ['prompt_tokens', 'completion_tokens', 'prompt_tokens_details']));
  const choices = Array.isArray(message['choices']) ? (message['choices'] as readonly unknown[]) : [];
  const isWhole = choices
    .map(membersOf)
    .some((one) => isSaid(one?.['finish_reason'] ?? one?.['stop_reason']));
  if (isWhole && isSaid(membersOf(message['usage'])?.['completion_tokens'])) told.final();
}

/** In a stream the first message says what was read, and each what was written so far. */
function takeLlama(message: Members, told: Told): void {
  const input = count(message['prompt_token_count']);
  const output = count(message['generation_token_count']) ?? 0;
  told.said({ input: input ?? 0, cached: 0, cacheWritten: 0, cacheWrittenLong: 0, output });
  if (input !== undefined && isSaid(message['stop_reason'])) told.final();
}

/** What a later message does not say has not changed. */
function anthropicUsage(usage: Members | undefined): LlmUsage | undefined {
  if (usage === undefined) return undefined;
  const part = (name: string): number => count(usage[name]) ?? 0;
  const made = membersOf(usage['cache_creation']);
  return {
    input: part('input_tokens'),
    cached: part('cache_read_input_tokens'),
    // What is told by its time may leave out some of the whole.
    cacheWritten: part('cache_creation_input_tokens'),
    cacheWrittenLong: count(made?.['ephemeral_1h_input_tokens']) ?? 0,
    output: part('output_tokens'),
  };
}

/** Of what Bedrock wrote into a cache, by how long it is kept. */
function bedrockLong(details: unknown): number {
  if (!isSaid(details)) return 0;
  if (!Array.isArray(details)) throw new NoCount('is no list of numbers of tokens');
  return (details as readonly unknown[])
    .map(membersOf)
    .filter((one) => one?.['ttl'] === '1h')
    .reduce((sum, one) => sum + (count(one?.['inputTokens']) ?? 0), 0);
}
