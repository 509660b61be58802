// The filter as a program: run here by a small interpreter, and by the kernel in jail-process.test.ts.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ringProgram, seccompProgram, type SeccompOptions } from '../../../src/agent/jail/seccomp.ts';
import { knownSystemCalls } from '../../../src/agent/jail/system-calls.ts';

const architectures = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
type Architecture = keyof typeof architectures;
const responses = new Map([
  [0x7fff0000, 'allow'],
  [0x00050001, 'EPERM'],
  [0x00050026, 'ENOSYS'],
  [0x00050061, 'EAFNOSUPPORT'],
  [0x80000000, 'kill'],
]);
/** What container runtimes (moby/profiles, default.json, without capabilities) and systemd (@system-service, 257) let through. */
const lists = JSON.parse(
  readFileSync(new URL('../support/system-call-lists.json', import.meta.url), 'utf8'),
) as { readonly docker: readonly string[]; readonly systemd: readonly string[] };
const reference = fileURLToPath(new URL('../../../docs/reference/jail.md', import.meta.url));

interface Call {
  readonly architecture?: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

/** Classic BPF, the few instructions that are used. */
function evaluate(program: Buffer, call: Required<Call>): string | undefined {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture, 4);
  for (const [index, value] of call.args.entries()) data.writeBigUInt64LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const operand = program.readUInt32LE(at * 8 + 4);
    const jump = (yes: boolean): number => program.readUInt8(at * 8 + (yes ? 2 : 3));
    if (code === 0x20) accumulator = data.readUInt32LE(operand);
    else if (code === 0x05) at += operand;
    else if (code === 0x15) at += jump(accumulator === operand);
    else if (code === 0x35) at += jump(accumulator >= operand);
    else if (code === 0x45) at += jump((accumulator & operand) >>> 0 !== 0);
    else if (code === 0x06) return responses.get(operand) ?? operand.toString(16);
    else assert.fail(`code ${code.toString(16)}`);
  }
  return undefined;
}

const programs = new Map<string, Buffer>();

/** Of the two filters the stricter counts. */
function judge(name: Architecture, call: Call, options: SeccompOptions = {}): string | undefined {
  const key = JSON.stringify([name, options]);
  const program = programs.get(key) ?? Buffer.from(seccompProgram(name, options));
  programs.set(key, program);
  const full = { architecture: architectures[name], args: [], ...call };
  const first = evaluate(program, full);
  return first === 'allow' ? evaluate(Buffer.from(ringProgram()), full) : first;
}

/** The number of a call. Fails for one that this architecture has not. */
function numberOf(name: Architecture, call: string): number {
  const known = knownSystemCalls().find((one) => one.name === call);
  return known?.numbers[name] ?? assert.fail(call);
}

for (const name of ['x64', 'arm64'] as const) {
  const numbers = new Proxy({} as Record<string, number>, {
    get: (_, call) => numberOf(name, String(call)),
  });

  test(`${name}: calls that reach into other processes or the kernel are refused`, () => {
    const calls = `
      ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise unshare setns mount
      umount2 fsopen move_mount open_tree mount_setattr pivot_root init_module finit_module delete_module
      kexec_load bpf perf_event_open chroot io_uring_setup io_uring_enter io_uring_register userfaultfd
      add_key keyctl clock_settime settimeofday open_by_handle_at reboot swapon sethostname syslog acct`;
    for (const call of calls.trim().split(/\s+/))
      assert.equal(judge(name, { number: numberOf(name, call) }), 'EPERM', call);
  });

  test(`${name}: ordinary calls are allowed`, () => {
    for (const call of [
      'openat',
      'execve',
      'wait4',
      'close',
      'mmap',
      'futex',
      'seccomp',
      'landlock_create_ruleset',
    ])
      assert.equal(judge(name, { number: numberOf(name, call) }), 'allow', call);
  });

  test(`${name}: ptrace and its like are allowed where nobody outside can be reached, and nothing else then`, () => {
    for (const { name: call, rule, numbers: known } of knownSystemCalls()) {
      const number = known[name];
      if (number === undefined) continue;
      const now = judge(name, { number }, { reachesOwnAlone: true });
      assert.equal(now, rule === 'reaching' ? 'allow' : judge(name, { number }), call);
    }
  });

  test(`${name}: every number that is not known is not there`, () => {
    const known = new Set(knownSystemCalls().map((one) => one.numbers[name]));
    for (let number = 0; number < 1_024; number++)
      if (!known.has(number)) assert.equal(judge(name, { number }), 'ENOSYS', String(number));
    for (const number of [0x3fff_ffff, ...(name === 'x64' ? [] : [0x4000_0000, 0xffff_ffff])])
      assert.equal(judge(name, { number }), 'ENOSYS', String(number));
  });

  test(`${name}: what is allowed, others allow too, and what they allow and we do not is named here`, () => {
    const either = new Set([...lists.docker, ...lists.systemd]);
    const stricter: string[] = [];
    for (const { name: call, numbers: known } of knownSystemCalls()) {
      const number = known[name];
      if (number === undefined) continue;
      const args = call === 'socket' ? [1n] : [];
      const allowed =
        judge(name, { number, args }, { reachesOwnAlone: true, namesOwnAlone: true }) === 'allow';
      if (allowed) assert.ok(either.has(call) || call === 'pidfd_getfd', `nobody else allows ${call}`);
      if (!allowed && lists.docker.includes(call)) stricter.push(call);
    }
    assert.deepEqual(stricter, name === 'x64' ? ['modify_ldt'] : []);
  });

  test(`${name}: limits are set for oneself, for others only where they are one’s own`, () => {
    assert.equal(judge(name, { number: numbers['prlimit64']!, args: [0n] }), 'allow');
    assert.equal(judge(name, { number: numbers['prlimit64']!, args: [77n] }), 'EPERM');
    const own = { namesOwnAlone: true };
    assert.equal(judge(name, { number: numbers['prlimit64']!, args: [77n] }, own), 'allow');
  });

  test(`${name}: a personality is one that programs ask for`, () => {
    for (const value of [0n, 8n, 0x20000n, 0x40000n, 0xffff_ffffn])
      assert.equal(judge(name, { number: numbers['personality']!, args: [value] }), 'allow');
    for (const value of [0x100000n, 0x400000n, 6n])
      assert.equal(judge(name, { number: numbers['personality']!, args: [value] }), 'EPERM');
  });

  test(`${name}: clone makes processes but no user namespace, and clone3 is not there`, () => {
    assert.equal(judge(name, { number: numbers['clone']!, args: [17n] }), 'allow');
    assert.equal(judge(name, { number: numbers['clone']!, args: [0x10000011n] }), 'EPERM');
    for (const kind of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x20000000n, 0x40000000n])
      assert.equal(judge(name, { number: numbers['clone']!, args: [kind | 17n] }), 'EPERM', String(kind));
    assert.equal(judge(name, { number: numbers['clone3']! }), 'ENOSYS');
  });

  test(`${name}: nothing is typed into the terminal, whatever the high half of the command is`, () => {
    assert.equal(judge(name, { number: numbers['ioctl']!, args: [0n, 0x5412n] }), 'EPERM');
    assert.equal(judge(name, { number: numbers['ioctl']!, args: [0n, 0x1_0000_5412n] }), 'EPERM');
    assert.equal(judge(name, { number: numbers['ioctl']!, args: [0n, 0x5413n] }), 'allow');
  });

  test(`${name}: sockets are of families that a network namespace holds, whatever the high half says`, () => {
    for (const family of [1n, 2n, 10n, 16n, 17n])
      assert.equal(
        judge(name, { number: numbers['socket']!, args: [family, 1n, 0n] }),
        'allow',
        String(family),
      );
    for (const family of [0n, 31n, 38n, 40n, 42n, 0x2_0000_0028n, 0xffff_ffffn])
      assert.equal(
        judge(name, { number: numbers['socket']!, args: [family] }),
        'EAFNOSUPPORT',
        String(family),
      );
  });

  test(`${name}: another architecture's calls end the process`, () => {
    assert.equal(judge(name, { architecture: 0x40000003, number: 1 }), 'kill');
  });
}

test('x32 calls are refused', () => {
  assert.equal(judge('x64', { number: 0x40000000 }), 'EPERM');
});

test('another architecture has no filter', () => {
  assert.throws(() => seccompProgram('riscv64'), /x64 and arm64/);
});

test('the numbers are those of this machine’s headers', () => {
  const path = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
  if (!existsSync(path)) return;
  for (const [, call = '', number] of readFileSync(path, 'latin1').matchAll(/#define __NR_(\w+) (\d+)/g))
    assert.equal(numberOf('x64', call), Number(number), call);
});

test('the reference has the filter for all calls beside both lists', () => {
  const words: Readonly<Record<string, string>> = { allow: 'yes', EPERM: 'no', ENOSYS: 'absent' };
  const verdict = (call: string, name: Architecture, number: number): string => {
    const [bare, own] = [{}, { reachesOwnAlone: true, namesOwnAlone: true }].map((options) =>
      judge(name, { number, args: call === 'socket' ? [1n] : [] }, options),
    );
    if (['clone', 'socket', 'ioctl', 'personality', 'prlimit64'].includes(call)) return 'partly';
    return bare === own ? (words[bare ?? ''] ?? 'no') : 'own';
  };
  const rows = knownSystemCalls()
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, numbers: { x64, arm64 } }) => {
      const here =
        x64 !== undefined
          ? verdict(name, 'x64', x64)
          : arm64 === undefined
            ? 'absent'
            : verdict(name, 'arm64', arm64);
      const [docker, systemd] = [lists.docker, lists.systemd].map((list) =>
        list.includes(name) ? 'yes' : 'no',
      );
      return `| \`${name}\` | ${x64 ?? ''} | ${arm64 ?? ''} | ${here} | ${docker} | ${systemd} |`;
    });
  const table = [
    '| call | x64 | arm64 | here | Docker | systemd |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
  const text = readFileSync(reference, 'utf8');
  const [before, after] = ['<!-- system calls -->\n', '\n<!-- end of system calls -->'];
  const [start, end] = [text.indexOf(before) + before.length, text.indexOf(after)];
  assert.ok(end > start);
  if (process.env['UPDATE_DOCS'] === '1')
    writeFileSync(reference, `${text.slice(0, start)}\n${table}\n${text.slice(end)}`);
  assert.equal(
    compact(readFileSync(reference, 'utf8').slice(start, readFileSync(reference, 'utf8').indexOf(after))),
    compact(table),
  );
});

/** Formatters pad the cells. */
function compact(table: string): string {
  return table.trim().replaceAll(/ +\|/g, ' |').replaceAll(/-{3,}/g, '---');
}
