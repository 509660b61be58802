// From the jail: families of system calls, other processes without a signal, queues, networks, files of the kernel. All of a kind are
// played in one run, with the jail and without.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';

import type { AttackCase, Bench, Verdict } from '../support/bench.ts';
import { SkippedCase } from '../support/bench.ts';
import { type Runtime, userIds, type User } from '../support/lab.ts';
import { attacksBy, withoutJail } from './jail.ts';

/** What an attack takes: nothing, a process (the victim's, and the agent's), the key of queues outside, the port of a listener outside. */
type Target = 'none' | 'process' | 'queue' | 'port';

interface Row {
  readonly word: string;
  readonly target: Target;
  readonly users: readonly User[];
  readonly title: string;
}

const everybody: readonly User[] = ['agent', 'container', 'root'];
const roots: readonly User[] = ['root'];

const rows = (target: Target, users: readonly User[], list: string): readonly Row[] =>
  list
    .split('\n')
    .map((line) => /^\s*(\S+) +(.+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, word = '', title = '']) => ({ word, target, users, title }));

const table: readonly Row[] = [
  ...rows(
    'none',
    everybody,
    `mount             a mount of its own
     umount            a mount taken away
     pivot-root        another root by pivot_root
     fsopen            a file system by fsopen
     fsconfig          settings of one by fsconfig
     fsmount           a mount of one by fsmount
     fspick            settings of one that is mounted by fspick
     open-tree         a copy of mounts by open_tree
     move-mount        a mount moved
     mount-setattr     attributes of mounts
     chroot            another root by chroot
     setns             a namespace entered
     new-mounts        a namespace of mounts
     new-processes     a namespace of processes
     new-network       a namespace of networks
     new-queues        a namespace of queues
     new-groups        a namespace of control groups
     clone-users       a user namespace by clone
     clone3-users      a user namespace by clone3
     hostname          the name of the host
     domainname        the name of its domain
     add-key           a key of the kernel
     request-key       a search for keys
     keyctl            the keyring of its user
     userfaultfd       page faults by userfaultfd
     ring-setup        a ring of io_uring
     ring-enter        io_uring_enter on whatever ring there is
     ring-register     io_uring_register
     bpf               a program in the kernel
     perf-self         samples of itself
     modify-ldt        a segment by modify_ldt
     narrow-call       a system call of a 32-bit program
     page-zero         a page at address 0
     fanotify          notes of what others open
     advise-self       process_madvise
     lsm-modules       security modules by lsm_list_modules
     migrate-pages     pages moved by migrate_pages
     clock             the clock by clock_settime
     crypto-socket     a socket of the kernel's ciphers (AF_ALG)
     key-socket        a socket of IPsec keys (AF_KEY)
     init-module       a module of the kernel by init_module
     finit-module      a module of the kernel by finit_module
     delete-module     a module of the kernel taken away
     kexec             another kernel by kexec_load
     ports             ports of the machine by ioperm`,
  ),
  ...rows(
    'none',
    roots,
    `userfaultfd-device page faults by /dev/userfaultfd
     open-by-handle    a file by its handle, past every folder
     kernel-log        the log of the kernel
     time-of-day       the clock by settimeofday
     swapon            memory put on a disk
     swapoff           memory taken from a disk
     acct              a record of all processes
     quota             quotas of users
     pid-max           how many processes there may be
     overcommit        how memory is promised
     dumpable-programs core files of setuid programs
     interrupts        where interrupts go
     power             the machine put to sleep
     sysrq             the keys of sysrq-trigger
     modprobe          the program that loads modules
     physical-memory   the memory of the machine`,
  ),
  ...rows(
    'process',
    everybody,
    `priority          its priority
     affinity          its processors
     scheduler         its scheduler
     disk-priority     its priority on disks
     oom-score         who is ended first without memory
     clear-refs        marks of its pages
     core-filter       what its core file would hold
     network-of        connections of its network
     root-of           its root
     folder-of         its folder
     program-of        its program
     threads-of        its threads
     mappings-of       its mapped files
     descriptors-of    what its descriptors are
     counters-of       its counters of files
     pages-of          its page table
     sizes-of          its mappings and their sizes
     command-line-of   its command line
     status-of         its status
     namespace-of      its namespaces
     mounts-of         its mounts
     system-call-of    its system call and stack
     handle-of         a handle of it by pidfd_open
     robust-list       an address in it by get_robust_list
     core-limit-of     its limit of core files
     time-limit-of     its limit of time
     memory-limit-of   its limit of memory
     session-of        its session`,
  ),
  ...rows(
    'process',
    roots,
    `timer-slack       its timers
     enter             its namespaces entered
     advise            its pages put out by process_madvise`,
  ),
  ...rows(
    'queue',
    everybody,
    `message           a message into a queue of outside
     shared-memory     shared memory of outside
     semaphore         a semaphore of outside
     posix-queue       a POSIX queue of outside`,
  ),
  ...rows(
    'port',
    everybody,
    `connect           a connection to a listener outside
     connections       connections outside, in /proc`,
  ),
  ...rows(
    'none',
    everybody,
    `address           an address for an interface
     tunnel            a tunnel device`,
  ),
  ...rows('none', ['agent'], 'packets           packets of the network'),
];

const first = 47;
const titles: Readonly<Record<Target, string>> = {
  none: 'from the jail: ',
  process: 'from the jail, of a process outside and of the agent: ',
  queue: 'from the jail: ',
  port: 'from the jail: ',
};
const reasons = (row: Row): string =>
  row.users === roots
    ? 'the kernel refuses this to all but root by itself'
    : 'root of a jail has CAP_NET_RAW for its own network';

export const insideCases: readonly AttackCase[] = table.map((row, index) => ({
  number: String(first + index),
  title: `${titles[row.target]}${row.title}`,
  users: row.users,
  otherUsers: reasons(row),
  // Bun has no layer `network`.
  ...(row.target === 'port' ? { runtimes: ['node', 'single'] satisfies readonly Runtime[] } : {}),
  play: (bench) => verdict(bench, row),
}));

interface Result {
  readonly worked: boolean;
  readonly said: string;
}

interface Played {
  readonly denied: ReadonlyMap<string, readonly Result[]>;
  readonly control: ReadonlyMap<string, Result>;
}

/** One for each program and user of a lab. */
const played = new WeakMap<object, Map<string, Promise<Played>>>();

async function verdict(bench: Bench, row: Row): Promise<Verdict> {
  const kept = played.get(bench.lab) ?? new Map<string, Promise<Played>>();
  played.set(bench.lab, kept);
  const key = `${bench.runtime} ${bench.user}`;
  const run = kept.get(key) ?? playAll(bench);
  kept.set(key, run);
  const { denied, control } = await run;
  const results = denied.get(row.word) ?? [];
  assert.ok(results.length > 0);
  for (const { worked, said } of results) assert.ok(!worked, said);
  const told = control.get(row.word)?.said ?? '';
  if (control.get(row.word)?.worked !== true) {
    // A kernel that is built without it refuses it to everybody.
    if (/: (?:ENOSYS|EAFNOSUPPORT|ENOENT|ENODEV)$/.test(told))
      throw new SkippedCase(`without the jail too: ${told}`);
    assert.fail(`the control failed, so nothing is proven: ${told}`);
  }
  return { denied: results.map(({ said }) => said.replace(/^denied: /, '')).join('; '), control: told };
}

async function playAll(bench: Bench): Promise<Played> {
  const chosen = table.filter(
    ({ users, target }) => users.includes(bench.user) && (target !== 'port' || bench.runtime !== 'bun'),
  );
  await using outside = await openOutside(bench);
  const attackOf = ({ word, target }: Row, agent: boolean): readonly (string | number)[] => [
    word,
    agent ? 'AGENT' : outside.numbers[target],
  ];
  const twice = chosen.flatMap((row) =>
    row.target === 'process' ? [attackOf(row, false), attackOf(row, true)] : [attackOf(row, false)],
  );
  const jailed = await attacksBy(bench, twice);
  const bare = await attacksBy(
    bench,
    chosen.map((row) => attackOf(row, false)),
    withoutJail,
  );
  const denied = new Map<string, Result[]>();
  for (const [index, [word]] of twice.entries()) {
    const result = jailed[index];
    if (result !== undefined) denied.set(String(word), [...(denied.get(String(word)) ?? []), result]);
  }
  const control = new Map(chosen.flatMap(({ word }, index) => (bare[index] ? [[word, bare[index]]] : [])));
  return { denied, control };
}

interface Outside extends AsyncDisposable {
  readonly numbers: Readonly<Record<Target, number>>;
}

/** A process that protects nothing, its queues, and a listener. */
async function openOutside(bench: Bench): Promise<Outside> {
  const victim = await bench.victim();
  const key = 0x5eed_0000 + (process.pid % 10_000) * 4 + userIds[bench.user];
  const queues = bench.lab.start([bench.lab.attackFile, 'serve-queues', String(key)], { hasInput: true });
  await bench.until('queues are there', () => queues.said().includes('serving 1 1 1 1'), queues);
  const server = createServer((socket) => socket.on('error', () => undefined).destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    numbers: { none: 0, process: victim.pid, queue: key, port: address.port },
    [Symbol.asyncDispose]: async () => {
      server.close();
      queues.child.stdin?.end();
      await queues.ended;
    },
  };
}
