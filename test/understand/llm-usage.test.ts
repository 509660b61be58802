// What a call took, as each service counts it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { AmazonEventReader } from '../../src/understand/amazon-event-stream.ts';
import type { LlmApi } from '../../src/understand/llm-endpoint.ts';
import { LlmMeter } from '../../src/understand/llm-meter.ts';
import type { UsageForm } from '../../src/understand/llm-usage.ts';
import { builtInPrices, costOf, LlmPrices, worstCost } from '../../src/understand/llm-prices.ts';

type Counted = readonly [
  input: number,
  cached: number,
  cacheWritten: number,
  output: number,
  isFinal: boolean,
];

function metered(
  form: UsageForm,
  contentType: string,
  text: string | Uint8Array,
  step = 1,
  ends = true,
): Counted | 'nothing' {
  const octets = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const meter = new LlmMeter({ form, choices: 1, contentType, octetsMax: 1 << 20 });
  for (let at = 0; at < octets.length; at += step) meter.push(octets.subarray(at, at + step));
  if (ends) meter.end();
  const { usage } = meter;
  if (usage === undefined) return 'nothing';
  return [usage.input, usage.cached, usage.cacheWritten, usage.output, meter.isFinal];
}

const sse = (...events: readonly object[]): string =>
  events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('');
const json = 'application/json; charset=UTF-8';
const stream = 'text/event-stream';

describe('tokens are counted once, whatever the service says in which place', () => {
  const chat = {
    prompt_tokens: 100,
    completion_tokens: 7,
    prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
  };
  test('OpenAI chat: what is cached is inside of the prompt', () => {
    const whole = { object: 'chat.completion', choices: [{ finish_reason: 'stop' }], usage: chat };
    assert.deepEqual(metered('openai-chat', json, JSON.stringify(whole)), [30, 60, 10, 7, true]);
    const piece = { choices: [{ delta: { content: 'usage' } }], usage: null };
    const end = sse(piece, { choices: [], usage: chat });
    assert.deepEqual(metered('openai-chat', stream, end), [30, 60, 10, 7, true]);
    assert.equal(metered('openai-chat', stream, sse(piece)), 'nothing');
    // A service that counts along has not said all.
    const along = { choices: [{ delta: {}, finish_reason: null }], usage: { ...chat, completion_tokens: 3 } };
    assert.deepEqual(metered('openai-chat', stream, sse(along)), [30, 60, 10, 3, false]);
  });

  test('OpenAI responses: at the end alone, also of one that failed', () => {
    const usage = { input_tokens: 50, input_tokens_details: { cached_tokens: 20 }, output_tokens: 9 };
    for (const status of ['completed', 'incomplete', 'failed'])
      assert.deepEqual(
        metered('openai-responses', stream, sse({ type: `response.${status}`, response: { status, usage } })),
        [30, 20, 0, 9, true],
      );
    const begun = sse({ type: 'response.created', response: { status: 'in_progress', usage: null } });
    assert.equal(metered('openai-responses', stream, begun), 'nothing');
    assert.equal(metered('openai-responses', json, JSON.stringify({ status: 'queued', usage })), 'nothing');
  });

  test('Anthropic: beside the prompt, and deltas are of all so far', () => {
    const start = {
      type: 'message_start',
      message: {
        usage: {
          input_tokens: 5,
          cache_read_input_tokens: 70,
          cache_creation_input_tokens: 8,
          output_tokens: 1,
        },
      },
    };
    const delta = (output_tokens: number, stop_reason: string | null) => ({
      type: 'message_delta',
      delta: { stop_reason },
      usage: { output_tokens },
    });
    assert.deepEqual(metered('anthropic', stream, sse(start, delta(10, null), delta(20, 'end_turn'))), [
      5,
      70,
      8,
      20,
      true,
    ]);
    assert.deepEqual(metered('anthropic', stream, sse(start)), [5, 70, 8, 1, false]);
    const grown = {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: { input_tokens: 50, output_tokens: 2 },
    };
    assert.deepEqual(metered('anthropic', stream, sse(start, grown)), [50, 70, 8, 2, true]);
  });

  test('Gemini: thoughts and tools apart, as an array too', () => {
    const chunk = (candidates: number, finishReason?: string) => ({
      candidates: [finishReason === undefined ? {} : { finishReason }],
      usageMetadata: {
        promptTokenCount: 40,
        cachedContentTokenCount: 15,
        toolUsePromptTokenCount: 3,
        candidatesTokenCount: candidates,
        thoughtsTokenCount: 11,
      },
    });
    const all = [chunk(1), chunk(6, 'STOP')];
    assert.deepEqual(metered('gemini', stream, sse(...all)), [28, 15, 0, 17, true]);
    assert.deepEqual(metered('gemini', json, JSON.stringify(all)), [28, 15, 0, 17, true]);
    assert.deepEqual(metered('gemini', stream, sse(chunk(4))), [28, 15, 0, 15, false]);
    // A document that broke off is no document.
    assert.equal(metered('gemini', json, JSON.stringify(all), 1, false), 'nothing');
  });

  test('Bedrock: beside the prompt, in frames whose checksums hold', () => {
    const usage = { inputTokens: 4, outputTokens: 5, cacheReadInputTokens: 6, cacheWriteInputTokens: 7 };
    const octets = Buffer.concat([
      frame('contentBlockDelta', { delta: { text: 'usage' } }),
      frame('metadata', { usage }),
    ]);
    const type = 'application/vnd.amazon.eventstream';
    for (const step of [1, 7, octets.length])
      assert.deepEqual(metered('bedrock', type, octets, step), [4, 6, 7, 5, true]);
    for (const at of [2, 9, 20, octets.length - 6, octets.length - 1]) {
      const broken = Buffer.from(octets);
      broken[at] = (broken[at] ?? 0) ^ 1;
      assert.equal(metered('bedrock', type, broken), 'nothing', `octet ${at}`);
    }
    assert.deepEqual(metered('bedrock', json, JSON.stringify({ stopReason: 'end_turn', usage })), [
      4,
      6,
      7,
      5,
      true,
    ]);
  });

  test('what is no number of tokens says nothing', () => {
    for (const bad of [-1, 1.5, '7', 1e300, null])
      assert.equal(
        metered(
          'openai-chat',
          json,
          JSON.stringify({ choices: [], usage: { prompt_tokens: bad, completion_tokens: 1 } }),
        ),
        'nothing',
      );
  });
});

test('a frame that is longer than its bound ends the reading', () => {
  const reader = new AmazonEventReader(64);
  assert.deepEqual(reader.push(frame('metadata', { text: 'x'.repeat(100) })), []);
  assert.equal(reader.isBroken, true);
});

describe('prices', () => {
  const prices = new LlmPrices(builtInPrices());
  const at = Date.parse('2026-11-27');
  const usage = { input: 1, cached: 1, cacheWritten: 0, cacheWrittenLong: 0, output: 1 };

  test('are exact, and what a call costs is rounded up once', () => {
    const mini = prices.of('openai-chat', 'gpt-5-mini', at)!;
    assert.equal(costOf(mini, usage), 250 + 25 + 2000);
    const nova = prices.of('bedrock', 'amazon.nova-micro-v1:0', at)!;
    // 35 + 8.75 + 140
    assert.equal(costOf(nova, usage), 184);
    assert.equal(costOf(nova, { ...usage, cached: 4 }), 35 + 35 + 140);
  });

  test('rise with what a call reads, and the most counts for what could be', () => {
    const sonnet = prices.of('anthropic', 'claude-sonnet-4-5-20250929', at)!;
    const long = { ...usage, input: 200_001, cached: 0, output: 0 };
    assert.equal(costOf(sonnet, { ...long, input: 200_000 }), 200_000 * 3000);
    assert.equal(costOf(sonnet, long), 200_001 * 6000);
    assert.equal(worstCost(sonnet, 100, 10), 100 * 3750 + 10 * 15_000);
    assert.equal(worstCost(sonnet, 300_000, 10), 300_000 * 7500 + 10 * 22_500);
  });

  test('change at their day', () => {
    const of = (day: string): number | undefined =>
      prices.of('gemini', 'gemini-3.6-flash', Date.parse(day))?.base.input;
    assert.deepEqual([of('2026-12-31T23:59:59Z'), of('2027-01-01T00:00:00Z')], [750_000_000, 1_500_000_000]);
  });

  test('are known by the exact name, without its day, and for Bedrock without its place', () => {
    const known = (api: LlmApi, model: string): boolean => prices.of(api, model, at) !== undefined;
    assert.ok(known('openai-responses', 'gpt-5-mini-2025-08-07'));
    assert.ok(known('bedrock', 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0'));
    for (const model of [
      'gpt-5-minix',
      'GPT-5-mini',
      'gpt-5-mini-ultra',
      '',
      'constructor',
      'claude-sonnet-4-5',
    ])
      assert.equal(known('openai-chat', model), false, model);
  });
});

function frame(type: string, payload: object): Buffer {
  const name = ':event-type';
  const fields = Buffer.concat([
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([7, 0, type.length]),
    Buffer.from(type),
    Buffer.from([2, ...Buffer.from('ab'), 0]),
  ]);
  const body = Buffer.from(JSON.stringify(payload));
  const message = Buffer.alloc(16 + fields.length + body.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(fields.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  fields.copy(message, 12);
  body.copy(message, 12 + fields.length);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}
