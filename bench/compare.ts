// The paired comparison: each round runs every contender once, and ratios are taken inside a round.

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { aimTable, cpuTable, operations, quietCpu, rateTable } from './comparison.ts';
import type { ContenderRounds, Operation } from './comparison.ts';
import { Phases } from './phases.ts';
import { loadNow, machineLine, versionOf } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { format } from './report/table.ts';
import { openScene } from './scene.ts';
import { isVariantName, startVariant, variantNames } from './variants.ts';

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      'warm-rounds': { type: 'string', default: '8' },
      megabytes: { type: 'string', default: '256' },
      seconds: { type: 'string', default: '1.5' },
      idle: { type: 'string', default: '500' },
      only: { type: 'string', default: 'direct,squid,upstreamproxy' },
      generator: { type: 'string', default: 'bun' },
      json: { type: 'string' },
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const names = values.only === 'all' ? [...variantNames] : values.only.split(',');
  const unknown = names.filter((name) => !isVariantName(name));
  if (unknown.length > 0)
    throw new Error(`--only: ${unknown.join(', ')}; there are ${variantNames.join(', ')}`);
  const sizes = values.quick
    ? { rounds: 1, warmRounds: 0, bulkBytes: 32 << 20, phaseMs: 300, idleStreams: 50, posts: true }
    : {
        rounds: Number(values.rounds),
        bulkBytes: Number(values.megabytes) * 1024 * 1024,
        phaseMs: Number(values.seconds) * 1000,
        idleStreams: Number(values.idle),
        posts: true,
        warmRounds: Number(values['warm-rounds']),
      };
  const generator = values.generator === 'node' ? ('node' as const) : ('bun' as const);
  return { ...sizes, names: names.filter(isVariantName), generator, json: values.json, saves: values.save };
}

/** Runs the comparison and prints it. */
export async function benchComparison(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const loadAtStart = loadNow();
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await openScene(options.generator));
  const { origin, generator } = scene;
  const running: Phases[] = [];
  for (const name of options.names) {
    const contender = await startVariant(name, await scene.folder(), origin);
    if (typeof contender === 'string') console.log(`${name}: left out, ${contender}`);
    else running.push(new Phases(stack.use(contender), { generator, origin }, options));
  }
  // Some rounds first that are not counted: code has to be compiled and caches filled, as in what serves for days.
  for (let i = 1 - options.warmRounds; i <= options.rounds; i += 1) {
    for (const each of running) {
      const row = await each.round(i > 0, i === options.rounds);
      const short = `${format(row['down MB/s'] ?? 0)} MB/s down, ${format(row['req/s n=16'] ?? 0)} req/s`;
      console.error(`round ${i} of ${options.rounds}: ${each.contender.name}: ${short}`);
    }
  }
  const contenders = running.map(({ contender, rounds, windows }): ContenderRounds => ({
    name: contender.name,
    rounds,
    windows,
  }));
  const machine = machineLine(loadAtStart, [
    `squid ${versionOf('/usr/sbin/squid') ?? 'not installed'}`,
    `load by ${generator.runtime}`,
    options.warmRounds > 0
      ? `${options.rounds} rounds behind ${options.warmRounds} that are not counted`
      : 'a quick run that says nothing of speed',
  ]);
  const text = report(machine, contenders);
  console.log(`\n${text}`);
  if (options.json !== undefined) await writeFile(options.json, jsonOf(machine, contenders));
  if (options.saves) await saveSection('compare', text);
}

function report(machine: string, contenders: readonly ContenderRounds[]): string {
  return `${machine}.

Medians of the rounds; ratios inside a round: median (least–greatest).

${rateTable(contenders)}

CPU of each operation by role: the whole phase, median of the rounds / quietest windows of 250 ms (tenth to quarter).

${cpuTable(contenders)}

${aimTable(contenders)}`;
}

function jsonOf(machine: string, contenders: readonly ContenderRounds[]): string {
  const list = contenders.map((each) => ({
    name: each.name,
    rounds: each.rounds,
    quietCpu: Object.fromEntries(
      (Object.keys(operations) as Operation[]).flatMap((operation) =>
        [...each.windows.keys()]
          .filter((key) => key.startsWith(`${operation} `))
          .map((key) => [key, quietCpu(each, operation, key.slice(operation.length + 1))]),
      ),
    ),
  }));
  return `${JSON.stringify({ machine, contenders: list }, undefined, 2)}\n`;
}
