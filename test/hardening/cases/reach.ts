// Ways around the jail that are no system call on a process: signals by detours, files of the kernel, networks without a namespace.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

import type { AttackCase, Bench, Verdict } from '../support/bench.ts';
import { isAlive, userIds } from '../support/lab.ts';
import { attackBy, withoutJail, type RunOptions } from './jail.ts';

const [SIGKILL, SIGCONT] = [9, 18];

/** SECURITY.md says so, and each case that looks for the held token as root sees it. */
export const rootReadsAll = 'root with CAP_SYS_PTRACE outside the jail reads everything';

export const reachCases: readonly AttackCase[] = [
  {
    number: '31b',
    title: 'from the jail: signals by tgkill, rt_sigqueueinfo, pidfd_send_signal, F_SETOWN',
    play: (bench) => detours(bench),
  },
  {
    number: '42',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'files of /proc/PID that are closed while the token is held',
    short: true,
    play: (bench) => procFiles(bench),
  },
  {
    number: '43',
    users: ['root'],
    otherUsers: 'needs rights that only root has without the jail',
    title:
      'from the jail, as root: the kernel starts a program, or another kernel, a control group stops a process',
    needsRoot: true,
    play: (bench) => kernelFiles(bench),
  },
  {
    number: '44',
    title: 'from the jail: a socket to the host of the virtual machine (AF_VSOCK)',
    play: (bench) => hostSocket(bench),
  },
  {
    number: '45',
    title: 'from the jail: typing into the terminal (TIOCSTI)',
    play: (bench) => typing(bench),
  },
  {
    number: '46',
    title: 'from the jail with Landlock alone: an abstract socket of a process outside',
    play: (bench) => abstractSocket(bench),
  },
];

async function detours(bench: Bench): Promise<Verdict> {
  const victim = await bench.victim();
  const ways = ['thread-signal', 'queue-signal', 'handle-signal'];
  const denied: string[] = [];
  for (const word of [...ways, 'owner-signal']) {
    for (const target of [victim.pid, 'AGENT']) {
      const { worked, said } = await attackBy(bench, [word, target, SIGKILL]);
      assert.ok(!worked, `${word} on ${target}: ${said}`);
      denied.push(said.replace(/^denied: /, ''));
    }
  }
  assert.ok(isAlive(victim.pid));
  for (const word of ways) {
    const { worked, said } = await attackBy(bench, [word, victim.pid, SIGCONT], withoutJail);
    assert.ok(worked, `the control of ${word} failed: ${said}`);
  }
  const last = await attackBy(bench, ['owner-signal', victim.pid, SIGKILL], withoutJail);
  assert.ok(last.worked, `the control of owner-signal failed: ${last.said}`);
  await victim.ended;
  return {
    denied: [...new Set(denied)].join('; '),
    control: 'without the jail all 4 reach the victim, the last one ends it',
  };
}

/** What everybody may read of every process (proc_pid(5)): names, counters, limits; nothing of its memory. */
const openToAll = new Set(
  (
    'arch_status autogroup cgroup cmdline comm coredump_filter cpuset cpu_resctrl_groups gid_map ksm_merging_pages ksm_stat ' +
    'latency limits loginuid net oom_adj oom_score oom_score_adj patch_state projid_map sched schedstat seccomp_cache ' +
    'sessionid setgroups stat statm status task timens_offsets uid_map ' +
    // The entries of attr and ns are judged one by one; wchan is 0; what is mounted is so for the attacker too.
    'attr ns wchan mounts mountinfo'
  ).split(' '),
);

/** The files of a process that is not dumpable are root's, so these open by their owner; what stands behind their entries is closed (cases 8, 9). */
const openToOwner = new Set(['fd', 'map_files', 'mountstats']);

async function procFiles(bench: Bench): Promise<Verdict> {
  const names = async (pid: number): Promise<readonly string[]> => {
    const { worked, said } = await bench.attack(['proc-files', pid]);
    assert.ok(worked, said);
    return said.replace(/^read: ?/, '').split(' ');
  };
  const open = (await names((await bench.victim()).pid)).filter((name) => !openToAll.has(name));
  for (const name of ['mem', 'environ', 'maps', 'auxv', 'fd', 'root', 'cwd', 'exe', 'smaps', 'syscall'])
    assert.ok(open.includes(name), `the control could not read ${name}, so nothing is proven`);
  const agent = await bench.agent('enrolling');
  if (bench.lab.isRoot) await bench.mustHoldToken(agent);
  const isOpen = (name: string): boolean =>
    openToAll.has(name) || (userIds[bench.user] === 0 && openToOwner.has(name));
  const left = (await names(agent.pid)).filter((name) => !isOpen(name));
  assert.deepEqual(left, []);
  return { denied: `${open.length} files and folders are closed`, control: `open: ${open.join(' ')}` };
}

async function kernelFiles(bench: Bench): Promise<Verdict> {
  const asRoot: RunOptions = { user: 'root' };
  const victim = await bench.victim({ user: 'root' });
  const attacks = [['kernel-setting'], ['kernel-boot'], ['freeze', victim.pid]] as const;
  const controls: string[] = [];
  const denied: string[] = [];
  for (const attack of attacks) {
    const control = await attackBy(bench, attack, { ...asRoot, ...withoutJail });
    controls.push(control.said);
    // A machine without control groups that can be written proves nothing of them.
    if (attack[0] !== 'freeze') assert.ok(control.worked, control.said);
    const { worked, said } = await attackBy(bench, attack, asRoot);
    assert.ok(!worked, said);
    denied.push(said.replace(/^denied: /, ''));
  }
  return { denied: denied.join('; '), control: controls.join('; ') };
}

async function hostSocket(bench: Bench): Promise<Verdict> {
  const control = await attackBy(bench, ['host-socket'], withoutJail);
  const { worked, said } = await attackBy(bench, ['host-socket']);
  assert.ok(!worked, said);
  // A kernel without such sockets refuses them by itself.
  if (!control.worked) assert.match(control.said, /EAFNOSUPPORT/);
  return { denied: said, control: control.said };
}

/** A terminal of its own around `run`, as a person has it. */
const inTerminal = [
  'sh',
  '-c',
  // None of the words has a single quote.
  `all=; for word do all="$all '$word'"; done; exec script -qec "$all" /dev/null`,
  'sh',
];

async function typing(bench: Bench): Promise<Verdict> {
  const setting = '/proc/sys/dev/tty/legacy_tiocsti';
  const isOpen = !existsSync(setting) || readFileSync(setting, 'latin1').trim() === '1';
  const control = await attackBy(bench, ['type'], { ...withoutJail, wrapper: inTerminal });
  // Linux 6.2 and newer may refuse it to all but CAP_SYS_ADMIN.
  assert.equal(control.worked, isOpen, control.said);
  const { worked, said } = await attackBy(bench, ['type'], { wrapper: inTerminal });
  assert.ok(!worked, said);
  assert.match(said, /EPERM/);
  return { denied: said, control: control.said };
}

async function abstractSocket(bench: Bench): Promise<Verdict> {
  const name = process.pid;
  const server = bench.start([bench.lab.attackFile, 'serve-abstract', String(name)]);
  await bench.until('somebody listens', () => server.said().includes('listening'), server);
  const control = await attackBy(bench, ['abstract', name], withoutJail);
  assert.ok(control.worked, control.said);
  const jail = ['--isolate=require', '--jail-layers=no-new-privs,landlock'];
  const { worked, said } = await attackBy(bench, ['abstract', name], { jail });
  assert.ok(!worked, said);
  return { denied: said, control: control.said };
}
