// The jail and those who came before it: terminals of the same user, what is inherited, a machine that is short of processes, an agent that is killed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

import { type AttackCase, type Bench, SkippedCase, type Verdict } from '../support/bench.ts';
import { isAlive, userIds } from '../support/lab.ts';
import { attackBy, postureOf, run, withoutJail } from './jail.ts';

export const companyCases: readonly AttackCase[] = [
  {
    number: '148',
    title: 'from the jail: a line in another terminal of the same user, with and without --fs-write',
    play: (bench) => otherTerminal(bench),
  },
  {
    number: '149',
    title:
      'a start that is short of processes does not go on with a weaker jail (RLIMIT_NPROC, --isolate=auto)',
    users: ['agent'],
    otherUsers: 'the limit does not hold for root',
    needsRoot: true,
    play: (bench) => fewProcesses(bench),
  },
  {
    number: '150',
    title: 'a start that is short of memory does not go on with a weaker jail (RLIMIT_AS, --isolate=auto)',
    play: (bench) => littleMemory(bench),
  },
  {
    number: '151',
    title: 'what the command started outlives a killed agent, without a namespace of processes',
    runtimes: ['node', 'single'],
    play: (bench) => killedAgent(bench),
  },
  {
    number: '152',
    title: 'a socket of the network outside as standard input of an isolated command',
    runtimes: ['node', 'single'],
    play: (bench) => networkInput(bench),
  },
  {
    number: '153',
    title: 'root as user 0 is told as jailed',
    users: ['root'],
    otherUsers: '--user is for root',
    play: (bench) => rootAsRoot(bench),
  },
  {
    number: '154',
    title: 'oom_score_adj, clear_refs, coredump_filter of the agent',
    users: ['agent'],
    otherUsers: 'the files of the agent are root’s',
    play: (bench) =>
      bench.deniedOnAgent(
        ({ pid }) => ['oom-score', pid],
        ({ pid }) => ['clear-refs', pid],
        ({ pid }) => ['core-filter', pid],
      ),
  },
  {
    number: '170',
    title:
      'a start in a control group that is full does not go on with a weaker jail (pids.max, --isolate=auto)',
    users: ['container', 'root'],
    otherUsers: 'only root can start in such a group here',
    needsRoot: true,
    play: (bench) => fullGroup(bench),
  },
];

/** Somebody of the same user at a terminal, which script(1) makes. */
async function openTerminal(bench: Bench): Promise<number> {
  const file = join(bench.lab.newFolder(), 'terminal');
  const shell = `tty > '${file}.new'; mv '${file}.new' '${file}'; sleep 300`;
  const person = bench.start(['script', '-qec', shell, '/dev/null']);
  await bench.until('there is a terminal', () => existsSync(file), person);
  const [, number] = /^\/dev\/pts\/(\d+)$/.exec(readFileSync(file, 'utf8').trim()) ?? [];
  assert.ok(number !== undefined);
  return Number(number);
}

async function otherTerminal(bench: Bench): Promise<Verdict> {
  const number = await openTerminal(bench);
  const control = await attackBy(bench, ['terminal', number], withoutJail);
  assert.ok(control.worked, control.said);
  const first = await attackBy(bench, ['terminal', number]);
  assert.ok(!first.worked, first.said);
  const limited = await attackBy(bench, ['terminal', number], { more: ['--fs-write=/tmp'] });
  assert.ok(!limited.worked, limited.said);
  return { denied: `${first.said}; ${limited.said}`, control: control.said };
}

/** Layers that hold, or that nothing was started. */
async function startWith(bench: Bench, wrapper: readonly string[]): Promise<'nothing' | readonly unknown[]> {
  const mark = join(bench.lab.newFolder(), 'mark');
  const { code, said } = await run(bench, ['touch', mark], {
    jail: ['--isolate=auto', '--posture'],
    wrapper,
  });
  if (!existsSync(mark)) {
    assert.notEqual(code, 0, said);
    return 'nothing';
  }
  const json = /^\{$[\s\S]*?^\}$/m.exec(said)?.[0];
  assert.ok(json !== undefined, said);
  // Printed by our own program.
  return (JSON.parse(json) as { readonly jailLayers: readonly unknown[] }).jailLayers;
}

/** Under each of the limits all layers hold, or nothing is started; and both are seen. */
async function withLimits(
  bench: Bench,
  limited: (limit: number) => readonly string[],
  limits: readonly number[],
): Promise<Verdict> {
  const full = await startWith(bench, []);
  assert.ok(full !== 'nothing' && full.length > 0);
  const seen: string[] = [];
  for (const limit of limits) {
    const layers = await startWith(bench, limited(limit));
    if (layers !== 'nothing') assert.deepEqual(layers, full, `with ${limit}`);
    seen.push(`${limit}: ${layers === 'nothing' ? 'no start' : 'all layers'}`);
  }
  assert.ok(
    seen.some((line) => line.endsWith('no start')),
    `the limit was never reached: ${seen.join(', ')}`,
  );
  // What the kernel refuses is left out, as documented.
  const without = await startWith(bench, [bench.lab.attackFile, 'without-landlock', '--']);
  assert.ok(without !== 'nothing' && !without.includes('landlock'));
  return { denied: seen.join(', '), control: 'a kernel without Landlock: the other layers' };
}

function fewProcesses(bench: Bench): Promise<Verdict> {
  // Threads count too: a runtime alone has more than ten.
  const limits = [10, 18, 22, 26, 30, 60];
  return withLimits(bench, (limit) => ['prlimit', `--nproc=${limit}`, '--'], limits);
}

/** Where groups with a limit of processes can be made: the older hierarchy has one of its own, the newer says which it has. */
function groupsOfProcesses(): string {
  const [older, newer] = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'];
  if (existsSync(join(older, 'cgroup.procs'))) return older;
  const control = join(newer, 'cgroup.subtree_control');
  if (existsSync(control) && readFileSync(control, 'latin1').split(/\s+/).includes('pids')) return newer;
  throw new SkippedCase('no control group here limits processes');
}

async function fullGroup(bench: Bench): Promise<Verdict> {
  const parent = groupsOfProcesses();
  const groups: string[] = [];
  bench.use({
    [Symbol.asyncDispose]: async () => {
      for (const group of groups)
        await bench.until('the group is empty', () => {
          try {
            rmdirSync(group);
            return true;
          } catch {
            return false;
          }
        });
    },
  });
  const limited = (limit: number): readonly string[] => {
    const group = join(parent, `upstreamproxy-hardening-${process.pid}-${groups.length}`);
    mkdirSync(group);
    groups.push(group);
    writeFileSync(join(group, 'pids.max'), String(limit));
    return ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', group];
  };
  return await withLimits(bench, limited, [4, 10, 18, 22, 26, 30, 60]);
}

function littleMemory(bench: Bench): Promise<Verdict> {
  const limits = [64, 1_024, 4_096, 65_536];
  return withLimits(bench, (limit) => ['prlimit', `--as=${limit * 2 ** 20}`, '--'], limits);
}

async function killedAgent(bench: Bench): Promise<Verdict> {
  const mark = `outlives-${process.pid}-${bench.runtime}-${bench.user}`;
  const capabilities = userIds[bench.user] === 0 ? ',capabilities' : '';
  const jail = ['--isolate=require', `--jail-layers=network,no-new-privs,landlock,seccomp${capabilities}`];
  const attempt = async (options: readonly string[]): Promise<readonly number[]> => {
    const file = join(bench.lab.newFolder(), 'pids');
    // What outlives the agent must not hold the pipes of the suite.
    const script = `exec > /dev/null 2>&1; echo $PPID > '${file}.new'; echo $$ >> '${file}.new'
for i in 1 2 3; do setsid sh -c 'trap "" TERM HUP; echo $$ >> "$1"; exec sleep 300' ${mark} '${file}.new' & done
while [ "$(wc -l < '${file}.new')" -lt 5 ]; do sleep 0.05; done; mv '${file}.new' '${file}'; exec sleep 300`;
    const running = run(bench, ['sh', '-c', script], { jail: options });
    await bench.until('the command runs', () => existsSync(file));
    const [agent = 0, ...others] = readFileSync(file, 'utf8').trim().split('\n').map(Number);
    process.kill(agent, 'SIGKILL');
    await running;
    return others;
  };
  const left = await attempt(jail);
  await bench.until('all have ended', () => !left.some(isAlive));
  const control = await attempt(['--isolate=off']);
  assert.ok(control.every(isAlive), 'the control failed: what is in no jail ends by itself');
  for (const pid of control) process.kill(pid, 'SIGKILL');
  return { denied: 'nothing is left', control: 'without the jail all go on' };
}

async function networkInput(bench: Bench): Promise<Verdict> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.use({ [Symbol.asyncDispose]: async () => void server.close() });
  const { port } = server.address() as AddressInfo;
  const wrapper = ['bash', '-c', `exec 0<>/dev/tcp/127.0.0.1/${port}; exec "$@"`, 'bash'];
  const { networkIsolated, jailed, notes } = await postureOf(bench, { wrapper });
  assert.deepEqual([jailed, networkIsolated], [true, false]);
  assert.match(String(notes), /standard stream 0 is a socket/);
  const control = await postureOf(bench, {});
  assert.equal(control['networkIsolated'], true);
  return { denied: 'networkIsolated is false, and the note says why', control: 'without it, it is true' };
}

async function rootAsRoot(bench: Bench): Promise<Verdict> {
  const layers = '--jail-layers=no-new-privs,landlock,seccomp';
  const told = await postureOf(bench, { jail: ['--isolate=require', layers, '--user=0'] });
  assert.equal(told['jailed'], false);
  const control = await postureOf(bench, {
    jail: ['--isolate=require', layers, `--user=${userIds.work}:${userIds.work}`],
  });
  assert.equal(control['jailed'], true);
  return { denied: 'jailed is false', control: 'as another user it is true' };
}
