// Folders that exist for one test.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Makes an empty folder with mode 0700; disposing removes it with all it holds. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'upstreamproxy-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Calls `use` with an empty folder of its own and removes the folder afterwards. */
export async function withTemporaryDirectory<T>(use: (path: string) => Promise<T>): Promise<T> {
  await using directory = await temporaryDirectory();
  return await use(directory.path);
}
