// A program at a terminal of its own, and what it printed there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './temporary-directory.ts';

type Step =
  | { readonly wait: string }
  | { readonly type: string }
  | { readonly size: readonly [rows: number, columns: number] };

interface End {
  readonly output: string;
  readonly code: number | null;
  readonly missing: string | null;
}

const driver = fileURLToPath(new URL('terminal.py', import.meta.url));

/** What a user of a terminal has, with a home of their own. */
export function environmentIn(directory: string): NodeJS.ProcessEnv {
  // What is said is compared, so no locale, no prompt and no terminal of this machine's user.
  const { TERM_PROGRAM: _, VTE_VERSION: __, ...rest } = process.env;
  return { ...rest, XDG_STATE_HOME: directory, HOME: directory, LC_ALL: 'C', PS1: '$ ', TERM: 'xterm' };
}

/**
 * Plays a conversation with a command at a terminal. Fails if a text that is waited for does not come. `environment` is set beside what a user
 * of a terminal has.
 */
export async function play(
  command: readonly string[],
  steps: readonly Step[],
  environment: NodeJS.ProcessEnv = {},
): Promise<End> {
  await using directory = await temporaryDirectory();
  const input = steps.map((step) => `${JSON.stringify(step)}\n`).join('');
  const { stdout, stderr } = spawnSync('python3', [driver, ...command], {
    input,
    encoding: 'utf8',
    env: { ...environmentIn(directory.path), ...environment },
    timeout: 160_000,
  });
  assert.notEqual(stdout, '', stderr);
  // Printed by our own driver.
  const end = JSON.parse(stdout) as End;
  assert.equal(end.missing, null, `"${end.missing}" did not come: ${end.output}`);
  return end;
}
