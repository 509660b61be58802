// What `run` adds to a command: `run -- true` of the single-file agent against a gateway that runs, beside controls.
// usage: npm run bench -- run-true [--rounds N] [--agent FILE]

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startOrigin, upstreamproxy } from './contenders.ts';

const launcher = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const builder = fileURLToPath(new URL('../scripts/build-agent.ts', import.meta.url));

function mustRun(file: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
}

/** From the start of a process to its end, in milliseconds. */
async function elapsed(file: string, args: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  return performance.now() - startMs;
}

function quantile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Runs the comparison and prints it. */
export async function benchRunTrue(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: 'string', default: '30' }, agent: { type: 'string' } },
  });
  const rounds = Number(values.rounds);
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const agent = values.agent ?? join(directory, 'upstreamproxy-agent');
  if (values.agent === undefined) mustRun(process.execPath, [builder, '--out', agent]);
  const running = stack.use(await upstreamproxy(directory, await startOrigin(directory, stack)));
  const config = join(directory, 'gateway.yaml');
  const ca = join(directory, 'gateway', 'server', 'server-ca.pem');
  const tokens = Array.from({ length: rounds + 1 }, (_, round) => join(directory, `token-${round}`));
  for (const token of tokens)
    mustRun(launcher, ['token', 'issue', '--config', config, '--subject', 'bench', '--out', token]);
  const results = new Map<string, number[]>();
  const time = async (name: string, file: string, words: readonly string[]): Promise<void> => {
    const ms = await elapsed(file, words);
    results.set(name, [...(results.get(name) ?? []), ms]);
  };
  for (const [round, token] of tokens.entries()) {
    // The first fills the page cache and is not counted.
    if (round === 1) results.clear();
    await time('true', 'true', []);
    await time('node -e 0', process.execPath, ['-e', '0']);
    await time('agent version', agent, ['version']);
    const session = ['--gateway', running.gatewayUrl, '--gateway-ca', ca, '--token-file', token];
    await time('run -- true', agent, ['run', '--quiet', ...session, '--', 'true']);
  }
  print(results);
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
