import assert from 'node:assert/strict';
import { openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { canary } from '../../support/canary.ts';
import { isBun, runtimeArguments, scriptResult, spawnScript, finished } from '../support/child.ts';
import { type SessionSetting, sessionSetting } from '../support/session-setting.ts';

interface Copies {
  /** The kernel does not let a process read its own memory here. */
  readonly refused?: string;
  readonly copies: number;
  readonly withControl: number;
  readonly withString: number;
}

const options = { runtimeArguments: isBun ? runtimeArguments : ['--expose-gc', ...runtimeArguments] };

/** Puts a fresh token into the file, and its bytes inverted beside it. */
function freshToken(setting: SessionSetting): string {
  const token = canary('token');
  writeFileSync(setting.tokenFile, token, { mode: 0o600 });
  writeFileSync(
    join(setting.folder, 'flipped'),
    Buffer.from(token).map((byte) => byte ^ 0xff),
  );
  return token;
}

function assertNoCopies(t: TestContext, { refused, copies, withControl, withString }: Copies): void {
  if (refused !== undefined) return t.skip(refused);
  assert.ok(withControl > 0, 'the scan finds a copy in a Buffer');
  assert.ok(withString > 0, 'the scan finds a copy in a string');
  assert.equal(copies, 0);
}

describe('after enrolment no copy of the token is left in the memory of the agent', () => {
  test('from a file', async (t) => {
    await using setting = await sessionSetting();
    freshToken(setting);
    assertNoCopies(
      t,
      await scriptResult<Copies>('memory-script.ts', [setting.folder, setting.fake.url, 'file'], options),
    );
  });

  test('from a descriptor that is a file', async (t) => {
    await using setting = await sessionSetting();
    freshToken(setting);
    const fd = openSync(setting.tokenFile, 'r');
    const args = [setting.folder, setting.fake.url, 'fd'];
    assertNoCopies(
      t,
      await scriptResult<Copies>('memory-script.ts', args, {
        ...options,
        stdio: ['ignore', 'pipe', 'inherit', fd],
      }),
    );
    closeSync(fd);
  });

  test('from a descriptor that is a pipe or socket', async (t) => {
    await using setting = await sessionSetting();
    const token = freshToken(setting);
    const child = spawnScript('memory-script.ts', [setting.folder, setting.fake.url, 'fd'], {
      ...options,
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    // Made by `stdio: 'pipe'`, so it can be written.
    (child.stdio[3] as NodeJS.WritableStream).end(`${token}\n`);
    const { output } = await finished(child);
    assertNoCopies(t, JSON.parse(output) as Copies);
  });
});

test('the token stands neither in the arguments nor in the environment of the agent', async () => {
  await using setting = await sessionSetting();
  const token = freshToken(setting);
  const child = spawnScript('session-script.ts', [setting.folder, setting.fake.url]);
  const seen = [readFileSync(`/proc/${child.pid}/cmdline`, 'latin1'), JSON.stringify(child.spawnargs)];
  await finished(child);
  assert.equal(setting.fake.session.token, token);
  for (const text of seen) assert.equal(text.includes(token), false);
});
