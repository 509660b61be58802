// The command of `run` against processes outside its jail. The target protects nothing, so what denies is the jail.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { AttackCase, Bench, Verdict } from '../support/bench.ts';
import { containerCapabilities, isAlive, userIds, type Installation, type User } from '../support/lab.ts';

const [SIGKILL, SIGUSR1, SIGCONT, SIGSTOP] = [9, 10, 18, 19];
/** All layers that the runtime can have, or nothing is started: Bun cannot take over listeners, so `network` is Node's. */
const allLayers = ({ runtime }: Bench, user: User): readonly string[] => {
  const layers = ['files', 'ipc', 'processes', 'no-new-privs', 'landlock', 'seccomp'];
  if (userIds[user] === 0) layers.push('capabilities');
  return runtime === 'bun'
    ? ['--isolate=require', `--jail-layers=${layers.join(',')}`]
    : ['--isolate=require'];
};
const landlockAlone = ['--isolate=require', '--jail-layers=no-new-privs,landlock'];

export const jailCases: readonly AttackCase[] = [
  {
    number: '15',
    title: 'from the jail: prlimit RLIMIT_NOFILE',
    play: (bench) => jailed(bench, ['file-limit']),
  },
  {
    number: '29',
    title:
      'from the jail: mem, process_vm_readv, ptrace, pidfd_getfd, environ, maps, descriptors, perf, kcmp',
    play: (bench) => jailed(bench, readingAttacks),
  },
  {
    number: '29b',
    users: ['agent', 'container'],
    otherUsers: 'CAP_PERFMON opens environ and maps whatever Landlock says; 29e is for root',
    title: 'the same with Landlock alone',
    play: (bench) => jailed(bench, readingAttacks, { jail: landlockAlone }),
  },
  {
    number: '29c',
    users: ['agent'],
    otherUsers: 'names its own users',
    title: 'the same with Landlock alone, as root of a container that has CAP_SYS_PTRACE',
    needsRoot: true,
    play: (bench) =>
      jailed(bench, readingAttacks, { jail: landlockAlone, user: 'root', wrapper: containerRoot }),
  },
  {
    number: '29e',
    users: ['agent'],
    otherUsers: 'names its own users',
    title: 'memory and descriptors with Landlock alone, as root with all capabilities',
    needsRoot: true,
    play: (bench) => jailed(bench, holdingAttacks, { jail: landlockAlone, user: 'root' }),
  },
  {
    number: '29d',
    title: 'the same from a grandchild in a session of its own',
    short: true,
    play: (bench) => jailed(bench, ['mem', 'ptrace', 'environ'], { before: ['setsid', '--wait'] }),
  },
  {
    number: '31',
    title: 'from the jail: SIGUSR1, SIGSTOP, SIGKILL',
    short: true,
    play: (bench) => signals(bench),
  },
  { number: '32', title: 'from the jail: a user namespace', play: (bench) => userNamespace(bench) },
  { number: '34', title: 'a Landlock without signals (ABI 5)', play: (bench) => oldLandlock(bench) },
  {
    number: '35',
    users: ['agent'],
    otherUsers: 'names its own users',
    title: 'a command under another user, nothing else',
    needsRoot: true,
    play: (bench) => otherUser(bench),
  },
  { number: '39', title: 'a kernel without Landlock', play: (bench) => noLandlock(bench) },
  {
    number: '41',
    users: ['agent'],
    otherUsers: 'root reads every executable, so execOnly is not true for it',
    title: 'the posture tells all facts, and only what holds',
    needsRoot: true,
    play: (bench) => posture(bench),
  },
];

const readingAttacks = ['mem', 'vm', 'ptrace', 'getfd', 'environ', 'maps', 'fd', 'perf', 'kcmp'];

/** CAP_PERFMON and CAP_SYS_ADMIN open environ and maps, whatever Landlock says (may_access_mm of newer kernels). */
const holdingAttacks = ['mem', 'vm', 'ptrace', 'getfd', 'fd', 'kcmp'];

/** What container runtimes leave to root, and the capability that goes around every `nondumpable`. */
const containerRoot = [
  'setpriv',
  `--bounding-set=-all,${containerCapabilities},+sys_ptrace`,
  '--inh-caps=-all',
  '--',
];

export interface RunOptions {
  /** Options of `run` for the jail; default: all layers, or nothing is started. */
  readonly jail?: readonly string[];
  /** Beside them. */
  readonly more?: readonly string[];
  readonly user?: User;
  readonly wrapper?: readonly string[];
  readonly installation?: Installation;
  readonly env?: Readonly<Record<string, string>>;
}

/** `upstreamproxy run` with a gateway that works; the exit code is that of the command, if one was started. */
export async function run(
  bench: Bench,
  command: readonly string[],
  options: RunOptions = {},
): Promise<{ readonly code: number | null; readonly said: string }> {
  const { user = bench.user, wrapper = [], installation = 'exec-only' } = options;
  const { jail = allLayers(bench, user), more = [] } = options;
  const gateway = await bench.gateway();
  const { home, tokenFile } = bench.lab.newToken();
  bench.lab.give(tokenFile, user);
  const ca = bench.lab.writeFile(join(home, 'ca.pem'), gateway.authority.caPem, 0o644);
  const session = ['--gateway', gateway.url, '--gateway-ca', ca, '--token-file', tokenFile];
  const program = bench.program(['run', ...session, ...jail, ...more, '--', ...command], { installation });
  const env = { UPSTREAMPROXY_RUNTIME: bench.engine, ...options.env };
  // All become the agent by exec, so its id is that of the first.
  const named = ['sh', '-c', 'AGENT=$$; export AGENT; exec "$@"', 'sh', ...wrapper, ...program];
  return await bench.lab.finish(named, { user, env });
}

/** An attack as the command of `run`; throws if it could not be tried. `AGENT` stands for the agent's process id. */
export async function attackBy(
  bench: Bench,
  args: readonly (string | number)[],
  options: RunOptions & { readonly before?: readonly string[] } = {},
): Promise<{ readonly worked: boolean; readonly said: string }> {
  const script =
    'for word do shift; [ "$word" = AGENT ] && word=$AGENT; set -- "$@" "$word"; done; exec "$@"';
  const attack = [...(options.before ?? []), bench.lab.attackFile, ...args.map(String)];
  const { code, said } = await run(bench, ['sh', '-c', script, 'sh', ...attack], options);
  const told = said.split('\n').filter((line) => /^(?:denied|stolen|worked|read|untried)\b/.test(line));
  assert.ok(
    (code === 0 || code === 1) && told.length === 1,
    `the attack could not be tried (${code}): ${said}`,
  );
  return { worked: code === 0, said: told[0] ?? '' };
}

/** The same for many, as processes one after the other in one run. */
export async function attacksBy(
  bench: Bench,
  attacks: readonly (readonly (string | number)[])[],
  options: RunOptions & { readonly before?: readonly string[] } = {},
): Promise<readonly { readonly worked: boolean; readonly said: string }[]> {
  const words = attacks.flatMap((attack) => [...attack.map(String), '+']);
  const batch = [...(options.before ?? []), bench.lab.attackFile, 'batch', ...words];
  const { code, said } = await run(bench, batch, options);
  const results = [...said.matchAll(/^((?:denied|stolen|worked|read|untried)\b.*)\n= (\d+)$/gm)];
  assert.equal(code, 0, said);
  assert.equal(results.length, attacks.length, `not all attacks were tried: ${said}`);
  return results.map(([, line = '', number], index) => {
    assert.ok(number === '0' || number === '1', `${attacks[index]?.join(' ')} could not be tried: ${line}`);
    return { worked: number === '0', said: line };
  });
}

export const withoutJail: RunOptions = { jail: ['--isolate=off'] };

/** Each attack, from the jail, on a victim and on the agent itself; and without the jail on the victim. */
async function jailed(
  bench: Bench,
  words: readonly string[],
  options: RunOptions & { readonly before?: readonly string[] } = {},
): Promise<Verdict> {
  const user = options.user ?? bench.user;
  const victim = await bench.victim({ user });
  const denied = new Set<string>();
  for (const target of [victim.pid, 'AGENT']) {
    const attacks = words.map((word) => [word, target, victim.token]);
    const results = await attacksBy(bench, attacks, options);
    for (const [index, { worked, said }] of results.entries()) {
      assert.ok(!worked, `${words[index]} on ${target === 'AGENT' ? 'the agent' : 'the victim'}: ${said}`);
      denied.add(said.replace(/^denied: /, ''));
    }
  }
  const onVictim = words.map((word) => [word, victim.pid, victim.token]);
  const controls = await attacksBy(bench, onVictim, { ...options, ...withoutJail });
  for (const [index, { worked, said }] of controls.entries())
    assert.ok(worked, `the control of ${words[index]} failed, so nothing is proven: ${said}`);
  return {
    denied: [...denied].join('; '),
    control: `without the jail all ${words.length} work on the victim`,
  };
}

async function signals(bench: Bench): Promise<Verdict> {
  const victim = await bench.victim();
  for (const signal of [SIGUSR1, SIGSTOP, SIGKILL]) {
    for (const target of [victim.pid, 'AGENT']) {
      const { worked, said } = await attackBy(bench, ['signal', target, signal]);
      assert.ok(!worked, `signal ${signal}: ${said}`);
      // In its own namespace of processes the number is nobody's.
      assert.match(said, /EPERM|ESRCH/);
    }
  }
  assert.ok(isAlive(victim.pid));
  const control = await attackBy(bench, ['signal', victim.pid, SIGKILL], withoutJail);
  assert.ok(control.worked, control.said);
  await victim.ended;
  return {
    denied: 'kill: EPERM or ESRCH, victim and agent alive',
    control: 'without the jail SIGKILL ends the victim',
  };
}

async function userNamespace(bench: Bench): Promise<Verdict> {
  const { worked, said } = await attackBy(bench, ['userns']);
  assert.ok(!worked, said);
  assert.match(said, /EPERM/);
  const control = await attackBy(bench, ['userns'], withoutJail);
  assert.ok(control.worked, control.said);
  return { denied: said, control: control.said };
}

/** The facts that `run --posture` prints. */
export async function postureOf(
  bench: Bench,
  options: RunOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const { jail = allLayers(bench, options.user ?? bench.user) } = options;
  const { said } = await run(bench, ['true'], { ...options, jail: [...jail, '--posture'] });
  const json = /^\{$[\s\S]*?^\}$/m.exec(said)?.[0];
  assert.ok(json !== undefined, `no posture: ${said}`);
  // Printed by our own program: an object.
  return JSON.parse(json) as Readonly<Record<string, unknown>>;
}

async function oldLandlock(bench: Bench): Promise<Verdict> {
  const wrapper = [bench.lab.attackFile, 'landlock-abi', '5', '--'];
  const now = await postureOf(bench, {});
  const network = ['files', 'ipc', 'processes', ...(bench.runtime === 'bun' ? [] : ['network'])];
  const capabilities = userIds[bench.user] === 0 ? ['capabilities'] : [];
  const wall = ['no-new-privs', 'landlock', 'signals', 'seccomp', ...capabilities];
  assert.deepEqual(now['jailLayers'], [...network, ...wall]);
  // With the wall of Landlock alone, for who cannot be named cannot be signalled.
  const old = { wrapper, jail: ['--isolate=auto', '--jail-layers=network,no-new-privs,landlock,seccomp'] };
  const then = await postureOf(bench, old);
  const held = bench.runtime === 'bun' ? [] : ['network'];
  assert.deepEqual(then['jailLayers'], [...held, 'no-new-privs', 'landlock', 'seccomp']);
  assert.match(String(then['notes']), /jail: no signals/);
  const victim = await bench.victim();
  const signal = await attackBy(bench, ['signal', victim.pid, SIGCONT], old);
  assert.ok(signal.worked, 'the posture says that signals are open, and they are not');
  const memory = await attackBy(bench, ['mem', victim.pid, victim.token], old);
  assert.ok(!memory.worked, memory.said);
  await mustNotStart(bench, { wrapper });
  return {
    denied: `${memory.said}; told that signals are open; --isolate=require starts nothing`,
    control: 'signals are open there, and told as closed on ABI 6',
  };
}

/** A command that would leave a mark. */
async function mustNotStart(bench: Bench, options: RunOptions): Promise<void> {
  const mark = join(bench.lab.newFolder(), 'mark');
  const { code, said } = await run(bench, ['touch', mark], options);
  assert.notEqual(code, 0);
  assert.match(said, /jail_refused/);
  assert.ok(!existsSync(mark), 'the command was started');
}

async function otherUser(bench: Bench): Promise<Verdict> {
  const user = `${userIds.work}:${userIds.work}`;
  const options = {
    user: 'root',
    jail: ['--isolate=require', '--jail-layers=no-new-privs', `--user=${user}`],
  } as const;
  const words = [
    ...readingAttacks.map((word) => [word]),
    ['signal', SIGUSR1],
    ['signal', SIGSTOP],
    ['signal', SIGKILL],
  ];
  const victim = await bench.victim();
  for (const [word = '', signal] of words) {
    for (const target of [victim.pid, 'AGENT']) {
      const { worked, said } = await attackBy(bench, [word, target, signal ?? victim.token], options);
      assert.ok(!worked, `${word}: ${said}`);
    }
  }
  assert.ok(isAlive(victim.pid));
  // The very same under the victim's own user.
  for (const word of [...readingAttacks, 'signal']) {
    const { worked, said } = await attackBy(
      bench,
      [word, victim.pid, word === 'signal' ? SIGKILL : victim.token],
      withoutJail,
    );
    assert.ok(worked, `the control of ${word} failed: ${said}`);
  }
  await victim.ended;
  return {
    denied: `all ${words.length}, on the agent and on a victim`,
    control: 'under the same user they work on the victim',
  };
}

async function noLandlock(bench: Bench): Promise<Verdict> {
  const wrapper = [bench.lab.attackFile, 'without-landlock', '--'];
  await mustNotStart(bench, { wrapper });
  const told = await postureOf(bench, { wrapper, jail: ['--isolate=auto'] });
  assert.equal(told['jailed'], false);
  assert.match(String(told['notes']), /jail: no landlock/);
  const mark = join(bench.lab.newFolder(), 'mark');
  const control = await run(bench, ['touch', mark]);
  assert.equal(control.code, 0, control.said);
  assert.ok(existsSync(mark));
  return {
    denied: '--isolate=require starts nothing; auto says "jailed": false',
    control: 'with Landlock the same command runs',
  };
}

async function posture(bench: Bench): Promise<Verdict> {
  const facts = [
    'nondumpable',
    'execOnly',
    'untraced',
    'coreLimitZero',
    'inspectorClosed',
    'environmentClean',
    'jailed',
  ];
  const shipped = await postureOf(bench, {});
  for (const fact of facts) assert.equal(shipped[fact], true, `${fact}: ${JSON.stringify(shipped)}`);
  const weak = await postureOf(bench, { installation: 'readable', jail: ['--isolate=off'] });
  assert.deepEqual([weak['execOnly'], weak['jailed']], [false, false]);
  return {
    denied: `all true: ${facts.join(', ')}`,
    control: 'readable executable, no jail: execOnly and jailed are false',
  };
}
