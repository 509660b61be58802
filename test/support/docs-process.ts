// `upstreamproxy docs` as a process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { patienceMs } from './patience.ts';
import { endChild, launcher } from './program.ts';

export interface DocsProcess extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
}

/** `upstreamproxy docs` with these arguments; waits until it serves. */
export async function startDocs(
  args: readonly string[],
  program = launcher,
  env: NodeJS.ProcessEnv = process.env,
): Promise<DocsProcess> {
  const child = spawn(program, ['docs', ...args], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const close = (): Promise<void> => endChild(child);
  try {
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(patienceMs) })) as [string];
    return { origin: new URL(line).origin, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
