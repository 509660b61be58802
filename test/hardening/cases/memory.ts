// Reading another process: memory, environment, descriptors, samples; and what a start in bad company does.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

import { patienceMs } from '../../support/patience.ts';
import { findTool } from '../../support/tools.ts';
import { rootReadsAll } from './reach.ts';
import type { AttackCase, Bench, Holder, Verdict } from '../support/bench.ts';

export const memoryCases: readonly AttackCase[] = [
  {
    number: '1',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'open /proc/PID/mem',
    short: true,
    play: (bench) => bench.deniedOnAgent(({ pid, token }) => ['mem', pid, token]),
  },
  {
    number: '1b',
    users: ['agent'],
    otherUsers: 'root reads every executable, so execOnly is nothing for it',
    title: 'open mem and maps between exec and prctl, read later',
    needsRoot: true,
    play: (bench) => early(bench),
  },
  {
    number: '2',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'process_vm_readv',
    short: true,
    play: (bench) => bench.deniedOnAgent(({ pid, token }) => ['vm', pid, token]),
  },
  {
    number: '3',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'PTRACE_SEIZE, and gdb where it is installed',
    play: (bench) => debuggers(bench),
  },
  {
    number: '3b',
    title: 'an agent that starts under a tracer',
    play: async (bench) => {
      const victim = bench.victimCommand();
      const control = await bench.attack(['traced', victim.readyFile, '--', ...victim.command]);
      assert.ok(control.worked, control.said);
      const gateway = await bench.gateway();
      const agent = bench.agentCommand(gateway);
      const { worked, said } = await bench.attack(['traced', agent.readyFile, '--', ...agent.command]);
      assert.ok(!worked, said);
      assert.deepEqual(gateway.requests, [], 'the gateway was asked');
      assert.equal(readFileSync(agent.tokenFile, 'utf8'), agent.token);
      return { denied: `${said}, nothing asked, token untouched`, control: control.said };
    },
  },
  {
    number: '6',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'read environ, maps, auxv',
    short: true,
    play: (bench) =>
      bench.deniedOnAgent(
        ...['environ', 'maps', 'auxv'].map((name) => ({ pid }: Holder) => [name, pid]),
      ),
  },
  {
    number: '7',
    title: 'the command line is readable and holds no secret',
    play: async (bench) => {
      const read = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      const control = await bench.victim();
      assert.ok(read(control.pid).includes(control.tokenFile));
      const agent = await bench.agent('enrolling');
      const line = read(agent.pid);
      assert.ok(line.includes(agent.tokenFile), 'not the command line of the agent');
      assert.ok(!line.includes(agent.token));
      return { denied: 'path of the token only', control: 'the same read shows every argument' };
    },
  },
  {
    number: '8',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'open the descriptors again',
    play: (bench) => bench.deniedOnAgent(({ pid, token }) => ['fd', pid, token]),
  },
  {
    number: '8b',
    title: 'no descriptor of the token is left open (seen by root)',
    needsRoot: true,
    play: async (bench) => {
      const victim = await bench.victim();
      const control = await bench.attack(['fd', victim.pid, victim.token], 'root');
      assert.ok(control.worked, control.said);
      const agent = await bench.agent('enrolling');
      const { worked, said } = await bench.attack(['fd', agent.pid, agent.token], 'root');
      assert.ok(!worked, said);
      return { denied: said, control: control.said };
    },
  },
  {
    number: '9',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'pidfd_getfd, kcmp',
    play: (bench) =>
      bench.deniedOnAgent(
        ({ pid }) => ['getfd', pid],
        ({ pid }) => ['kcmp', pid],
      ),
  },
  {
    number: '10',
    users: ['agent', 'container'],
    otherUsers: rootReadsAll,
    title: 'perf_event_open with the user stack',
    play: (bench) => bench.deniedOnAgent(({ pid }) => ['perf', pid]),
  },
  {
    number: '36',
    users: ['agent'],
    otherUsers: 'root reads every executable, so execOnly is nothing for it',
    title: 'an agent started in a user namespace of the attacker',
    needsRoot: true,
    play: (bench) => ownNamespace(bench),
  },
];

/** The kernel makes a process of an unreadable executable non-dumpable at exec; prctl alone comes too late. */
async function early(bench: Bench): Promise<Verdict> {
  const attempt = async (
    installation: 'exec-only' | 'readable',
  ): Promise<{ worked: boolean; said: string }> => {
    const gateway = await bench.gateway(true);
    const agent = bench.agentCommand(gateway, { installation });
    // What the attacker waits for: the token is in memory. Written by this process.
    const ready = `${agent.home}/asked`;
    const { promise, resolve } = Promise.withResolvers<void>();
    const push = gateway.requests.push.bind(gateway.requests);
    gateway.requests.push = (...kinds) => {
      bench.lab.writeFile(ready, '', 0o644);
      resolve();
      return push(...kinds);
    };
    const [result] = await Promise.all([
      bench.attack(['early', agent.token, ready, '--', ...agent.command]),
      Promise.race([promise, new Promise((done) => setTimeout(done, patienceMs).unref())]),
    ]);
    return result;
  };
  const control = await attempt('readable');
  assert.ok(control.worked, `the control failed: ${control.said}`);
  const { worked, said } = await attempt('exec-only');
  assert.ok(!worked, said);
  return { denied: said, control: `readable executable: ${control.said}` };
}

async function debuggers(bench: Bench): Promise<Verdict> {
  const verdict = await bench.deniedOnAgent(({ pid }) => ['ptrace', pid]);
  if (findTool('gdb') === undefined) return verdict;
  const attach = async (pid: number): Promise<string> => {
    const command = ['gdb', '-p', String(pid), '-batch', '-nx', '-ex', 'info registers rip'];
    return (await bench.lab.finish(command)).said;
  };
  const victim = await bench.victim();
  assert.match(await attach(victim.pid), /^rip\s/m, 'gdb could not attach to the victim');
  const agent = await bench.agent('enrolling');
  const said = await attach(agent.pid);
  assert.match(said, /Operation not permitted/);
  assert.doesNotMatch(said, /^rip\s/m);
  return { denied: `${verdict.denied}; gdb: not permitted`, control: `${verdict.control}; gdb: attached` };
}

async function ownNamespace(bench: Bench): Promise<Verdict> {
  const attempt = async (
    installation: 'exec-only' | 'readable',
  ): Promise<{ worked: boolean; said: string }> => {
    const gateway = await bench.gateway(true);
    const agent = bench.agentCommand(gateway, { installation });
    const ready = `${agent.home}/asked`;
    const push = gateway.requests.push.bind(gateway.requests);
    gateway.requests.push = (...kinds) => {
      bench.lab.writeFile(ready, '', 0o644);
      return push(...kinds);
    };
    const result = await bench.attack(['own-namespace', agent.token, ready, '--', ...agent.command]);
    assert.ok(existsSync(ready), 'the agent did not come as far as to hold its token');
    return result;
  };
  const control = await attempt('readable');
  assert.ok(control.worked, `the control failed: ${control.said}`);
  const { worked, said } = await attempt('exec-only');
  assert.ok(!worked, said);
  return { denied: said, control: `readable executable: ${control.said}` };
}
