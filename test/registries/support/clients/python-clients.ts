// pip and Poetry.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, runCommand } from '../../../support/command.ts';
import { type ClientScene, type RegistryClient, versionSaid, writeFiles } from './registry-client.ts';

const options = ['--no-deps', '--no-cache-dir', '--retries', '0', '--disable-pip-version-check'];

async function pip({ folder, url, env }: ClientScene, wanted: string): Promise<CommandResult> {
  const index = ['--index-url', `${url}/simple/`];
  const args = ['-m', 'pip', 'install', ...options, ...index, '--target', join(folder, 'installed'), wanted];
  return await runCommand('python3', args, { env: { ...env, HOME: folder } });
}

async function versionIn(folder: string, name: string): Promise<string | undefined> {
  const found = (await readdir(folder).catch(() => [])).find((one) => one.startsWith(`${name}-`));
  return /-(\d[\d.]*)\.dist-info$/.exec(found ?? '')?.[1];
}

async function poetry({ folder, env }: ClientScene, ...args: readonly string[]): Promise<CommandResult> {
  return await runCommand('poetry', ['--no-interaction', ...args], {
    cwd: folder,
    env: {
      ...env,
      HOME: folder,
      POETRY_CACHE_DIR: join(folder, '.cache'),
      POETRY_VIRTUALENVS_IN_PROJECT: 'true',
      POETRY_REQUESTS_MAX_RETRIES: '0',
      PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
    },
  });
}

export const pythonClients: readonly RegistryClient[] = [
  {
    name: 'pip',
    registry: 'pypi',
    version: async () => await versionSaid('python3', ['-m', 'pip', '--version']),
    install: async (scene) => await pip(scene, `${scene.name}>=1`),
    locked: async (scene) => await pip(scene, `${scene.name}==1.1.0`),
    installed: async ({ folder, name }) => await versionIn(join(folder, 'installed'), name),
    leftovers: ['installed'],
  },
  {
    name: 'Poetry',
    registry: 'pypi',
    version: async () => await versionSaid('poetry'),
    install: async (scene) => {
      await writeFiles(scene.folder, {
        'pyproject.toml': `[tool.poetry]
name = "project"
version = "1.0.0"
description = ""
authors = []
package-mode = false
[tool.poetry.dependencies]
python = ">=3.9"
${scene.name} = "^1.0.0"
[[tool.poetry.source]]
name = "own"
url = "${scene.url}/simple/"
priority = "primary"
`,
      });
      return await poetry(scene, 'install', '--no-root');
    },
    locked: async (scene) => await poetry(scene, 'install', '--no-root'),
    installed: async ({ folder, name }) => {
      const lib = join(folder, '.venv/lib');
      const [python = ''] = await readdir(lib).catch(() => []);
      return await versionIn(join(lib, python, 'site-packages'), name);
    },
    leftovers: ['.venv', '.cache'],
  },
];
