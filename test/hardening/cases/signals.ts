// Signals, core files and limits: what a process of the same user can do to another without reading it.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { patienceMs } from '../../support/patience.ts';
import { isAlive } from '../support/lab.ts';
import type { AttackCase, Bench, Verdict } from '../support/bench.ts';

const SIGUSR1 = 10;
const coreSignals = ['SIGABRT', 'SIGQUIT', 'SIGSEGV'] as const;
/** A limit in blocks that keeps the control's core files small. */
const coreBlocks = 65_536;

export const signalCases: readonly AttackCase[] = [
  { number: '11', title: 'SIGUSR1 opens no inspector', needsRoot: true, play: (bench) => inspector(bench) },
  {
    number: '13',
    title: 'SIGABRT, SIGQUIT, SIGSEGV with core files allowed',
    short: true,
    play: (bench) => cores(bench),
  },
  { number: '14', title: 'raise RLIMIT_CORE with prlimit, then SIGABRT', play: (bench) => raisedCore(bench) },
];

/** Ports on which a process listens, as root sees them. */
function listeningPorts(pid: number): readonly number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && inodes.has(fields[9] ?? ''))
      .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)),
  );
}

/** Ports that a process opens when it gets SIGUSR1. */
export async function openedBySignal(
  bench: Bench,
  pid: number,
  mustOpen = false,
): Promise<readonly number[]> {
  const before = listeningPorts(pid);
  const { worked, said } = await bench.attack(['signal', pid, SIGUSR1]);
  assert.ok(worked, `the signal did not arrive: ${said}`);
  // Node opens the inspector on a thread of its own; a port that comes later would be missed, so wait well beyond.
  const waitsMs = mustOpen ? patienceMs : 1_000;
  for (let waitedMs = 0; waitedMs < waitsMs; waitedMs += 50) {
    await delay(50);
    if (!isAlive(pid)) return [];
    const opened = listeningPorts(pid).filter((port) => !before.includes(port));
    if (opened.length > 0) return opened;
  }
  return [];
}

async function inspector(bench: Bench): Promise<Verdict> {
  // Bun has no inspector that a signal opens; there the signal ends an unprotected process.
  const victim = await bench.victim();
  const opened = await openedBySignal(bench, victim.pid, true);
  const control = bench.engine === 'node' ? `port ${opened.join()} opened` : 'the victim ended';
  assert.ok(bench.engine === 'node' ? opened.length > 0 : !isAlive(victim.pid), 'the control failed');
  const seen: string[] = [];
  for (const until of ['enrolling', 'up'] as const) {
    const agent = await bench.agent(until);
    assert.deepEqual(await openedBySignal(bench, agent.pid), []);
    assert.ok(isAlive(agent.pid), `the agent that is ${until} ended`);
    seen.push(`${until}: no port, alive`);
  }
  return { denied: seen.join('; '), control };
}

const allowCores = ['sh', '-c', `ulimit -c ${coreBlocks} && exec "$@"`, 'sh'];

function coresIn(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.startsWith('core'));
}

/** Core files go to the working folder under this pattern alone; with another the control fails, and says why. */
async function mustLeaveCore(
  bench: Bench,
  end: (pid: number) => Promise<void>,
  blocks = allowCores,
): Promise<void> {
  const cwd = bench.lab.newFolder();
  const victim = await bench.victim({ cwd, wrapper: blocks });
  await end(victim.pid);
  await victim.ended;
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  assert.ok(coresIn(cwd).length > 0, `the victim left no core file (core_pattern is ${pattern})`);
}

async function cores(bench: Bench): Promise<Verdict> {
  await mustLeaveCore(bench, async (pid) => void process.kill(pid, 'SIGABRT'));
  for (const signal of coreSignals) {
    const cwd = bench.lab.newFolder();
    const agent = await bench.agent('enrolling', { cwd, wrapper: allowCores });
    process.kill(agent.pid, signal);
    await agent.ended;
    assert.deepEqual(coresIn(cwd), [], `${signal} left a core file`);
  }
  return { denied: `no core file after ${coreSignals.join(', ')}`, control: 'the victim left a core file' };
}

async function raisedCore(bench: Bench): Promise<Verdict> {
  // Hard limit unlimited, soft 0: the attacker raises it.
  const softZero = ['sh', '-c', 'ulimit -S -c 0 && exec "$@"', 'sh'];
  await mustLeaveCore(
    bench,
    async (pid) => {
      const { worked, said } = await bench.attack(['core-limit', pid]);
      assert.ok(worked, `the control failed: ${said}`);
      process.kill(pid, 'SIGABRT');
    },
    softZero,
  );
  const cwd = bench.lab.newFolder();
  const agent = await bench.agent('enrolling', { cwd, wrapper: softZero });
  const { worked, said } = await bench.attack(['core-limit', agent.pid]);
  assert.ok(!worked, said);
  process.kill(agent.pid, 'SIGABRT');
  await agent.ended;
  assert.deepEqual(coresIn(cwd), []);
  return { denied: `${said}; no core file`, control: 'limit raised, core file left' };
}
