// How long the event loop of a gateway stands still while a policy of 5,000 rules replaces another: read on the thread that
// serves, and as the gateway does it. usage: node bench/policy-reload.ts [--rules N]

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PolicySource } from '../src/gateway/policies/policy-source.ts';
import { parsePolicy } from '../src/policy/parse-policy.ts';

const { values } = parseArgs({ options: { rules: { type: 'string', default: '5000' } } });
const count = Number(values.rules);
const rounds = 5;

const shapes: Readonly<Record<string, (i: number) => string>> = {
  'hosts differ': (i) => `hosts: h${i}.example.com, methods: [GET, HEAD], paths: /v1/repos/o${i}/*`,
  'one host, paths differ': (i) => `hosts: api.example.com, methods: [GET, HEAD], paths: /v1/repos/o${i}/*`,
  'one host, claims differ': (i) => `hosts: api.example.com, for: { tenant: t${i} }`,
  'one host, denials': (i) => `hosts: api.example.com, deny: true, paths: /v1/o${i}/*`,
  repositories: (i) => `hosts: git.example.com, git: { repository: acme/r${i}, operations: fetch }`,
  conditions: (i) => `hosts: h${i}.example.com, when: 'request.method == "GET" && claims.tenant == "t${i}"'`,
};

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

interface Pause {
  readonly pauseMs: number;
  readonly tookMs: number;
}

/** The longest pause of the event loop meanwhile, and how long it all took, in milliseconds. */
async function pauseOf(work: () => unknown): Promise<Pause> {
  const monitor = monitorEventLoopDelay({ resolution: 1 });
  monitor.enable();
  // The monitor sees a pause that begins and ends while its timer runs.
  await setTimeout(10);
  const startMs = performance.now();
  await work();
  const tookMs = performance.now() - startMs;
  await setTimeout(10);
  monitor.disable();
  return { pauseMs: monitor.max / 1e6, tookMs };
}

const directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-bench-'));
try {
  const file = join(directory, 'policy.yaml');
  for (const [name, rule] of Object.entries(shapes)) {
    const textOf = (round: number): string =>
      `# ${round}\nrules:\n${Array.from({ length: count }, (_, i) => `  - { name: r${i}, ${rule(i)} }\n`).join('')}`;
    await writeFile(file, 'rules: [{ name: a, hosts: a.example.com }]\n');
    await using source = await PolicySource.open(file, { pollIntervalMs: 0 });
    const here: number[] = [];
    const aside: number[] = [];
    const took: number[] = [];
    const idle: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const text = textOf(round);
      here.push((await pauseOf(() => parsePolicy([{ file, text }]))).pauseMs);
      await writeFile(file, text);
      const { pauseMs, tookMs } = await pauseOf(() => source.reload());
      if (source.state.failure !== undefined) throw new Error('the policy was not taken');
      aside.push(pauseMs);
      took.push(tookMs);
      // What the machine does to a loop that has nothing to do.
      idle.push((await pauseOf(() => setTimeout(tookMs))).pauseMs);
    }
    const [hereMs, asideMs, idleMs, tookMs] = [here, aside, idle, took].map((all) => median(all).toFixed(1));
    console.log(
      `${name.padEnd(24)} here ${hereMs} ms, aside ${asideMs} ms (idle ${idleMs} ms), in force after ${tookMs} ms`,
    );
  }
} finally {
  await rm(directory, { recursive: true });
}
