// `npm run test:hardening`: attacks on the agent, each with a control that works on an unprotected process; a table,
// and one line that sums it up. Each is played against the program from source under Node and Bun and as a single file; as root it takes a network
// namespace and users of its own, and plays each as an ordinary user, as root of a container and as root. Otherwise it plays what it can and
// names what it skips. Arguments are numbers of cases, names of programs (node, bun, single) and of users (agent, container, root), instead of all.

import { spawnSync } from 'node:child_process';

import { cases } from '../test/hardening/cases.ts';
import { Bench, SkippedCase, type AttackCase } from '../test/hardening/support/bench.ts';
import { Lab, type Runtime, type User } from '../test/hardening/support/lab.ts';

const caseTimeoutMs = 300_000;
const insideVariable = 'UPSTREAMPROXY_HARDENING_NAMESPACE';

type Outcome = { readonly verdict: 'passed' | 'failed' | 'skipped'; readonly lines: readonly string[] };

const runtimes: readonly Runtime[] = ['node', 'bun', 'single'];
const users: readonly User[] = ['agent', 'container', 'root'];

async function play(
  lab: Lab,
  attack: AttackCase,
  { runtime, user }: { readonly runtime: Runtime; readonly user: User },
): Promise<Outcome> {
  if (attack.needsRoot === true && !lab.isRoot) return { verdict: 'skipped', lines: ['needs root'] };
  if (attack.users !== undefined && !attack.users.includes(user))
    return { verdict: 'skipped', lines: [attack.otherUsers ?? 'is not for this user'] };
  const deadline = AbortSignal.timeout(caseTimeoutMs);
  const late = new Promise<never>((_resolve, reject) => {
    deadline.addEventListener('abort', () => reject(new Error(`not done within ${caseTimeoutMs} ms`)));
  });
  try {
    await using bench = new Bench(lab, runtime, user);
    const { denied, control } = await Promise.race([attack.play(bench), late]);
    return { verdict: 'passed', lines: [`attack:  ${denied}`, `control: ${control}`] };
  } catch (error) {
    if (error instanceof SkippedCase) return { verdict: 'skipped', lines: [error.message] };
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

/** The words of the command line that are among these; all of them where none is. */
function named<T extends string>(all: readonly T[]): readonly T[] {
  const words = new Set<string>(process.argv.slice(2));
  const chosen = all.filter((one) => words.has(one));
  return chosen.length === 0 ? all : chosen;
}

async function playAll(): Promise<number> {
  const numbers = named(cases.map(({ number }) => number));
  const [programs, principals] = [named(runtimes), named(users)];
  ensureCompiler(process.getuid?.() === 0);
  await using lab = await Lab.open({ hasSingleFile: programs.includes('single') });
  if (process.env[insideVariable] !== undefined)
    await lab.finish([lab.attackFile, 'loopback-up'], { user: 'root' });
  if (!lab.isRoot)
    console.log('not root: the agent and its attacker are this user; cases that need root are skipped\n');
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const attack of cases.filter(({ number }) => numbers.includes(number))) {
    for (const runtime of programs.filter((one) => attack.runtimes?.includes(one) ?? true)) {
      for (const user of lab.isRoot ? principals : users.slice(0, 1)) {
        const started = performance.now();
        const { verdict, lines } = await play(lab, attack, { runtime, user });
        counts[verdict] += 1;
        const mark = { passed: '✔', failed: '✖', skipped: '﹣' }[verdict];
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        const place = `${runtime.padEnd(6)}  ${user.padEnd(9)}`;
        console.log(`${mark} ${attack.number.padStart(3)}  ${place}  ${attack.title}  (${seconds} s)`);
        for (const line of lines) console.log(`            ${line}`);
      }
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
