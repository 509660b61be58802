// `npm run test:hardening`: attacks on the agent, each with a control that works on an unprotected process; a table,
// and one line that sums it up. Arguments are numbers of cases to play instead of all. As root it takes a network
// namespace and users of its own; otherwise it plays what it can and names what it skips.

import { spawnSync } from 'node:child_process';

import { cases } from '../test/hardening/cases.ts';
import { Bench, type AttackCase } from '../test/hardening/support/bench.ts';
import { Lab, type Runtime } from '../test/hardening/support/lab.ts';

const caseTimeoutMs = 300_000;
const insideVariable = 'UPSTREAMPROXY_HARDENING_NAMESPACE';

type Outcome = { readonly verdict: 'passed' | 'failed' | 'skipped'; readonly lines: readonly string[] };

async function play(lab: Lab, attack: AttackCase, runtime: Runtime): Promise<Outcome> {
  if (attack.needsRoot === true && !lab.isRoot) return { verdict: 'skipped', lines: ['needs root'] };
  const deadline = AbortSignal.timeout(caseTimeoutMs);
  const late = new Promise<never>((_resolve, reject) => {
    deadline.addEventListener('abort', () => reject(new Error(`not done within ${caseTimeoutMs} ms`)));
  });
  try {
    await using bench = new Bench(lab, runtime);
    const { denied, control } = await Promise.race([attack.play(bench), late]);
    return { verdict: 'passed', lines: [`attack:  ${denied}`, `control: ${control}`] };
  } catch (error) {
    return {
      verdict: 'failed',
      lines: (error instanceof Error ? (error.stack ?? error.message) : String(error)).split('\n'),
    };
  }
}

function ensureCompiler(isRoot: boolean): void {
  if (spawnSync('cc', ['--version']).status === 0) return;
  if (isRoot) spawnSync('apt-get', ['install', '-y', '-q', 'gcc', 'libc6-dev'], { stdio: 'inherit' });
  if (spawnSync('cc', ['--version']).status !== 0)
    throw new Error('the attacks need a C compiler: install gcc');
}

async function playAll(): Promise<number> {
  const wanted = new Set(process.argv.slice(2));
  const chosen = cases.filter(({ number }) => wanted.size === 0 || wanted.has(number));
  ensureCompiler(process.getuid?.() === 0);
  await using lab = await Lab.open();
  if (process.env[insideVariable] !== undefined)
    await lab.finish([lab.attackFile, 'loopback-up'], { user: 'root' });
  if (!lab.isRoot)
    console.log('not root: the agent and its attacker are this user; cases that need root are skipped\n');
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const attack of chosen) {
    for (const runtime of attack.runtimes ?? (['node', 'bun'] as const)) {
      const started = performance.now();
      const { verdict, lines } = await play(lab, attack, runtime);
      counts[verdict] += 1;
      const mark = { passed: '✔', failed: '✖', skipped: '﹣' }[verdict];
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(
        `${mark} ${attack.number.padStart(3)}  ${runtime.padEnd(4)}  ${attack.title}  (${seconds} s)`,
      );
      for (const line of lines) console.log(`            ${line}`);
    }
  }
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/** Plays in a network namespace of its own: no port of the machine is in the way, and a sniffer sees these cases alone. */
function playInNamespace(): number {
  const command = ['-n', '--', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync('unshare', command, {
    stdio: 'inherit',
    env: { ...process.env, [insideVariable]: '1' },
  });
  return status ?? 1;
}

const canUnshare = process.getuid?.() === 0 && spawnSync('unshare', ['-n', 'true']).status === 0;
process.exit(canUnshare && process.env[insideVariable] === undefined ? playInNamespace() : await playAll());
