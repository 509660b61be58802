// A gateway that is a round trip away: the first response on a new connection and bulk, beside the direct way through the same delay.

import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { firstLine, mustRun, runtimeFile, stop } from './child.ts';
import { direct, upstreamproxy } from './contenders.ts';
import type { Contender } from './contenders.ts';
import type { LoadJob } from './load/load-job.ts';
import { lossyCommand, lossPorts } from './link/lossy-namespace.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { median } from './report/statistics.ts';
import { format, table } from './report/table.ts';
import { openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { tlsArgs } from './variants.ts';

const script = fileURLToPath(new URL('delay-process.ts', import.meta.url));
const self = fileURLToPath(new URL('run.ts', import.meta.url));
/** Of a first response on a new connection, beyond which it is no single round trip. */
const firstResponseMsMax = 25;

interface LinkOptions {
  readonly rttMs: number;
  readonly bytes: number;
  readonly count: number;
  readonly rounds: number;
}

/** Figures of one way, one list entry a round. */
interface LinkFigures {
  readonly name: string;
  readonly firstLeast: number[];
  readonly firstP50: number[];
  readonly firstP99: number[];
  readonly keptP50: number[];
  readonly down: number[];
  readonly up: number[];
}

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rtt: { type: 'string', default: '20' },
      megabytes: { type: 'string', default: '256' },
      count: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '3' },
      loss: { type: 'string', default: '1' },
      // Of the run in the namespace: no loss of its own, fixed ports, and its figures into this file.
      inside: { type: 'string' },
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const sizes = values.quick
    ? { bytes: 16 << 20, count: 10, rounds: 1 }
    : {
        bytes: Number(values.megabytes) * 1024 * 1024,
        count: Number(values.count),
        rounds: Number(values.rounds),
      };
  return {
    ...sizes,
    rttMs: Number(values.rtt),
    loss: Number(values.loss),
    inside: values.inside,
    saves: values.save,
  };
}

export async function benchLink(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options.inside !== undefined) {
    await writeFile(options.inside, JSON.stringify(await measureLink(options, lossPorts)));
    return;
  }
  const loadAtStart = loadNow();
  const clean = await measureLink(options, []);
  const lossy = options.loss > 0 ? await measureLossy(options) : 'not asked for';
  const machine = machineLine(loadAtStart, [`round trip ${options.rttMs} ms`, `${options.rounds} rounds`]);
  const text = [
    `${machine}. Medians of the rounds.`,
    linkTable(clean, options.rttMs),
    typeof lossy === 'string'
      ? `With loss: not measured, ${lossy}.`
      : `With ${options.loss} % of the packets lost on the way to the delay and back:\n\n${linkTable(lossy, undefined)}`,
  ].join('\n\n');
  console.log(text);
  if (options.saves) await saveSection('link', text);
}

/** `ports` are those of the delays, one for each way, where they have to be known before. */
async function measureLink(options: LinkOptions, ports: readonly number[]): Promise<LinkFigures[]> {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await openScene());
  const left = [...ports];
  const delayed = async (port: number): Promise<number> => {
    const own = left.shift();
    const words = [port, options.rttMs, ...(own === undefined ? [] : [own])].map(String);
    const child = spawn(runtimeFile('node'), [script, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    stack.defer(() => stop(child));
    return Number(await firstLine(child));
  };
  const plain = direct(scene.origin);
  const ways: Contender[] = [
    { ...plain, to: { ...plain.to, proxyPort: await delayed(scene.origin.port), via: 'line' } },
  ];
  const variants = (['agent', 'gateway'] as const).flatMap((place) => {
    const args = tlsArgs(place);
    return args === undefined ? [] : [{ name: `tls-in-${place}`, args }];
  });
  for (const variant of [{ name: 'upstreamproxy' }, ...variants]) {
    const ours = { ...variant, linkPort: delayed };
    ways.push(stack.use(await upstreamproxy(await scene.folder(), scene.origin, ours)));
  }
  const found = ways.map(({ name }): LinkFigures => ({
    name,
    firstLeast: [],
    firstP50: [],
    firstP99: [],
    keptP50: [],
    down: [],
    up: [],
  }));
  for (let round = 0; round <= options.rounds; round += 1)
    for (const [i, figures] of found.entries()) {
      const way = ways[i];
      // The first round fills caches and is not counted.
      if (way !== undefined) await oneRound(scene, way, options, round === 0 ? undefined : figures);
      console.error(`round ${round} of ${options.rounds}: ${figures.name}`);
    }
  return found;
}

async function oneRound(
  { generator }: Scene,
  { to }: Contender,
  { bytes, count }: LinkOptions,
  figures: LinkFigures | undefined,
): Promise<void> {
  const run = (job: LoadJob) => generator.run(job);
  const first = await run({ kind: 'connections', to, workers: 1, ms: 60_000, count });
  const kept = await run({ kind: 'requests', to, connections: 1, ms: 1000 });
  const down = await run({ kind: 'download', to, bytes });
  const up = await run({ kind: 'upload', to, bytes });
  figures?.firstLeast.push(first.least / 1000);
  figures?.firstP50.push(first.p50 / 1000);
  figures?.firstP99.push(first.p99 / 1000);
  figures?.keptP50.push(kept.p50 / 1000);
  figures?.down.push(bytes / 1e6 / down.seconds);
  figures?.up.push(bytes / 1e6 / up.seconds);
}

/** The same in a network namespace that loses packets, or why that can't be. */
async function measureLossy(
  options: LinkOptions & { readonly loss: number },
): Promise<LinkFigures[] | string> {
  const command = lossyCommand(options.loss);
  if (typeof command === 'string') return command;
  await using scene = await openScene();
  const file = join(await scene.folder(), 'figures.json');
  const { rttMs, count, rounds, bytes } = options;
  const words = [
    `--inside=${file}`,
    `--rtt=${rttMs}`,
    `--count=${count}`,
    `--rounds=${rounds}`,
    `--megabytes=${bytes / 1024 / 1024}`,
  ];
  const [program = '', ...rest] = command;
  await mustRun(program, [
    ...rest,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    self,
    'link',
    ...words,
  ]);
  // Written by the run inside.
  return JSON.parse(await readFile(file, 'utf8')) as LinkFigures[];
}

function linkTable(found: readonly LinkFigures[], rttMs: number | undefined): string {
  const [plain] = found;
  const beside = (values: readonly number[], of: readonly number[] | undefined): string =>
    `${format(median(values))} (${format(median(values) / median(of ?? []))})`;
  const rows = found.map((figures) => {
    const first = median(figures.firstP50);
    const isJudged = rttMs === 20 && figures !== plain;
    const verdict = first <= firstResponseMsMax ? 'met' : 'missed';
    return [
      figures.name,
      `${format(first)}${isJudged ? `, ≤ ${firstResponseMsMax}: ${verdict}` : ''}`,
      format(Math.min(...figures.firstLeast)),
      format(median(figures.firstP99)),
      format(median(figures.keptP50)),
      beside(figures.down, plain?.down),
      beside(figures.up, plain?.up),
    ];
  });
  const header = [
    'way',
    'first response on a new connection, p50 ms',
    'least ms',
    'p99 ms',
    'response on a kept one, p50 ms',
    'down MB/s (of direct)',
    'up MB/s (of direct)',
  ];
  return table(header, rows);
}
