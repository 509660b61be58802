// What an idle TLS stream keeps in agent and gateway, by where TLS ends and what the agent runs under. Each figure is of fresh processes.

import { parseArgs } from 'node:util';

import { runtimeFile } from './child.ts';
import { upstreamproxy } from './contenders.ts';
import { residentKilobytes } from './process-usage.ts';
import { boundedCell } from './report/bounded-cell.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { table } from './report/table.ts';
import { openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { tlsArgs } from './variants.ts';

interface Kind {
  readonly tls: 'agent' | 'gateway';
  readonly runtime: 'node' | 'bun';
  readonly args: readonly string[];
}

/** Kilobytes at the most, by where TLS ends. */
const bounds = {
  agent: { agent: { node: 65, bun: 18 }, gateway: 16 },
  gateway: { agent: { node: 18, bun: 18 }, gateway: 60 },
} as const;

interface PerStream {
  readonly agent: number;
  readonly gateway: number;
}

export async function benchIdle(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      streams: { type: 'string', default: '2000' },
      rounds: { type: 'string', default: '3' },
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const streams = values.quick ? 100 : Number(values.streams);
  const rounds = values.quick ? 1 : Number(values.rounds);
  const loadAtStart = loadNow();
  await using scene = await openScene();
  const found = new Map<Kind, PerStream[]>(kinds().map((kind) => [kind, []]));
  for (let round = 1; round <= rounds; round += 1)
    for (const [kind, list] of found) {
      list.push(await perStream(scene, kind, streams));
      console.error(`round ${round} of ${rounds}: TLS ends in the ${kind.tls}, agent under ${kind.runtime}`);
    }
  const machine = machineLine(loadAtStart, [`${rounds} rounds of ${streams} streams`]);
  const text = `${machine}.\n\n${idleTable(found)}`;
  console.log(text);
  if (values.save) await saveSection('idle', text);
}

function kinds(): Kind[] {
  const runtimes = runtimeFile('bun') === process.execPath ? (['node'] as const) : (['node', 'bun'] as const);
  const places = (['agent', 'gateway'] as const).flatMap((tls) => {
    const args = tlsArgs(tls);
    return args === undefined && tls === 'agent' ? [] : [{ tls, args: args ?? [] }];
  });
  return places.flatMap(({ tls, args }) => runtimes.map((runtime) => ({ tls, args, runtime })));
}

async function perStream(scene: Scene, kind: Kind, streams: number): Promise<PerStream> {
  const { runtime, args } = kind;
  await using ours = await upstreamproxy(await scene.folder(), scene.origin, { runtime, args });
  const { to } = ours;
  // Code, certificates and connections to the origin are there before it is counted.
  await scene.generator.run({ kind: 'requests', to, connections: 16, ms: 500 });
  await scene.generator.run({ kind: 'hold', to, count: Math.ceil(streams / 20) });
  const resident = (): PerStream => {
    const { agent = [], gateway = [] } = ours.pids();
    return { agent: residentKilobytes(agent), gateway: residentKilobytes(gateway) };
  };
  const before = resident();
  await scene.generator.run({ kind: 'hold', to, count: streams });
  const after = resident();
  await scene.generator.run({ kind: 'release' });
  return {
    agent: (after.agent - before.agent) / streams,
    gateway: (after.gateway - before.gateway) / streams,
  };
}

function idleTable(found: ReadonlyMap<Kind, readonly PerStream[]>): string {
  const rows = [...found].map(([{ tls, runtime }, list]) => [
    tls,
    runtime === 'bun' ? 'Bun' : 'Node',
    boundedCell(
      list.map(({ agent }) => agent),
      bounds[tls].agent[runtime],
    ),
    boundedCell(
      list.map(({ gateway }) => gateway),
      bounds[tls].gateway,
    ),
  ]);
  return table(
    ['TLS ends in the', 'agent under', 'KB a stream in the agent', 'KB a stream in the gateway'],
    rows,
  );
}
