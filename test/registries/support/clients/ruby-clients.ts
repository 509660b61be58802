// gem and Bundler.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, runCommand } from '../../../support/command.ts';
import { type ClientScene, type RegistryClient, versionSaid, writeFiles } from './registry-client.ts';

async function gem({ folder, name, url, env }: ClientScene, version: string): Promise<CommandResult> {
  const source = ['--clear-sources', '--source', `${url}/`];
  const args = [
    'install',
    '--no-document',
    ...source,
    '--install-dir',
    join(folder, 'gems'),
    name,
    '-v',
    version,
  ];
  return await runCommand('gem', args, { cwd: folder, env: { ...env, HOME: folder } });
}

async function bundle({ folder, env }: ClientScene, frozen: string): Promise<CommandResult> {
  const own = { BUNDLE_PATH: join(folder, 'bundle'), BUNDLE_FROZEN: frozen, BUNDLE_RETRY: '0' };
  return await runCommand('bundle', ['install'], { cwd: folder, env: { ...env, HOME: folder, ...own } });
}

async function gemIn(folder: string, name: string): Promise<string | undefined> {
  const found = await readdir(folder, { recursive: true }).catch(() => []);
  const [, version] =
    found
      .map((one) => new RegExp(`(?:^|/)gems/${name}-(\\d[\\d.]*)$`).exec(one))
      .find((one) => one !== null) ?? [];
  return version;
}

export const rubyClients: readonly RegistryClient[] = [
  {
    name: 'gem',
    registry: 'rubygems',
    version: async () => await versionSaid('gem'),
    install: async (scene) => await gem(scene, '~> 1.0'),
    locked: async (scene) => await gem(scene, '1.1.0'),
    installed: async ({ folder, name }) =>
      await gemIn(join(folder, 'gems'), name).then(async (found) => found ?? (await gemIn(folder, name))),
    leftovers: ['gems', '.gem', '.local', '.cache'],
  },
  {
    name: 'Bundler',
    registry: 'rubygems',
    version: async () => await versionSaid('bundle'),
    install: async (scene) => {
      await writeFiles(scene.folder, { Gemfile: `source '${scene.url}'\ngem '${scene.name}', '~> 1.0'\n` });
      return await bundle(scene, 'false');
    },
    locked: async (scene) => await bundle(scene, 'true'),
    installed: async ({ folder, name }) => await gemIn(join(folder, 'bundle'), name),
    leftovers: ['bundle', '.bundle', '.cache', '.local'],
  },
];
