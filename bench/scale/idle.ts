// Idle TLS streams in one gateway: what each keeps, what its neighbours feel, and what is left after they close.

import { setTimeout as delay } from 'node:timers/promises';

import { startGateway } from '../contenders.ts';
import type { Contender } from '../contenders.ts';
import type { Curve, Series } from '../growth.ts';
import { residentKilobytes } from '../process-usage.ts';
import { median } from '../report/statistics.ts';
import { format, table } from '../report/table.ts';
import { measureRequests } from '../scene.ts';
import type { Scene } from '../scene.ts';

export interface IdleOptions {
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly phaseMs: number;
  /** No round begins after it. */
  readonly budgetMs: number;
  readonly agentRuntime?: 'node' | 'bun';
}

/** One tunnel carries `streamsMax` at the most. */
const streamsPerAgent = 2500;
/** Connections are closed and collections are done by then, or what is there stays. */
const settleMs = 3000;

interface Memory {
  readonly gateway: number;
  /** Of the agents that hold the idle streams. */
  readonly agents: number;
}

interface RoundFigures {
  /** Kilobytes before, with all streams open, and after they closed. */
  readonly before: Memory;
  readonly open: Memory;
  readonly after: Memory;
}

interface Step {
  readonly size: number;
  readonly p99: number;
  readonly cpu: number;
  readonly memory: Memory;
}

/** The gateway with an agent for neighbours and as many more as the idle streams need. */
async function startAll(
  scene: Scene,
  { sizes, agentRuntime = 'node' }: IdleOptions,
  stack: AsyncDisposableStack,
) {
  const gateway = stack.use(await startGateway(await scene.folder(), scene.origin));
  const neighbour = await gateway.startAgent({ name: 'neighbour' });
  const holders: Contender[] = [];
  for (let streams = 0; streams < Math.max(...sizes); streams += streamsPerAgent)
    holders.push(await gateway.startAgent({ name: 'idle', runtime: agentRuntime }));
  const memory = (): Memory => ({
    gateway: residentKilobytes(gateway.pids()),
    agents: residentKilobytes(holders.flatMap((each) => each.pids()['agent'] ?? [])),
  });
  /** Opens streams until there are `size`, the same number in each agent. */
  const grow = async (from: number, size: number): Promise<void> => {
    for (const [i, { to }] of holders.entries()) {
      const share = (total: number): number => Math.floor((total + i) / holders.length);
      const count = share(size) - share(from);
      if (count > 0) await scene.generator.run({ kind: 'hold', to, count });
    }
  };
  return { neighbour, memory, grow };
}

export async function scaleIdle(scene: Scene, options: IdleOptions): Promise<Series> {
  await using stack = new AsyncDisposableStack();
  const { neighbour, memory, grow } = await startAll(scene, options, stack);
  const { sizes, phaseMs, agentRuntime = 'node' } = options;
  // What is compiled and cached at first is not the idle streams'.
  const warming = Math.ceil(Math.max(...sizes) / 50);
  await grow(0, warming);
  await scene.generator.run({ kind: 'release' });
  const alone = await measureRequests(scene, neighbour, phaseMs);
  await delay(settleMs);
  const steps: Step[] = [];
  const rounds: RoundFigures[] = [];
  const lost: number[] = [];
  const startMs = performance.now();
  for (let round = 0; round < options.rounds; round += 1) {
    if (performance.now() - startMs > options.budgetMs) break;
    const before = memory();
    let held = 0;
    for (const size of round === 0 ? sizes : sizes.slice(-1)) {
      await grow(held, size);
      held = size;
      if (round > 0) continue;
      const open = memory();
      const { p99, cpu } = await measureRequests(scene, neighbour, phaseMs);
      steps.push({ size, p99, cpu: cpu['gateway'] ?? Number.NaN, memory: difference(open, before) });
    }
    const open = memory();
    const { count } = await scene.generator.run({ kind: 'release' });
    lost.push(held - count);
    await delay(settleMs);
    rounds.push({ before, open, after: memory() });
    console.error(`idle: round ${round + 1} of ${options.rounds}: ${held} streams`);
  }
  const notes = [
    `Neighbours without idle streams: p99 ${format(alone.p99)} µs, ${format(alone.cpu['gateway'] ?? Number.NaN)} µs of the gateway's CPU a request.`,
    `Streams that were no longer open when they should be closed, round by round: ${lost.join(', ')}.`,
    ...(rounds.length < options.rounds
      ? [`${rounds.length} of ${options.rounds} rounds: the time was over.`]
      : []),
    afterTable(rounds, sizes.at(-1) ?? 0),
  ];
  return {
    title: `Idle TLS streams, agents under ${agentRuntime === 'bun' ? 'Bun' : 'Node'}`,
    sizeName: 'idle streams',
    curves: curvesOf(steps, warming),
    notes,
  };
}

function difference(a: Memory, b: Memory): Memory {
  return { gateway: a.gateway - b.gateway, agents: a.agents - b.agents };
}

function curvesOf(steps: readonly Step[], warming: number): Curve[] {
  const curve = (name: string, unit: string, work: 0 | 1, cost: (step: Step) => number): Curve => ({
    name,
    unit,
    work,
    points: steps.map((step) => ({ size: step.size, cost: cost(step) })),
  });
  // From one size to the next. The first streams find room in what was there before, so those of the greater sizes are told.
  const memoryCurve = (name: string, pick: (memory: Memory) => number): Curve => ({
    name,
    unit: 'KB',
    work: 0,
    points: steps.slice(1).flatMap(({ size, memory }, i) => {
      const before = steps[i];
      if (before === undefined || before.size < warming * 5) return [];
      return [{ size, cost: (pick(memory) - pick(before.memory)) / (size - before.size) }];
    }),
  });
  return [
    curve('p99 of neighbours, n = 16', 'µs', 0, ({ p99 }) => p99),
    curve('gateway CPU of a request of neighbours', 'µs', 0, ({ cpu }) => cpu),
    memoryCurve('memory of one stream more, gateway', ({ gateway }) => gateway),
    memoryCurve('memory of one stream more, agents', ({ agents }) => agents),
  ];
}

/** How memory comes down again, round after round. */
function afterTable(rounds: readonly RoundFigures[], size: number): string {
  const megabytes = (kilobytes: number): string => format(kilobytes / 1024);
  const rows = rounds.map(({ before, open, after }, i) => [
    `${i + 1}`,
    ...[before, open, after].map(({ gateway }) => megabytes(gateway)),
    ...[before, open, after].map(({ agents }) => megabytes(agents)),
  ]);
  const perStream = (pick: (memory: Memory) => number): string =>
    format(median(rounds.map(({ before, open }) => (pick(open) - pick(before)) / size)));
  const all = `KB a stream, median of the rounds: gateway ${perStream(({ gateway }) => gateway)}, agents ${perStream(({ agents }) => agents)}. From the second round on, memory that an earlier round left is used again.`;
  const columns = ['before', `with ${size.toLocaleString('en')}`, 'after they closed'];
  const header = [
    'round',
    ...columns.map((each) => `gateway ${each}, MB`),
    ...columns.map((each) => `agents ${each}, MB`),
  ];
  return `${table(header, rows)}\n\n${all}`;
}
