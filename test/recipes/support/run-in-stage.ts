// Starts an agent as its recipe does, with other options.

import { join } from 'node:path';

import { mustRun, runCommand, type CommandResult } from '../../support/command.ts';
import { findTool } from '../../support/tools.ts';
import { patienceMs } from '../../support/patience.ts';
import { launcher } from '../../support/program.ts';
import type { RecipeStage } from './recipe-stage.ts';

export interface StageRun {
  readonly command: readonly string[];
  /** Of `run`. */
  readonly options?: readonly string[];
  readonly user?: OrdinaryUser;
  readonly environment?: NodeJS.ProcessEnv;
}

/** What puts a command line under another user. */
export type OrdinaryUser = readonly [string, ...string[]];

const userId = '4242';

/** Gives the stage to a user without rights. Undefined: this is not root. */
export async function asOrdinaryUser(stage: RecipeStage): Promise<OrdinaryUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  await mustRun('chown', ['-R', `${userId}:${userId}`, join(stage.home, '..')]);
  const setpriv = findTool('setpriv') ?? 'setpriv';
  return [setpriv, `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups', '--'];
}

export async function runInStage(stage: RecipeStage, run: StageRun): Promise<CommandResult> {
  const { command, options = [], user = [], environment = {} } = run;
  const cwd = join(stage.home, 'project');
  const config = join(stage.folder, 'gateway.yaml');
  const [program, ...args] = [...user, launcher, 'run', '--config', config, ...options, '--', ...command];
  return await runCommand(program ?? launcher, args, {
    cwd,
    env: { ...stage.environment, ...environment },
    timeoutMs: 4 * patienceMs,
  });
}
