// npm, pnpm, yarn and bun.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, runCommand } from '../../../support/command.ts';
import {
  type ClientScene,
  fetchedFile,
  type RegistryClient,
  versionSaid,
  writeFiles,
} from './registry-client.ts';

interface NpmClient {
  readonly name: string;
  /** The program, and what starts it. */
  readonly command: () => readonly string[] | undefined;
  readonly install: readonly string[];
  readonly locked: readonly string[];
  readonly files?: (scene: ClientScene) => Readonly<Record<string, string>>;
}

/** A development dependency. */
const ownBun = fileURLToPath(new URL('../../../../node_modules/bun/bin/bun.exe', import.meta.url));

function ofNode(file: string): () => readonly string[] | undefined {
  return () => {
    const found = fetchedFile(file);
    return found === undefined ? undefined : [process.execPath, found];
  };
}

const quiet = ['--no-audit', '--no-fund', '--fetch-retries=0'];
/** Its own bound would keep the young one back by itself. */
const ofPnpm = ['--config.fetch-retries=0', '--config.minimum-release-age=0'];

const clients: readonly NpmClient[] = [
  { name: 'npm', command: () => ['npm'], install: ['install', ...quiet], locked: ['ci', ...quiet] },
  ...[['pnpm 10', 'pnpm/bin/pnpm.cjs'] as const, ['pnpm 12', 'pnpm12/bin/pnpm.mjs'] as const].map(
    ([name, file]) => ({
      name,
      command: ofNode(file),
      install: ['install', '--no-frozen-lockfile', ...ofPnpm],
      locked: ['install', '--frozen-lockfile', ...ofPnpm],
    }),
  ),
  {
    name: 'yarn 1',
    command: ofNode('yarn/bin/yarn.js'),
    install: ['install', '--non-interactive'],
    locked: ['install', '--non-interactive', '--frozen-lockfile'],
  },
  {
    name: 'yarn 4',
    command: ofNode('@yarnpkg/cli-dist/bin/yarn.js'),
    install: ['install', '--no-immutable'],
    locked: ['install', '--immutable'],
    files: ({ url }) => ({
      '.yarnrc.yml': `npmRegistryServer: "${url}"\nnodeLinker: node-modules\nenableGlobalCache: false\nenableTelemetry: false\nhttpRetry: 0\nnpmMinimalAgeGate: 0\n`,
    }),
  },
  { name: 'bun', command: () => [ownBun], install: ['install'], locked: ['install', '--frozen-lockfile'] },
];

export const npmClients: readonly RegistryClient[] = clients.map((client) => ({
  name: client.name.replace(/ \d+$/, ''),
  registry: 'npm',
  version: async () => {
    const [command, ...args] = client.command() ?? [];
    return command === undefined ? undefined : await versionSaid(command, [...args, '--version']);
  },
  install: async (scene) => {
    await writeFiles(scene.folder, {
      'package.json': JSON.stringify({
        name: 'project',
        version: '1.0.0',
        dependencies: { [scene.name]: '^1.0.0' },
      }),
      '.npmrc': `registry=${scene.url}/\n`,
      ...client.files?.(scene),
    });
    return await run(client, scene, client.install);
  },
  locked: async (scene) => await run(client, scene, client.locked),
  installed: async ({ folder, name }) => {
    const file = join(folder, 'node_modules', name, 'package.json');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    // Written by the registry of the test.
    return text === undefined ? undefined : (JSON.parse(text) as { readonly version: string }).version;
  },
  leftovers: ['node_modules', '.cache', '.yarn', '.local', '.config', '.pnpm-store'],
}));

async function run(
  client: NpmClient,
  { folder, url, env }: ClientScene,
  args: readonly string[],
): Promise<CommandResult> {
  const cache = join(folder, '.cache');
  const [command = '', ...before] = client.command() ?? [];
  return await runCommand(command, [...before, ...args], {
    cwd: folder,
    env: {
      ...env,
      HOME: folder,
      npm_config_cache: cache,
      npm_config_registry: `${url}/`,
      npm_config_store_dir: cache,
      YARN_CACHE_FOLDER: cache,
      YARN_REGISTRY: `${url}/`,
      BUN_INSTALL_CACHE_DIR: cache,
      BUN_CONFIG_REGISTRY: `${url}/`,
      CI: '1',
    },
  });
}
