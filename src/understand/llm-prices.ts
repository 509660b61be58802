// What a call costs, in whole billionths of one US dollar: exact, and rounded up once for each call.

import type { LlmApi } from './llm-endpoint.ts';
import { priceTable } from './llm-price-table.ts';
import type { LlmUsage } from './llm-usage.ts';

/** Of a million tokens, in billionths of one US dollar. */
export interface TokenPrices {
  readonly input: number;
  readonly cached: number;
  readonly cacheWritten: number;
  readonly cacheWrittenLong: number;
  readonly output: number;
}

/** From a day on. */
export interface ModelPrices {
  readonly fromMs: number;
  readonly base: TokenPrices;
  /** Of calls that read more tokens, the most first. */
  readonly above: readonly { readonly tokens: number; readonly prices: TokenPrices }[];
}

/** APIs that one service serves have one list of prices. */
export const priceLists = ['openai', 'anthropic', 'gemini', 'bedrock'] as const;
export type PriceList = (typeof priceLists)[number];

const listOf: Readonly<Record<LlmApi, PriceList>> = {
  'openai-chat': 'openai',
  'openai-responses': 'openai',
  anthropic: 'anthropic',
  gemini: 'gemini',
  bedrock: 'bedrock',
};

/** One model by its names. */
export interface PriceRow {
  readonly list: PriceList;
  readonly names: readonly string[];
  readonly prices: ModelPrices;
}

export class LlmPrices {
  readonly #byName = new Map<string, ModelPrices[]>();

  /** Of rows for one name all count, each from its day on. */
  constructor(rows: readonly PriceRow[]) {
    for (const { list, names, prices } of rows)
      for (const name of names) {
        const key = `${list} ${name}`;
        const known = this.#byName.get(key);
        if (known === undefined) this.#byName.set(key, [prices]);
        else known.push(prices);
      }
    for (const all of this.#byName.values()) all.sort((a, b) => b.fromMs - a.fromMs);
  }

  /** Undefined: nobody said what the model costs at that time. */
  of(api: LlmApi, model: string, atMs: number): ModelPrices | undefined {
    for (const name of spellingsOf(api, model)) {
      const prices = this.#byName.get(`${listOf[api]} ${name}`)?.find(({ fromMs }) => fromMs <= atMs);
      if (prices !== undefined) return prices;
    }
    return undefined;
  }
}

const dateAtEnd = /-(?:20\d{2}-\d{2}-\d{2}|20\d{6})$/;
const versionAtEnd = /-v\d{1,2}(?::\d{1,2})?$/;
const regionAtStart = /^(?:us|eu|apac|ap|jp|au|ca|sa|us-gov)\./;

/** Its own name first, then without the day of its version; for Bedrock without where it runs. Nothing else of a name is taken off. */
function spellingsOf(api: LlmApi, model: string): readonly string[] {
  if (api !== 'bedrock') return [model, model.replace(dateAtEnd, '')];
  const isRegional = regionAtStart.test(model);
  const place = isRegional ? 'regional.' : model.startsWith('global.') ? 'global.' : '';
  const bare = model.replace(regionAtStart, '').replace(/^global\./, '');
  const plain = bare.replace(versionAtEnd, '');
  const all = [bare, plain, plain.replace(dateAtEnd, '')];
  const service = all.map((one) => one.replace(/^[a-z]+\./, ''));
  return [...all.map((one) => `${place}${one}`), ...all, ...service];
}

const perMillion = 1_000_000n;

/** What the service bills by these prices. */
export function costOf(prices: ModelPrices, usage: LlmUsage): number {
  const { input, cached, cacheWritten, cacheWrittenLong, output } = usage;
  const at = pricesFor(prices, input + cached + cacheWritten);
  const short = Math.max(0, cacheWritten - cacheWrittenLong);
  return nanos([
    [input, at.input],
    [cached, at.cached],
    [short, at.cacheWritten],
    [Math.min(cacheWritten, cacheWrittenLong), at.cacheWrittenLong],
    [output, at.output],
  ]);
}

/** The most that a call can cost that reads and writes at most so many tokens. */
export function worstCost(prices: ModelPrices, inputMax: number, outputMax: number): number {
  const all = [
    prices.base,
    ...prices.above.filter(({ tokens }) => tokens < inputMax).map((one) => one.prices),
  ];
  const most = (of: (one: TokenPrices) => number): number => Math.max(...all.map(of));
  return nanos([
    [inputMax, most(({ input, cached, cacheWritten }) => Math.max(input, cached, cacheWritten))],
    [outputMax, most(({ output }) => output)],
  ]);
}

function pricesFor({ base, above }: ModelPrices, tokensRead: number): TokenPrices {
  return above.find(({ tokens }) => tokensRead > tokens)?.prices ?? base;
}

function nanos(parts: readonly (readonly [tokens: number, price: number])[]): number {
  const sum = parts.reduce((all, [tokens, price]) => all + BigInt(tokens) * BigInt(price), 0n);
  return Number((sum + perMillion - 1n) / perMillion);
}

/** Exact; undefined: it is no price of at most nine decimals. */
export function priceOf(usdPerMillion: number): number | undefined {
  const text = usdPerMillion.toFixed(9);
  if (!(usdPerMillion >= 0 && usdPerMillion < 1_000_000) || Number(text) !== usdPerMillion) return undefined;
  const [whole = '0', decimals = ''] = text.split('.');
  return Number(whole) * 1_000_000_000 + Number(decimals);
}

/** What is not said costs what the nearest thing does that is said: never less than the service bills. */
export function tokenPrices(said: {
  readonly input: number;
  readonly cached?: number | undefined;
  readonly cacheWritten?: number | undefined;
  readonly cacheWrittenLong?: number | undefined;
  readonly output: number;
}): TokenPrices {
  const { input, cached = input, cacheWritten = input, output } = said;
  const { cacheWrittenLong = Math.max(cacheWritten, 2 * input) } = said;
  return { input, cached, cacheWritten, cacheWrittenLong, output };
}

/** The rows of the table that comes with this program. */
export function builtInPrices(): readonly PriceRow[] {
  return priceTable
    .trim()
    .split('\n')
    .map((line) => {
      const [head = '', ...above] = line.split(' > ');
      const [list, names = '', from = '-', ...values] = head.split(' ');
      const found = priceLists.find((one) => one === list);
      if (found === undefined) throw new TypeError(`no list of prices: ${line}`);
      return {
        list: found,
        names: names.split(','),
        prices: {
          fromMs: from === '-' ? Number.NEGATIVE_INFINITY : Date.parse(`${from}T00:00:00Z`),
          base: pricesOf(values),
          above: above
            .map((one) => {
              const [tokens = '', ...others] = one.split(' ');
              return { tokens: Number(tokens), prices: pricesOf(others) };
            })
            .toSorted((a, b) => b.tokens - a.tokens),
        },
      };
    });
}

function pricesOf(values: readonly string[]): TokenPrices {
  const [input, cached, cacheWritten, cacheWrittenLong, output] = values.map((text) =>
    text === '-' ? undefined : priceOf(Number(text)),
  );
  if (input === undefined || output === undefined) throw new TypeError(`no prices: ${values.join(' ')}`);
  return tokenPrices({ input, cached, cacheWritten, cacheWrittenLong, output });
}
