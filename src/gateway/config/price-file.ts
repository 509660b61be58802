// Prices of models that an operator says, in place of those that come with this program.

import { z } from 'zod';
import { InvalidFilesError } from '../../policy/problem.ts';
import { asList, oneOrMany, text } from '../../policy/schema-parts.ts';
import { readYaml, strictMap, type YamlSource } from '../../policy/yaml-source.ts';
import {
  LlmPrices,
  priceLists,
  priceOf,
  type PriceRow,
  builtInPrices,
  tokenPrices,
} from '../../understand/llm-prices.ts';

const priceHint = 'write US dollars for a million tokens, from 0, with at most nine decimals, such as 1.25';
const price = z
  .number({ error: priceHint })
  .min(0, { error: priceHint })
  .max(999_999, { error: priceHint })
  .refine((usd) => priceOf(usd) !== undefined, { error: priceHint });
const dayHint = 'write a day such as 2026-12-01';
const tokensHint = 'write a whole number of tokens from 1';
const listHint = `write whose prices they are: ${priceLists.join(', ')}`;
const modelHint = 'write the name of a model as requests have it, or a list of them';

const kinds = {
  input: price,
  cached: price.optional(),
  cacheWritten: price.optional(),
  cacheWrittenLong: price.optional(),
  output: price,
};

const priceFileSchema = strictMap(
  {
    prices: z.array(
      strictMap(
        {
          list: z.enum(priceLists, { error: listHint }),
          models: oneOrMany(text(modelHint), modelHint),
          from: z
            .string({ error: dayHint })
            .regex(/^\d{4}-\d{2}-\d{2}$/, { error: dayHint })
            .refine((day) => !Number.isNaN(Date.parse(day)), { error: dayHint })
            .optional(),
          ...kinds,
          above: z
            .array(
              strictMap(
                { tokens: z.int({ error: tokensHint }).min(1, { error: tokensHint }), ...kinds },
                { hint: 'write above: [{ tokens: 200000, input: 6, output: 22.5 }]' },
              ),
            )
            .optional(),
        },
        {
          hint: 'write a price as { list: openai, models: our-model, input: 1.25, output: 10 }',
          synonyms: { model: 'models', names: 'models', api: 'list', provider: 'list' },
        },
      ),
    ),
  },
  { hint: 'write a map with prices: [{ list: openai, models: our-model, input: 1.25, output: 10 }]' },
);

type Prices = z.infer<typeof priceFileSchema>['prices'][number];
type Kinds = Pick<Prices, keyof typeof kinds>;

/** What a model costs: as the file says, and of models that it does not name as this program knows. @throws InvalidFilesError */
export function pricesOf(source: YamlSource | undefined): LlmPrices {
  if (source === undefined) return new LlmPrices(builtInPrices());
  const result = readYaml(source, priceFileSchema);
  if ('problems' in result) throw new InvalidFilesError(result.problems);
  const own = result.value.prices.map(rowOf);
  const named = new Set(own.flatMap(({ list, names }) => names.map((name) => `${list} ${name}`)));
  const others = builtInPrices().map(({ list, names, prices }) => ({
    list,
    names: names.filter((name) => !named.has(`${list} ${name}`)),
    prices,
  }));
  return new LlmPrices([...own, ...others]);
}

function rowOf({ list, models, from, above = [], ...base }: Prices): PriceRow {
  return {
    list,
    names: asList(models),
    prices: {
      fromMs: from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(`${from}T00:00:00Z`),
      base: whole(base),
      above: above
        .map(({ tokens, ...prices }) => ({ tokens, prices: whole(prices) }))
        .toSorted((a, b) => b.tokens - a.tokens),
    },
  };
}

function whole({ input, output, cached, cacheWritten, cacheWrittenLong }: Kinds): PriceRow['prices']['base'] {
  // The schema has refused what is none.
  const nanos = (usd: number): number => priceOf(usd) ?? 0;
  const some = (usd: number | undefined): number | undefined => (usd === undefined ? undefined : nanos(usd));
  return tokenPrices({
    input: nanos(input),
    output: nanos(output),
    cached: some(cached),
    cacheWritten: some(cacheWritten),
    cacheWrittenLong: some(cacheWrittenLong),
  });
}
