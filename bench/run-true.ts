// What `run` adds to a command, beside controls: `run -- true` of the single-file agent against a gateway that runs, and as npm installs
// it, with a gateway of its own, beside the sandbox of others.
// usage: npm run bench -- run-true [--rounds N] [--agent FILE] [--npm-only]

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startOrigin, upstreamproxy } from './contenders.ts';
import { runFolder } from './run-folder.ts';
import { installOurs, installPeer, type TimedProgram } from './run-true-programs.ts';

const launcher = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const builder = fileURLToPath(new URL('../scripts/build-agent.ts', import.meta.url));

function mustRun(file: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
}

/** From the start of a process to its end, in milliseconds. */
async function elapsed(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<number> {
  const startMs = performance.now();
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  return performance.now() - startMs;
}

function quantile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

type Timer = (program: Omit<TimedProgram, 'env'> & Partial<TimedProgram>) => Promise<void>;

/** Runs the comparison and prints it. */
export async function benchRunTrue(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '30' },
      agent: { type: 'string' },
      'npm-only': { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  await using stack = new AsyncDisposableStack();
  const directory = await runFolder(stack);
  const singleFile = values['npm-only']
    ? undefined
    : await singleFileRounds(directory, { rounds, agent: values.agent }, stack);
  const peer = installPeer(directory);
  if (typeof peer === 'string') console.error(`skipped: ${peer}`);
  const installed = [installOurs(directory), ...(typeof peer === 'string' ? [] : [peer])];
  const results = new Map<string, number[]>();
  const time: Timer = async ({ name, file, args: words, env }) => {
    const ms = await elapsed(file, words, env);
    results.set(name, [...(results.get(name) ?? []), ms]);
  };
  for (let round = 0; round <= rounds; round++) {
    // The first fills the page cache and is not counted.
    if (round === 1) results.clear();
    await time({ name: 'true', file: 'true', args: [] });
    await time({ name: 'node -e 0', file: process.execPath, args: ['-e', '0'] });
    await singleFile?.(round, time);
    for (const program of installed) await time(program);
  }
  print(results);
}

/** One round of the single file, against a gateway that runs. */
async function singleFileRounds(
  directory: string,
  { rounds, agent: built }: { readonly rounds: number; readonly agent: string | undefined },
  stack: AsyncDisposableStack,
): Promise<(round: number, time: Timer) => Promise<void>> {
  const agent = built ?? join(directory, 'upstreamproxy-agent');
  if (built === undefined) mustRun(process.execPath, [builder, '--out', agent]);
  const running = stack.use(await upstreamproxy(directory, await startOrigin(directory, stack)));
  const config = join(directory, 'gateway.yaml');
  const ca = join(directory, 'gateway', 'server', 'server-ca.pem');
  const tokens = Array.from({ length: rounds + 1 }, (_, round) => join(directory, `token-${round}`));
  for (const token of tokens)
    mustRun(launcher, ['token', 'issue', '--config', config, '--subject', 'bench', '--out', token]);
  return async (round, time) => {
    await time({ name: 'agent version', file: agent, args: ['version'] });
    const token = tokens[round] ?? '';
    const session = ['--gateway', running.gatewayUrl, '--gateway-ca', ca, '--token-file', token];
    await time({
      name: 'single file: run -- true',
      file: agent,
      args: ['run', '--quiet', ...session, '--', 'true'],
    });
  };
}

function print(results: ReadonlyMap<string, readonly number[]>): void {
  const nodes = results.get('node -e 0') ?? [];
  console.log(`\n${nodes.length} rounds; milliseconds; ratio to the start of Node in the same round\n`);
  console.log('what | median | p90 | least | ratio');
  for (const [name, list] of results) {
    const ratios = list.map((ms, round) => ms / (nodes[round] ?? Number.NaN));
    const cells = [quantile(list, 0.5), quantile(list, 0.9), quantile(list, 0), quantile(ratios, 0.5)];
    console.log([name, ...cells.map((value) => value.toFixed(1))].join(' | '));
  }
}
