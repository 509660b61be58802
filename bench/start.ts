// How long an agent takes until its session stands, and what it has in memory by then: the single file, and the package as npm installs
// it, against a gateway that runs.
// usage: npm run bench -- start [--rounds N] [--save]

import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { firstLine, mustRun, runtimeFile, stop } from './child.ts';
import { startOrigin, upstreamproxy } from './contenders.ts';
import { residentKilobytes } from './process-usage.ts';
import { boundedCell } from './report/bounded-cell.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { table } from './report/table.ts';
import { runFolder } from './run-folder.ts';
import { installOurs } from './run-true-programs.ts';

const launcher = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const builder = fileURLToPath(new URL('../scripts/build-agent.ts', import.meta.url));

/** Milliseconds and megabytes at the most. */
const bounds = { node: { ms: 60, megabytes: 60 }, bun: { ms: 25, megabytes: 40 } } as const;

interface Starter {
  readonly name: string;
  readonly runtime: 'node' | 'bun';
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Start {
  readonly ms: number;
  readonly megabytes: number;
}

export async function benchStart(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '15' },
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const rounds = values.quick ? 1 : Number(values.rounds);
  const loadAtStart = loadNow();
  await using stack = new AsyncDisposableStack();
  const directory = await runFolder(stack);
  const starters = await makeStarters(directory);
  const running = stack.use(await upstreamproxy(directory, await startOrigin(directory, stack)));
  const found = new Map<Starter, Start[]>(starters.map((starter) => [starter, []]));
  // The first fills the page cache and is not counted.
  for (let round = 0; round <= rounds; round += 1)
    for (const [starter, list] of found) {
      const start = await startOnce(starter, { directory, gatewayUrl: running.gatewayUrl });
      if (round > 0) list.push(start);
    }
  const machine = machineLine(loadAtStart, [`${rounds} rounds`]);
  const text = `${machine}.\n\n${startTable(found)}`;
  console.log(text);
  if (values.save) await saveSection('start', text);
}

async function makeStarters(directory: string): Promise<readonly Starter[]> {
  const single = join(directory, 'upstreamproxy-agent');
  await mustRun(process.execPath, [builder, '--out', single]);
  const { file, env } = installOurs(directory);
  const bun = runtimeFile('bun');
  const starters: readonly Starter[] = [
    { name: 'single file', runtime: 'node', file: single, env },
    { name: 'from npm', runtime: 'node', file, env },
  ];
  if (bun === process.execPath) return starters;
  const path = `${join(bun, '..')}:${env['PATH'] ?? ''}`;
  const underBun = { ...env, PATH: path, UPSTREAMPROXY_RUNTIME: 'bun' };
  return [...starters, { name: 'from npm', runtime: 'bun', file, env: underBun }];
}

/** From the start of the process to the line in which it says that its session stands, each with a token of its own. */
async function startOnce(
  { file, env }: Starter,
  { directory, gatewayUrl }: { readonly directory: string; readonly gatewayUrl: string },
): Promise<Start> {
  const own = await mkdtemp(join(directory, 'start-'));
  const token = join(own, 'token');
  const config = join(directory, 'gateway.yaml');
  await mustRun(launcher, ['token', 'issue', '--config', config, '--subject', 'bench', '--out', token]);
  const ca = join(directory, 'gateway', 'server', 'server-ca.pem');
  const options = ['--quiet', `--gateway=${gatewayUrl}`, `--gateway-ca=${ca}`, `--token-file=${token}`];
  const startMs = performance.now();
  const agent = spawn(file, ['agent', ...options, `--state=${join(own, 'state')}`], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await firstLine(agent);
    return {
      ms: performance.now() - startMs,
      megabytes: residentKilobytes([agent.pid ?? 0]) / 1024,
    };
  } finally {
    await stop(agent);
  }
}

function startTable(found: ReadonlyMap<Starter, readonly Start[]>): string {
  const rows = [...found].map(([{ name, runtime }, starts]) => [
    name,
    runtime === 'bun' ? 'Bun' : 'Node',
    boundedCell(
      starts.map(({ ms }) => ms),
      bounds[runtime].ms,
    ),
    boundedCell(
      starts.map(({ megabytes }) => megabytes),
      bounds[runtime].megabytes,
    ),
  ]);
  return table(['agent', 'under', 'ready after, ms', 'resident memory then, MB'], rows);
}
