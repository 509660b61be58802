// The folder of a run: it goes with the run, and so does every process that the run started, also where it is interrupted.

import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { endWithUs } from './child.ts';
import { withDescendants } from './process-usage.ts';

/** Makes it. The stack is the owner. */
export async function runFolder(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  // In this order: processes that are asked to end write no more into a folder that is gone.
  stack.use(
    endWithUs(() => {
      for (const pid of withDescendants(process.pid).slice(1)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone already.
        }
      }
      rmSync(directory, { recursive: true, force: true });
    }),
  );
  return directory;
}
