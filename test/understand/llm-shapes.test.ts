// What bodies name and do not bound, below their first level too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { llmRequestIn } from '../../src/policy/llm-rule.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import type { LlmApi } from '../../src/understand/llm-endpoint.ts';
import { UsageTally } from '../../src/understand/llm-usage.ts';
import { access, jsonBody } from '../policy/fixture.ts';

function unboundedOf(path: string, body: object): readonly string[] {
  // `access` makes a request of a method and a URL.
  const at = access(`POST https://a.example.com${path}`) as RequestAccess;
  const read = llmRequestIn({ ...at, body: jsonBody(JSON.stringify(body)) });
  assert.ok(read !== undefined && !(read instanceof UnreadableBody));
  return read.unbounded;
}

const responses = (item: object, tool?: object): readonly string[] =>
  unboundedOf('/v1/responses', { model: 'm', input: [item], ...(tool && { tools: [tool] }) });
const said = { role: 'user', content: 'x' };

test('an item without a type is a message only if it says who speaks', () => {
  assert.deepEqual(responses(said), []);
  assert.deepEqual(responses({ ...said, type: null }), []);
  for (const item of [{ id: 'msg_0123' }, { id: 'msg_0123', type: null }, { id: 'msg_0123', role: null }])
    assert.deepEqual(responses(item), ['item_reference']);
});

test('a shell is run by the client only where it says so', () => {
  assert.deepEqual(responses(said, { type: 'shell', environment: { type: 'local' } }), []);
  for (const environment of [undefined, null, 'local', { type: 'container_auto' }])
    assert.deepEqual(responses(said, { type: 'shell', environment }), ['shell']);
});

test('parts of a result of a search are parts', () => {
  const content = [{ type: 'search_result', source: 's', title: 't', content: [{ type: 'image' }] }];
  const body = { model: 'm', messages: [{ role: 'user', content }] };
  assert.deepEqual(unboundedOf('/v1/messages', body), ['image']);
});

test('Bedrock: what is kept in a cache for longer is not bounded', () => {
  const asked = (ttl: string | undefined, inTools: boolean): readonly string[] => {
    const point = { cachePoint: { type: 'default', ttl } };
    const content = [{ text: 'x' }, ...(inTools ? [] : [point])];
    const tools = inTools ? { toolConfig: { tools: [point] } } : {};
    return unboundedOf('/model/m/converse', { messages: [{ role: 'user', content }], ...tools });
  };
  for (const inTools of [true, false]) {
    assert.deepEqual(asked('1h', inTools), ['ttl']);
    assert.deepEqual(asked('5m', inTools), []);
    assert.deepEqual(asked(undefined, inTools), []);
  }
});

function tally(api: LlmApi, ...messages: readonly object[]): UsageTally {
  const made = new UsageTally(api);
  for (const one of messages) made.take(one);
  return made;
}

test('what the model thought counts where the sum alone has it', () => {
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 1015 };
  assert.equal(tally('openai-chat', { choices: [{ finish_reason: 'stop' }], usage }).usage?.output, 1005);
  const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 1015 };
  assert.equal(tally('gemini', { usageMetadata }).usage?.output, 1005);
});

test('Bedrock: what was written into a cache for an hour is told apart', () => {
  const cacheDetails = [5, 7].flatMap((inputTokens) => [
    { inputTokens, ttl: '1h' },
    { inputTokens: 1, ttl: '5m' },
  ]);
  const usage = { inputTokens: 1, outputTokens: 1, cacheWriteInputTokens: 14, cacheDetails };
  assert.equal(tally('bedrock', { usage }).usage?.cacheWrittenLong, 12);
});

test('a count that is none leaves nothing to rely on', () => {
  const good = { type: 'message', usage: { input_tokens: 1, output_tokens: 1 } };
  const messages: readonly (readonly [LlmApi, object])[] = [
    ['anthropic', { type: 'message', usage: { input_tokens: -1, output_tokens: 1e300 } }],
    [
      'gemini',
      {
        candidates: [{ finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 'x' },
      },
    ],
    ['bedrock', { usage: { inputTokens: 1, outputTokens: 1, cacheWriteInputTokens: '9' } }],
    ['openai-chat', { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 'x' } }],
  ];
  for (const [api, message] of messages) {
    const { usage, isFinal } = tally(api, ...(api === 'anthropic' ? [good] : []), message);
    assert.deepEqual([usage, isFinal], [undefined, false], api);
  }
});

test('Anthropic: the end says what was written', () => {
  const start = { type: 'message_start', message: { usage: { input_tokens: 5, output_tokens: 1 } } };
  const stop = { type: 'message_delta', delta: { stop_reason: 'end_turn' } };
  assert.equal(tally('anthropic', start, { type: 'message_stop' }).isFinal, false);
  assert.equal(tally('anthropic', start, stop).isFinal, false);
  assert.equal(tally('anthropic', start, { ...stop, usage: { output_tokens: 4 } }).isFinal, true);
});
