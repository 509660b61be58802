// cargo, go and Maven.

import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, runCommand } from '../../../support/command.ts';
import { goModule } from '../registries/go-proxy.ts';
import { type ClientScene, type RegistryClient, versionSaid, writeFiles } from './registry-client.ts';

async function cargo({ folder, env }: ClientScene, ...args: readonly string[]): Promise<CommandResult> {
  return await runCommand('cargo', args, { cwd: folder, env: { ...env, CARGO_HOME: join(folder, 'home') } });
}

async function go({ folder, url, env }: ClientScene, ...args: readonly string[]): Promise<CommandResult> {
  return await runCommand('go', args, {
    cwd: folder,
    env: {
      ...env,
      GOPROXY: url,
      GOSUMDB: 'off',
      GOFLAGS: '-mod=mod -modcacherw',
      GOMODCACHE: join(folder, 'cache'),
      GOTOOLCHAIN: 'local',
    },
  });
}

/** An extension of the build is fetched, pom and jar, without any plugin of Maven's own. */
const projectOf = (artifact: string, version: string): string => `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>project</artifactId>
  <version>1.0</version>
  <packaging>pom</packaging>
  <build><extensions><extension><groupId>test.example</groupId><artifactId>${artifact}</artifactId><version>${version}</version></extension></extensions></build>
</project>
`;

async function maven(
  { folder, url, env }: ClientScene,
  artifact: string,
  version: string,
): Promise<CommandResult> {
  await writeFiles(folder, {
    'settings.xml': `<settings>
  <localRepository>${folder}/repository</localRepository>
  <mirrors><mirror><id>own</id><mirrorOf>*</mirrorOf><url>${url}/maven2</url></mirror></mirrors>
</settings>
`,
    'pom.xml': projectOf(artifact, version),
  });
  const args = ['--batch-mode', '--settings', 'settings.xml', 'validate'];
  return await runCommand('mvn', args, { cwd: folder, env: { ...env, HOME: folder } });
}

const exists = async (path: string): Promise<boolean> =>
  await access(path).then(
    () => true,
    () => false,
  );

const versions = ['1.1.0', '1.0.0'];

export const compiledClients: readonly RegistryClient[] = [
  {
    name: 'cargo',
    registry: 'cargo',
    version: async () => await versionSaid('cargo'),
    install: async (scene) => {
      const { folder, name, url } = scene;
      await writeFiles(folder, {
        'src/lib.rs': '',
        'Cargo.toml': `[package]\nname = "project"\nversion = "1.0.0"\nedition = "2021"\n[dependencies]\n${name} = { version = "1", registry = "own" }\n`,
        '.cargo/config.toml': `[registries.own]\nindex = "sparse+${url}/"\n[net]\nretry = 0\n`,
      });
      return await cargo(scene, 'fetch');
    },
    locked: async (scene) => await cargo(scene, 'fetch', '--locked'),
    installed: async ({ folder, name }) => {
      const sources = join(folder, 'home/registry/src');
      const [registry = ''] = await readdir(sources).catch(() => []);
      const found = await readdir(join(sources, registry)).catch(() => []);
      return found.find((one) => one.startsWith(`${name}-`))?.slice(name.length + 1);
    },
    leftovers: ['home'],
  },
  {
    name: 'go',
    registry: 'go',
    version: async () => await versionSaid('go', ['version']),
    install: async (scene) => {
      await writeFiles(scene.folder, { 'go.mod': 'module project\n\ngo 1.20\n' });
      return await go(scene, 'get', `${goModule(scene.name)}@latest`);
    },
    locked: async (scene) => await go(scene, 'mod', 'download'),
    installed: async ({ folder, name }) => {
      for (const version of versions)
        if (await exists(join(folder, 'cache', `${goModule(name)}@v${version}`, 'library.go')))
          return version;
      return undefined;
    },
    leftovers: ['cache'],
  },
  {
    name: 'Maven',
    registry: 'maven',
    version: async () => await versionSaid('mvn'),
    install: async (scene) => await maven(scene, `wrap-${scene.name}`, '1.0'),
    locked: async (scene) => await maven(scene, scene.name, '1.1.0'),
    installed: async ({ folder, name }) => {
      for (const version of versions)
        if (await exists(join(folder, 'repository/test/example', name, version, `${name}-${version}.jar`)))
          return version;
      return undefined;
    },
    leftovers: ['repository'],
  },
];
