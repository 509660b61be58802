import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { NativeOperations } from '../../../src/system/ffi.ts';
import { harden, requireHardened, setNonDumpable } from '../../../src/agent/hardening/posture.ts';
import type { Posture } from '../../../src/protocol/session-messages.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { finished, isBun, nobody, quietEnvironment, scriptResult, spawnScript } from '../support/child.ts';

interface Facts {
  readonly environ: string;
  readonly environOwner: number;
  readonly core: readonly string[];
}

interface Result {
  readonly before: Facts;
  readonly after: Facts;
  readonly called?: { readonly nondumpable: boolean; readonly wasNondumpable: boolean };
  readonly posture: Posture;
  readonly failures: readonly string[];
  readonly catchesSigusr1: boolean;
}

const isRoot = process.geteuid?.() === 0;
const asNobody = isRoot ? { uid: nobody, gid: nobody } : {};
const script = 'harden-script.ts';

/** Operations that do nothing, or fail, in place of libc's. */
function fakeNative(changes: Partial<NativeOperations> = {}): NativeOperations {
  let dumpable = 1;
  return {
    dumpable: () => dumpable,
    clearDumpable: () => {
      dumpable = 0;
    },
    coreLimit: () => [0n, 0n],
    clearCoreLimit: () => {},
    [Symbol.dispose]: () => {},
    ...changes,
  };
}

describe('hardening a process', () => {
  test('another process of the user cannot read the environment after it, and could before', async () => {
    const { before, after, posture, failures } = await scriptResult<Result>(script, [], asNobody);
    assert.equal(before.environ, 'readable');
    assert.equal(after.environ, 'EACCES');
    assert.notEqual(after.environOwner, before.environOwner);
    assert.equal(posture.nondumpable, true);
    assert.deepEqual(failures, []);
  });

  test('setNonDumpable alone does the same and says what was before', async () => {
    const { before, after, called } = await scriptResult<Result>(script, ['set'], asNobody);
    assert.deepEqual(called, { nondumpable: true, wasNondumpable: false });
    assert.equal(before.environ, 'readable');
    assert.equal(after.environ, 'EACCES');
  });

  test('the core limit is 0, soft and hard', async () => {
    const { after, posture } = await scriptResult<Result>(script, []);
    assert.deepEqual(after.core, ['0', '0']);
    assert.equal(posture.coreLimitZero, true);
  });

  test('every fact holds in a clean environment, but for those that need an exec-only binary and a jail', async () => {
    const { posture, failures } = await scriptResult<Result>(script, [], asNobody);
    assert.deepEqual(failures, []);
    const { execOnly, jailed, ...rest } = posture;
    assert.deepEqual({ execOnly, jailed }, { execOnly: false, jailed: false });
    for (const [name, value] of Object.entries(rest)) if (typeof value === 'boolean') assert.ok(value, name);
    assert.equal(posture.uid, isRoot ? nobody : process.geteuid?.());
    assert.equal(posture.runtime, isBun ? 'bun' : 'node');
  });

  test(
    'a program that its user cannot read was closed from its start',
    { skip: !isRoot && 'needs root' },
    () =>
      withTemporaryDirectory(async (folder) => {
        chmodSync(folder, 0o755);
        const program = join(folder, 'runtime');
        copyFileSync(process.execPath, program);
        for (const [mode, expected] of [
          [0o755, false],
          [0o711, true],
        ] as const) {
          chmodSync(program, mode);
          const { before, posture } = await scriptResult<Result>(script, [], { ...asNobody, program });
          assert.equal(posture.execOnly, expected);
          assert.equal(before.environ, expected ? 'EACCES' : 'readable');
        }
      }),
  );

  test('SIGUSR1 is caught, so that it neither opens an inspector nor ends the agent', async () => {
    assert.equal((await scriptResult<Result>(script)).catchesSigusr1, true);
  });

  test(
    'an inspector that is open already is a failure',
    { skip: isBun && 'Bun has its own inspector' },
    async () => {
      const options = { runtimeArguments: ['--inspect=0', '--disable-warning=ExperimentalWarning'] };
      const child = spawnScript(script, [], { ...options, stdio: ['pipe', 'pipe', 'ignore'] });
      const { failures, posture } = JSON.parse((await finished(child)).output) as Result;
      assert.equal(posture.inspectorClosed, false);
      assert.match(failures.join(), /inspector/);
    },
  );

  test('a debugger that is attached is a failure', { skip: pythonMissing() }, async () => {
    const child = spawnScript(script, ['wait']);
    await once(child.stdout!, 'data');
    const seize =
      'import ctypes,sys\nlibc=ctypes.CDLL(None,use_errno=True)\nr=libc.ptrace(0x4206,int(sys.argv[1]),0,0)\nprint(r,flush=True)\nsys.stdin.read()';
    const tracer = spawn('python3', ['-c', seize, String(child.pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [response] = (await once(tracer.stdout, 'data')) as [Buffer];
    assert.equal(response.toString().trim(), '0', 'the tracer could attach');
    const told = once(child.stdout!, 'data');
    child.stdin!.end('go\n');
    const [output] = (await told) as [Buffer];
    // The end of a traced process is told to its tracer first, so the tracer has to go before the child can be gone.
    tracer.stdin.end();
    await Promise.all([finished(child), once(tracer, 'exit')]);
    const { posture, failures } = JSON.parse(output.toString()) as Result;
    assert.equal(posture.untraced, false);
    assert.match(failures.join(), /debugger/);
  });

  test('a dangerous variable is a failure and a harmless one a note', async () => {
    // The one that the runtime under test does not itself act on.
    const dangerous: Record<string, string> = isBun
      ? { NODE_OPTIONS: '--require=/x.js' }
      : { BUN_INSPECT_PRELOAD: '/x.js' };
    const env = quietEnvironment({ ...dangerous, HTTPS_PROXY: 'http://127.0.0.1:1' });
    const { posture, failures } = await scriptResult<Result>(script, [], { env });
    assert.equal(posture.environmentClean, false);
    assert.match(failures.join(), /start without (BUN_INSPECT_PRELOAD|NODE_OPTIONS with --require)/);
    assert.doesNotMatch(failures.join(), /HTTPS_PROXY/);
    assert.match(posture.notes.join('\n'), /HTTPS_PROXY present/);
  });
});

describe('what cannot be done', () => {
  const missing = (): NativeOperations => {
    throw new Error('no foreign functions here');
  };

  test('without foreign functions nothing holds, and the reason is told', () => {
    using hardening = harden({ environment: {}, openNative: missing });
    assert.equal(hardening.posture.nondumpable, false);
    assert.match(hardening.failures.join(), /no foreign functions here/);
    assert.throws(() => requireHardened(hardening), {
      code: 'hardening_failed',
      message: /token was not read/,
    });
    assert.deepEqual(setNonDumpable(missing), {
      nondumpable: false,
      wasNondumpable: false,
      reason: 'no foreign functions here',
    });
  });

  test('a kernel that ignores the call is noticed', () => {
    using hardening = harden({ environment: {}, openNative: () => fakeNative({ clearDumpable: () => {} }) });
    assert.match(hardening.failures.join(), /PR_GET_DUMPABLE says 1/);
  });

  test('a core limit that stays is noticed', () => {
    using hardening = harden({
      environment: {},
      openNative: () => fakeNative({ coreLimit: () => [0n, 4096n] }),
    });
    assert.equal(hardening.posture.coreLimitZero, false);
    assert.match(hardening.failures.join(), /core file limit/);
  });

  test('ending the hardening gives SIGUSR1 back', () => {
    const before = process.listenerCount('SIGUSR1');
    const hardening = harden({ environment: {}, openNative: () => fakeNative() });
    assert.equal(process.listenerCount('SIGUSR1'), before + 1);
    hardening[Symbol.dispose]();
    assert.equal(process.listenerCount('SIGUSR1'), before);
  });
});

function pythonMissing(): string | false {
  const found = spawnSync('python3', ['-c', 'import ctypes'], { stdio: 'ignore' }).status === 0;
  return found ? false : 'python3 with ctypes is needed to attach as a debugger';
}
