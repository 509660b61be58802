// Prices that an operator says, over those that come with the program.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pricesOf } from '../../../src/gateway/config/price-file.ts';
import { InvalidFilesError } from '../../../src/policy/problem.ts';

const at = Date.parse('2026-11-27');
const read = (text: string) => pricesOf({ file: 'prices.yaml', text });

test('a model of the file has its prices, from its day on, and the others have those that are known', () => {
  const prices = read(`prices:
  - { list: openai, models: [our-model, gpt-5-mini], input: 1.25, cached: 0.125, output: 10, above: [{ tokens: 9, input: 2, output: 20 }] }
  - { list: openai, models: our-model, from: "2026-12-01", input: 3, output: 30 }`);
  assert.deepEqual(prices.of('openai-responses', 'our-model', at), {
    fromMs: Number.NEGATIVE_INFINITY,
    base: {
      input: 1_250_000_000,
      cached: 125_000_000,
      cacheWritten: 1_250_000_000,
      cacheWrittenLong: 2_500_000_000,
      output: 10_000_000_000,
    },
    above: [
      {
        tokens: 9,
        prices: {
          input: 2_000_000_000,
          cached: 2_000_000_000,
          cacheWritten: 2_000_000_000,
          cacheWrittenLong: 4_000_000_000,
          output: 20_000_000_000,
        },
      },
    ],
  });
  assert.equal(prices.of('openai-chat', 'our-model', Date.parse('2026-12-01'))?.base.input, 3_000_000_000);
  assert.equal(prices.of('openai-chat', 'gpt-5-mini', at)?.base.input, 1_250_000_000);
  assert.equal(prices.of('openai-chat', 'gpt-5-nano', at)?.base.input, 50_000_000);
  assert.equal(prices.of('anthropic', 'our-model', at), undefined);
});

test('what is no price is told with its place', () => {
  const row = (more: string): string => `prices: [{ list: openai, models: m, ${more} }]`;
  for (const [text, message] of [
    [row('input: -1, output: 1'), /US dollars for a million tokens/],
    [row('input: 0.0000000001, output: 1'), /at most nine decimals/],
    [row('input: 1'), /US dollars for a million tokens/],
    [row('input: 1, output: 1, from: "2026-13-01"'), /write a day/],
    [row('input: 1, output: 1, price: 3'), /price/],
    ['prices: [{ list: azure, models: m, input: 1, output: 1 }]', /openai, anthropic, gemini, bedrock/],
  ] as const)
    assert.throws(
      () => read(text),
      (error) =>
        error instanceof InvalidFilesError &&
        message.test(error.message) &&
        /prices\.yaml:1:/.test(error.message),
      text,
    );
});
