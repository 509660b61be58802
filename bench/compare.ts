// The paired comparison: each round runs every contender once, and ratios are taken inside a round.

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { aimTable, cpuTable, isPeer, operations, quietCpu, rateTable } from './comparison.ts';
import type { ContenderRounds, Operation, Row } from './comparison.ts';
import { keyedHosts } from './contenders.ts';
import type { Contender, OriginProcess } from './contenders.ts';
import type { LoadGenerator } from './load/load-generator.ts';
import type { LoadJob, LoadTarget } from './load/load-job.ts';
import { measure } from './measure.ts';
import { residentKilobytes } from './process-usage.ts';
import { loadNow, machineLine, versionOf } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import type { CostWindow } from './report/statistics.ts';
import { format } from './report/table.ts';
import { openScene } from './scene.ts';
import { isVariantName, startVariant, variantNames } from './variants.ts';

export interface PhaseOptions {
  readonly bulkBytes: number;
  readonly phaseMs: number;
  readonly idleStreams: number;
}

/** What is measured with one contender in one round, and collected over all. */
export class Phases {
  readonly contender: Contender;
  readonly rounds: Row[] = [];
  readonly windows = new Map<string, CostWindow[]>();
  #row: Record<string, number> = {};
  readonly #generator: LoadGenerator;
  readonly #origin: OriginProcess;
  readonly #options: PhaseOptions;

  constructor(
    contender: Contender,
    { generator, origin }: { readonly generator: LoadGenerator; readonly origin: OriginProcess },
    options: PhaseOptions,
  ) {
    this.contender = contender;
    this.#generator = generator;
    this.#origin = origin;
    this.#options = options;
  }

  /** One round; with `counts` false its figures are dropped. */
  async round(counts: boolean, isLast: boolean): Promise<Row> {
    this.#row = {};
    const { to } = this.contender;
    const { bulkBytes: bytes, phaseMs: ms } = this.#options;
    const megabytes = bytes / 1e6;
    const down = await this.#phase('GB down', { kind: 'download', to, bytes });
    this.#row['down MB/s'] = megabytes / down.seconds;
    const up = await this.#phase('GB up', { kind: 'upload', to, bytes });
    this.#row['up MB/s'] = megabytes / up.seconds;
    for (const connections of [16, 1] as const) {
      const n = `n=${connections}` as const;
      const result = await this.#phase(`request ${n}`, { kind: 'requests', to, connections, ms });
      this.#row[`req/s ${n}`] = result.count / result.seconds;
      this.#row[`p50 µs ${n}`] = result.p50;
      this.#row[`p99 µs ${n}`] = result.p99;
    }
    const fresh = await this.#phase('new connection', { kind: 'connections', to, workers: 8, ms });
    this.#row['new TLS conn/s'] = fresh.count / fresh.seconds;
    this.#row['p50 µs conn'] = fresh.p50;
    this.#row['p99 µs conn'] = fresh.p99;
    await this.#posts();
    if (isLast) await this.#idle();
    if (counts) this.rounds.push(this.#row);
    else this.windows.clear();
    return this.#row;
  }

  async #phase(operation: Operation, job: LoadJob): Promise<Awaited<ReturnType<LoadGenerator['run']>>> {
    const beside = { origin: this.#origin.pids };
    const { result, cpu, windows } = await measure(this.#generator, this.contender, job, beside);
    const { factor } = operations[operation];
    for (const [role, seconds] of Object.entries(cpu))
      this.#row[`CPU ${operation} ${role}`] = (seconds * factor) / result.count;
    for (const [role, list] of Object.entries(windows)) {
      const key = `${operation} ${role}`;
      this.windows.set(key, [...(this.windows.get(key) ?? []), ...list]);
    }
    return result;
  }

  /** Small bodies: with a credential each costs a connection of HTTP/1.1 to the origin, or a stream of HTTP/2. squid gives nobody one. */
  async #posts(): Promise<void> {
    const { to, name } = this.contender;
    const { keyedPorts } = this.#origin;
    const targets: [Operation, string, LoadTarget][] = [['POST, no credential', 'POST/s plain', to]];
    if (!isPeer(name) || name === 'direct')
      targets.push(
        [
          'POST, credential, HTTP/1.1',
          'POST/s credential http1',
          { ...to, originPort: keyedPorts.http1, host: keyedHosts.http1 },
        ],
        [
          'POST, credential, HTTP/2',
          'POST/s credential http2',
          { ...to, originPort: keyedPorts.http2, host: keyedHosts.http2 },
        ],
      );
    for (const [operation, metric, target] of targets) {
      const job = {
        kind: 'requests',
        to: target,
        connections: 16,
        ms: this.#options.phaseMs,
        bodyBytes: 256,
      } as const;
      const result = await this.#phase(operation, job);
      this.#row[metric] = result.count / result.seconds;
    }
  }

  async #idle(): Promise<void> {
    const { idleStreams: count } = this.#options;
    const { to } = this.contender;
    const resident = (): Record<string, number> =>
      Object.fromEntries(
        Object.entries(this.contender.pids()).map(([role, pids]) => [role, residentKilobytes(pids)]),
      );
    const before = resident();
    await this.#generator.run({ kind: 'hold', to, count });
    for (const [role, kilobytes] of Object.entries(resident()))
      this.#row[`KB/idle ${role}`] = (kilobytes - (before[role] ?? 0)) / count;
    await this.#generator.run({ kind: 'release' });
  }
}

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
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
    ? { rounds: 1, bulkBytes: 32 << 20, phaseMs: 300, idleStreams: 50, warms: false }
    : {
        rounds: Number(values.rounds),
        bulkBytes: Number(values.megabytes) * 1024 * 1024,
        phaseMs: Number(values.seconds) * 1000,
        idleStreams: Number(values.idle),
        warms: true,
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
  // One round more first, not counted: code has to be compiled and caches filled.
  for (let i = options.warms ? 0 : 1; i <= options.rounds; i += 1) {
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
    options.warms ? `${options.rounds} rounds` : 'a quick run that says nothing of speed',
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
