// A HOME for the clients that the doctor starts: the user's settings by links, and whatever they write goes with it.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { clientTable } from './client-table.ts';
import { overridingFilePaths } from './environment-problems.ts';

/** Settings beside those that the doctor itself looks at. */
const settings = [
  '.bundle/config',
  '.bunfig.toml',
  '.config/uv/uv.toml',
  '.config/xh/config.json',
  '.gemrc',
  '.hgrc',
  '.netrc',
  '.wget2rc',
  '.yarnrc',
];
/** Where managers of versions keep the programs behind the commands on PATH. */
const toolchains = ['.asdf', '.local/bin', '.local/lib', '.nvm', '.pyenv', '.rustup', '.sdkman', '.volta'];

export interface ShadowHome extends AsyncDisposable {
  readonly path: string;
}

/** Makes it. Disposing removes it; the links go, not what they lead to. */
export async function openShadowHome(home: string): Promise<ShadowHome> {
  const path = await mkdtemp(join(tmpdir(), 'upstreamproxy-doctor-'));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    for (const name of new Set([...settings, ...toolchains, ...tablePaths(), ...overridingFilePaths()])) {
      if (!existsSync(join(home, name))) continue;
      await mkdir(dirname(join(path, name)), { recursive: true });
      await symlink(join(home, name), join(path, name));
    }
    return { path, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function tablePaths(): readonly string[] {
  return clientTable.flatMap(({ proxy, trust }) =>
    [...proxy, ...(Array.isArray(trust) ? trust : [])].flatMap((source) =>
      source.kind === 'home' ? [source.path] : [],
    ),
  );
}
