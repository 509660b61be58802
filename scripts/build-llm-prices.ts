// Writes src/understand/llm-price-table.ts anew from the data of @pydantic/genai-prices (MIT), which comes from npm for the run.
// `node scripts/build-llm-prices.ts FOLDER` takes it from a folder that has it installed.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchPackages } from './fetch-packages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const table = join(root, 'src/understand/llm-price-table.ts');
const fetchTimeoutMs = 120_000;

type Price = number | { readonly base: number; readonly tiers: readonly { start: number; price: number }[] };
type Prices = Readonly<Record<string, Price | undefined>>;
interface Model {
  readonly id: string;
  readonly match: object;
  readonly prices:
    | Prices
    | readonly { readonly constraint?: { readonly start_date?: string }; readonly prices: Prices }[];
}
interface Provider {
  readonly id: string;
  readonly models: readonly Model[];
}

/** Whose prices are for which API. */
const providers = [
  ['openai', 'openai'],
  ['anthropic', 'anthropic'],
  ['google', 'gemini'],
  ['aws', 'bedrock'],
] as const;
const columns = ['input_mtok', 'cache_read_mtok', 'cache_write_mtok', 'cache_write_1h_mtok', 'output_mtok'];

/** Exact names, and the text that a name begins with or has in it as a name: nothing else is known to have this price. */
function namesOf({ id, match }: Model): readonly string[] {
  const names = new Set([id]);
  const walk = (one: object): void => {
    for (const [key, value] of Object.entries(one) as [string, unknown][]) {
      if (key === 'or') for (const other of value as readonly object[]) walk(other);
      else if (key !== 'and' && key !== 'regex' && typeof value === 'string') names.add(value);
    }
  };
  walk(match);
  // What these do has a price beside that of their tokens.
  const others =
    /audio|embedding|image|live|moderation|realtime|research|search|sonic|transcribe|tts|whisper|computer-use/;
  return [...names]
    .filter((name) => !others.test(name))
    .filter((name) => /^[A-Za-z0-9][A-Za-z0-9.:/-]*[A-Za-z0-9]$/.test(name));
}

const baseOf = (price: Price | undefined): number | undefined =>
  typeof price === 'object' ? price.base : price;

function rowsOf(model: Model, provider: string): readonly string[] {
  const all = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  return (all as readonly { constraint?: { start_date?: string }; prices: Prices }[]).flatMap(
    ({ constraint, prices }) => {
      if (namesOf(model).length === 0) return [];
      if (baseOf(prices['input_mtok']) === undefined || baseOf(prices['output_mtok']) === undefined)
        return [];
      const values = (at: (price: Price | undefined) => number | undefined): string =>
        columns.map((column) => at(prices[column]) ?? '-').join(' ');
      const starts = new Set(
        columns.flatMap((column) => {
          const price = prices[column];
          return typeof price === 'object' ? price.tiers.map(({ start }) => start) : [];
        }),
      );
      const above = [...starts].map((start) => {
        const at = (price: Price | undefined): number | undefined =>
          typeof price === 'object'
            ? (price.tiers.find((tier) => tier.start === start)?.price ?? price.base)
            : price;
        return ` > ${start} ${values(at)}`;
      });
      const from = constraint?.start_date ?? '-';
      return [`${provider} ${namesOf(model).join(',')} ${from} ${values(baseOf)}${above.join('')}`];
    },
  );
}

function main(): void {
  const given = process.argv[2];
  const folder = given ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-prices-'));
  try {
    const problem =
      given === undefined ? fetchPackages(folder, ['@pydantic/genai-prices'], fetchTimeoutMs) : undefined;
    if (problem !== undefined) throw new Error(problem);
    const at = join(folder, 'node_modules/@pydantic/genai-prices');
    const { version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { version: string };
    const source = readFileSync(join(at, 'dist/index.js'), 'utf8');
    // The data are the first list of the module, written as a literal.
    const literal = source.slice(source.indexOf('['), source.search(/\n\][,;]/) + 2);
    const data = new Function(`return (${literal})`)() as readonly Provider[];
    const rows = providers.flatMap(([id, api]) =>
      (data.find((one) => one.id === id)?.models ?? []).flatMap((model) => rowsOf(model, api)),
    );
    writeFileSync(table, text(rows, version, readFileSync(join(at, 'LICENSE'), 'utf8')));
    console.log(`${rows.length} rows of ${version}`);
  } finally {
    if (given === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function text(rows: readonly string[], version: string, licence: string): string {
  return `// Made by scripts/build-llm-prices.ts; do not edit. Prices in US dollars for a million tokens, by the data of @pydantic/genai-prices
// (https://github.com/pydantic/genai-prices).
// They are of version ${version}, taken on ${new Date().toISOString().slice(0, 10)}. Their licence:
//
${licence
  .trim()
  .split('\n')
  .map((line) => `// ${line}`.trimEnd())
  .join('\n')}

/**
 * API, names, from which day on, and the prices of what is read, read from a cache, written into one, written into one for an hour, and written by
 * the model. Behind \`>\`: those of calls that read more tokens than that.
 */
export const priceTable = \`
${rows.join('\n')}
\`;
`;
}

main();
