// Runs a script of the agent's tests in a process of its own, under the runtime that runs the tests.

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patienceMs } from '../../support/patience.ts';

export const isBun = process.versions['bun'] !== undefined;

/** Where `npm test` runs the file: what another process has compiled is taken from the run's folder (test/support/compile-cache.mjs). */
function compileCache(): readonly string[] {
  const folder = process.env['TEST_RUN_FOLDER'];
  if (folder === undefined) return [];
  // An address of code: scripts run with few variables, and the agent refuses the one that would do this.
  const code = `import { enableCompileCache } from 'node:module'; enableCompileCache(${JSON.stringify(join(folder, 'compiled'))});`;
  return [`--import=data:text/javascript,${encodeURIComponent(code)}`];
}

/** Arguments that make the runtime run a file quietly, with the inspector shut as the launcher does it. */
export const runtimeArguments: readonly string[] = isBun
  ? ['--no-env-file']
  : ['--disable-sigusr1', '--disable-warning=ExperimentalWarning', ...compileCache()];

/** Nobody, on every distribution; tests that run as root become it where a user without rights is wanted. */
export const nobody = 65_534;

/** The environment of the tests without what hardening refuses or tells. */
export function quietEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), ...extra };
}

/** Starts `test/agent/support/<script>`; standard error goes to that of the tests. */
export function spawnScript(
  script: string,
  args: readonly string[] = [],
  options: SpawnOptions & { readonly runtimeArguments?: readonly string[]; readonly program?: string } = {},
): ChildProcess {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const before = options.runtimeArguments ?? runtimeArguments;
  return spawn(options.program ?? process.execPath, [...before, file, ...args], {
    env: quietEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
    ...options,
  });
}

/** Waits for the end and returns how it came and all that was printed. */
export async function finished(
  child: ChildProcess,
): Promise<{ readonly code: number | null; readonly signal: string | null; readonly output: string }> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  // A child that hangs must not hang the tests.
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  // 'close', or output may still come.
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  return { code, signal, output };
}

/** Runs a script to its end and parses the JSON that it printed. */
export async function scriptResult<T>(
  script: string,
  args: readonly string[] = [],
  options: Parameters<typeof spawnScript>[2] = {},
): Promise<T> {
  const { code, signal, output } = await finished(spawnScript(script, args, options));
  if (code !== 0) throw new Error(`${script} ended with ${code ?? signal}: ${output}`);
  return JSON.parse(output) as T;
}
