// The commands of the input `run`, in the jail of `upstreamproxy run`. What they print is no order to the runner, and the runner's
// files and tokens are not theirs.

import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runToEnd } from './child.ts';
import type { Inputs } from './inputs.ts';
import { endArguments, runArguments } from './job-arguments.ts';
import { type Places, saveProcess } from './places.ts';
import { ActionError, command, needsLookText, required, type Variables } from './runner.ts';

/** By these a step gives orders to the runner, or acts in the name of the job. */
const withheld = /^(?:GITHUB_(?:ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)|ACTIONS_.*|INPUT_.*|STATE_.*)$/;

/** Folder of the home that installers keep what they fetched in. Not `.npm`: npm outside of the jail runs what it finds there. */
const sharedCache = '.cache';
const npmCache = /^npm_config_cache$/i;

export interface JailedStep {
  readonly program: string;
  readonly inputs: Inputs;
  readonly places: Places;
  /** For another gateway. */
  readonly token: string | undefined;
  readonly variables: Variables;
}

/** Throws ActionError if the commands failed, or were refused something that makes the step fail. */
export async function runJailed({ program, inputs, places, token, variables }: JailedStep): Promise<void> {
  mkdirSync(places.temporary, { mode: 0o700 });
  const script = join(places.temporary, 'run.sh');
  writeFileSync(script, `${inputs.run ?? ''}\n`, { mode: 0o600 });
  const writable = [...writablePlaces(variables), places.temporary, ...inputs.write];
  const env = Object.fromEntries(Object.entries(variables).filter(([name]) => !withheld.test(name)));
  const quietWord = randomBytes(16).toString('hex');
  process.stdout.write(command('stop-commands', quietWord));
  let code: number;
  let said: string;
  try {
    ({ code, said } = await runToEnd(program, runArguments(inputs, places, { writable, script }), {
      env: { ...withNpmCache(env, join(places.temporary, 'npm')), TMPDIR: places.temporary },
      secret: token,
      onStart: (pid) => saveProcess(variables, pid),
      // Else the runner may read it before it takes no more orders, or after it takes them again.
      isOneStream: true,
    }));
  } finally {
    process.stdout.write(`\n::${quietWord}::\n`);
  }
  const end = await endRun(program, inputs, places, variables);
  if (code !== 0) throw new ActionError(ownFault(said) ?? `the commands ended with ${code}`);
  if (end === 1) throw new ActionError(needsLookText);
  if (end !== 0) throw new ActionError(`upstreamproxy job end ended with ${end}`);
}

async function endRun(
  program: string,
  inputs: Inputs,
  places: Places,
  variables: Variables,
): Promise<number> {
  return (await runToEnd(program, endArguments(inputs, places, variables), { isLast: true })).code;
}

/** What `run` itself says where it starts nothing. */
function ownFault(said: string): string | undefined {
  const last = said.trimEnd().split('\n').at(-1) ?? '';
  return /^upstreamproxy: .* \[\w+\]$/.test(last) ? last : undefined;
}

/** One that the job has chosen stays. */
function withNpmCache(env: Variables, folder: string): Variables {
  const isChosen = Object.keys(env).some((name) => npmCache.test(name));
  return isChosen ? env : { ...env, npm_config_cache: folder };
}

function writablePlaces(variables: Variables): readonly string[] {
  const home = variables['HOME'];
  const kept = home === undefined ? [] : [join(home, sharedCache)];
  for (const path of kept) mkdirSync(path, { recursive: true });
  return [required(variables, 'GITHUB_WORKSPACE'), ...kept];
}
