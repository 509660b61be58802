// The helper and the kernel for real, on both runtimes: what a command in the jail can and cannot do.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { openSystemCalls } from '../../../src/system/ffi.ts';
import { jailFacts } from '../../../src/agent/jail/jail-facts.ts';
import type { JailPlan } from '../../../src/agent/jail/jail-plan.ts';
import { canSetKernel } from '../../../src/agent/jail/kernel-files.ts';
import { HelperAhead } from '../../../src/agent/jail/helper-process.ts';
import { openJail } from '../../../src/agent/jail/jail-process.ts';
import type { HelperProgram } from '../../../src/agent/jail/jail-plan.ts';
import { landlockAbi } from '../../../src/agent/jail/landlock.ts';
import { namespaceStart } from '../../../src/agent/jail/network-namespace.ts';
import { systemCallNumbers } from '../../../src/system/system-call-numbers.ts';
import { patienceMs } from '../../support/patience.ts';
import { mainFile } from '../../support/program.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const helpers: Readonly<Record<string, HelperProgram>> = {
  node: {
    file: join(bin, 'node'),
    args: ['--disable-warning=ExperimentalWarning', mainFile, '=jail-helper'],
  },
  bun: { file: join(bin, 'bun'), args: ['--no-env-file', '--config=/dev/null', mainFile, '=jail-helper'] },
};
const isRoot = process.geteuid?.() === 0;
const base = ['no-new-privs', 'landlock', 'seccomp'] as const;
/** Root has capabilities that go around Landlock; nobody else has. */
const layers = isRoot ? ([...base, 'capabilities'] as const) : base;

function abiHere(): number {
  try {
    using calls = openSystemCalls();
    return landlockAbi(calls, systemCallNumbers());
  } catch {
    return 0;
  }
}
const abi = abiHere();
// `bun test` never hears from a child's fourth descriptor; plain Bun does, which the first test below shows.
const isBunTest = process.versions['bun'] !== undefined;
const refusedHere = isBunTest ? 'bun test does not deliver what comes on a fourth descriptor' : false;
const skip =
  refusedHere !== false ? refusedHere : abi < 6 ? `Landlock ABI is ${abi} here, and 6 is needed` : false;

const folder = mkdtempSync(join(tmpdir(), 'jail-test-'));
after(() => rmSync(folder, { recursive: true }));

test('an agent under Bun opens the jail and hears how the command ended', { skip }, async () => {
  const { file, args } = helpers['bun']!;
  const script = join(root, 'test/agent/support/jail-script.ts');
  const { stdout } = await promisify(execFile)(join(bin, 'bun'), [script, file, ...args], {
    timeout: patienceMs,
  });
  const { code, held } = JSON.parse(stdout) as { code: number; held: string[] };
  assert.equal(code, 7);
  for (const layer of base) assert.ok(held.includes(layer), layer);
});

/** Runs a script of the shell in a jail; its output, and how it ended. */
async function inJail(
  plan: JailPlan,
  script: string,
  helper: HelperProgram,
): Promise<{ readonly code: number | null; readonly signal: string | null; readonly text: string }> {
  const output = join(mkdtempSync(join(folder, 'run-')), 'output');
  await using jail = await openJail(plan, helper);
  const child = jail.start({
    file: 'sh',
    // Standard output is the test runner's own.
    args: ['-c', `{ ${script}\n} > ${output} 2>&1`],
    environment: { PATH: '/usr/bin:/bin', AGENT: String(process.pid) },
  });
  const [code, signal] = await once(child, 'exit');
  return { code, signal, text: existsSync(output) ? readFileSync(output, 'utf8') : '' };
}

for (const [runtime, helper] of Object.entries(helpers)) {
  test(
    `${runtime}: a command in the jail cannot signal or read the agent, which it could outside`,
    { skip },
    async () => {
      const script =
        'kill -0 $AGENT && echo signal; head -c 1 /proc/$AGENT/environ >/dev/null && echo environ; :';
      const control = await inJail({ layers: [] }, script, helper);
      assert.equal(control.text, 'signal\nenviron\n');
      const { text } = await inJail({ layers }, script, helper);
      assert.doesNotMatch(text, /^(signal|environ)$/m);
    },
  );

  test(`${runtime}: exit codes and signals are the command's`, { skip }, async () => {
    assert.equal((await inJail({ layers }, 'exit 7', helper)).code, 7);
    assert.equal((await inJail({ layers }, 'kill -TERM $$', helper)).signal, 'SIGTERM');
  });

  test(
    `${runtime}: the command starts with no signal ignored or blocked, its own limit and no descriptor of ours`,
    { skip },
    async () => {
      const script =
        'grep -E "^Sig(Ign|Blk)" /proc/self/status; ulimit -Sn; test -e /proc/$$/fd/3 && echo fd; env';
      const { text } = await inJail({ layers, openFilesSoft: 300 }, script, helper);
      assert.match(text, /SigBlk:\t0+\nSigIgn:\t0+\n300\n/);
      assert.doesNotMatch(text, /fd$|NODE|BUN/m);
    },
  );

  test(`${runtime}: what a command leaves in the background is in the jail too`, { skip }, async () => {
    const { text } = await inJail(
      { layers },
      '(setsid sh -c "kill -0 $AGENT && echo signal") & wait',
      helper,
    );
    assert.match(text, /not permitted/i);
  });

  test(`${runtime}: with fsWrite a command writes there and nowhere else`, { skip }, async () => {
    const allowed = mkdtempSync(join(folder, 'allowed-'));
    const other = mkdtempSync(join(folder, 'other-'));
    // The output file is open before, by a shell of its own; so it goes to the allowed place here.
    await using jail = await openJail({ layers, fsWrite: [allowed] }, helper);
    const script = `echo x > ${allowed}/file && mv ${allowed}/file ${allowed}/moved; echo x 2>/dev/null > ${other}/file; echo > /dev/null`;
    const child = jail.start({
      file: 'sh',
      args: ['-c', `{ ${script}; } 2>/dev/null`],
      environment: { PATH: '/usr/bin:/bin' },
    });
    await once(child, 'exit');
    assert.deepEqual([existsSync(`${allowed}/moved`), existsSync(`${other}/file`)], [true, false]);
  });
}

const node = helpers['node']!;

test(
  'the report names each layer, and an older kernel keeps the domain without signals',
  { skip },
  async () => {
    await using jail = await openJail({ layers }, node);
    assert.deepEqual(jailFacts(jail.report), {
      jailed: true,
      networkIsolated: false,
      filesHidden: false,
      layers: ['no-new-privs', 'landlock', 'signals', 'seccomp', ...(isRoot ? ['capabilities'] : [])],
      notes: [],
    });
    await using older = await openJail({ layers, landlockAbiMax: 5 }, node);
    const facts = jailFacts(older.report);
    assert.deepEqual([facts.jailed, facts.layers], [true, [...layers]]);
    assert.match(facts.notes[0]!, /^jail: no signals: Landlock ABI 5/);
  },
);

test('a layer that was left out is not claimed', { skip }, async () => {
  await using jail = await openJail({ layers: ['no-new-privs', 'seccomp'] }, node);
  assert.deepEqual(jailFacts(jail.report), {
    jailed: false,
    networkIsolated: false,
    filesHidden: false,
    layers: ['no-new-privs', 'seccomp'],
    notes: [
      'jail: ptrace and its like are refused, for nothing was seen to keep processes outside out of reach',
    ],
  });
});

test('without no_new_privs nothing else is claimed for a process that is not root', { skip }, async () => {
  await using jail = await openJail({ layers: ['landlock'] }, node);
  assert.equal(jailFacts(jail.report).jailed, false);
});

test('a helper that cannot be started is jail_refused', { skip: refusedHere }, async () => {
  const program = { file: join(folder, 'nothing'), args: [] };
  await assert.rejects(openJail({ layers }, program), { code: 'jail_refused' });
  await assert.rejects(openJail({ layers }, { file: '/bin/true', args: [] }), { code: 'jail_refused' });
});

const aheadStart = namespaceStart(node);
/** Else unshare(1) starts it, and these layers need none. */
const isDirect = !('reason' in aheadStart) && aheadStart.startedBy === undefined;

test(
  'a helper that was started ahead enters the layers of the plan, and becomes the command',
  { skip: skip !== false ? skip : isDirect ? false : 'this user needs unshare(1) to start such a helper' },
  async () => {
    using ahead = HelperAhead.start(node, layers);
    await using jail = await openJail({ layers }, node, ahead);
    const child = jail.start({ file: 'sh', args: ['-c', 'exit 7'], environment: { PATH: '/usr/bin:/bin' } });
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 7);
    const left = ahead?.take({ program: node, layers, hasStarter: false });
    left?.kill('SIGKILL');
    assert.ok(left === undefined, 'it was not taken');
  },
);

test('a helper that never gets a command ends with its jail', { skip }, async () => {
  const jail = await openJail({ layers }, node);
  await jail.close();
  await jail.close();
});

test('a helper whose agent is killed before it became the command does not become it', { skip }, async () => {
  const mark = join(folder, 'mark-of-orphan');
  const script = join(root, 'test/agent/support/dying-agent-script.ts');
  const agent = spawn(process.execPath, [script, mark, node.file, ...node.args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  agent.stdout.setEncoding('utf8');
  // The helper has the other end of the same pipe. It may end with its agent, before that is looked at.
  const ended = once(agent.stdout, 'close');
  const exited = once(agent, 'exit');
  const [said] = (await once(agent.stdout, 'data')) as [string];
  await exited;
  assert.equal(agent.signalCode, 'SIGKILL');
  try {
    process.kill(Number(said), 'SIGCONT');
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
  }
  await ended;
  assert.ok(!existsSync(mark), 'the command ran without an agent');
});

test(
  'root in the jail has no capability beside the usual ones of a container',
  {
    skip: skip === false && !isRoot ? 'needs root' : skip,
  },
  async () => {
    const { text } = await inJail({ layers }, 'grep ^Cap /proc/self/status', node);
    const sets = [...text.matchAll(/^Cap(\w+):\t([0-9a-f]{16})$/gm)];
    assert.equal(sets.length, 5);
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP
    for (const [, name, bits] of sets) assert.equal(BigInt(`0x${bits}`) & ~0xa80425fbn, 0n, String(name));
    assert.notEqual(BigInt(`0x${sets.find(([, name]) => name === 'Eff')?.[2]}`), 0n);
  },
);

test(
  'root in the jail cannot set what the kernel starts, and who could is not told as jailed',
  {
    skip: skip === false && !canSetKernel() ? 'the settings of the kernel are read-only here' : skip,
  },
  async () => {
    const script = 'cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern && echo set; :';
    assert.equal((await inJail({ layers: base }, script, node)).text, 'set\n');
    assert.doesNotMatch((await inJail({ layers }, script, node)).text, /^set$/m);
    // Without the right to mounts of its own it cannot be kept from it.
    const bare = { file: 'setpriv', args: ['--bounding-set=-sys_admin', '--', node.file, ...node.args] };
    await using jail = await openJail({ layers }, bare);
    const { jailed, notes } = jailFacts(jail.report);
    assert.equal(jailed, false);
    assert.match(notes.join(), /no capabilities: root can set what the kernel starts/);
  },
);

test(
  'as root, the command runs as the user that was named',
  { skip: isBunTest ? refusedHere : !isRoot && 'needs root' },
  async () => {
    const identity = { uid: 65534, gid: 65534, groups: [65534], environment: { HOME: '/nowhere' } };
    const { chmodSync } = await import('node:fs');
    chmodSync(folder, 0o777);
    const open = await openJail({ layers, identity }, node);
    await using jail = open;
    const place = mkdtempSync(join(folder, 'user-'));
    chmodSync(place, 0o777);
    const script = `id -u > ${place}/out; id -G >> ${place}/out; echo $HOME >> ${place}/out; grep CapEff /proc/self/status >> ${place}/out`;
    const child = jail.start({ file: 'sh', args: ['-c', script], environment: { PATH: '/usr/bin:/bin' } });
    await once(child, 'exit');
    assert.equal(readFileSync(`${place}/out`, 'utf8'), '65534\n65534\n/nowhere\nCapEff:\t0000000000000000\n');
  },
);

test(
  'root as user 0 keeps what root keeps, and is told as jailed only without it',
  { skip: isBunTest ? refusedHere : !isRoot && 'needs root' },
  async () => {
    const identity = { uid: 0, gid: 0, groups: [0], environment: {} };
    await using jail = await openJail({ layers: base, identity }, node);
    assert.deepEqual(jail.report.measures?.isPowerful, true);
    assert.equal(jailFacts(jail.report).jailed, false);
    await using closed = await openJail({ layers, identity }, node);
    assert.equal(jailFacts(closed.report).jailed, true);
  },
);

test(
  'ptrace is for the command’s own processes where Landlock was seen to keep others out of reach',
  { skip },
  async () => {
    const attach =
      'sleep 30 & strace -o /dev/null -p $! sh -c "" & sleep 0.3; strace -o /dev/null true && echo traced; kill %1; :';
    assert.match((await inJail({ layers }, attach, node)).text, /^traced$/m);
    const { text } = await inJail({ layers: ['no-new-privs', 'seccomp'] }, attach, node);
    assert.doesNotMatch(text, /^traced$/m);
  },
);
