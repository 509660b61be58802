// Clients of registries behind the gateway: of packages whose newer version is too young, denied, affected, malicious, tampered with or
// withdrawn, which version each picks, with a lock file and without one, and what a person sees. `npm run test:packages` runs it.

import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { PackageRegistry } from '../../src/understand/packages/package-request.ts';
import type { CommandResult } from '../support/command.ts';
import { type AgentProcess, deploy } from '../support/deployment.ts';
import { osvRecord } from '../support/osv-records.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool } from '../support/tools.ts';
import type { ClientScene, RegistryClient } from './support/clients/registry-client.ts';
import { clients, expected } from './support/expected-picks.ts';
import { type KnownAdvisories, knownAdvisories } from './support/known-advisories.ts';
import { cargoIndex } from './support/registries/cargo.ts';
import { gemServer } from './support/registries/gems.ts';
import { goModule, goProxy } from './support/registries/go-proxy.ts';
import { imageName, imageRegistry } from './support/registries/images.ts';
import { mavenRepository } from './support/registries/maven.ts';
import { npmRegistry } from './support/registries/npm.ts';
import { pypiIndex } from './support/registries/pypi.ts';
import type { ServedPackage } from './support/registries/served-package.ts';
import { seenBefore, startHavingSeen } from './support/seen-before.ts';
import { tellRow, toldLine, type Wrong, wrongs } from './support/told-table.ts';

const skip = process.env['TEST_REGISTRIES'] === undefined ? '`npm run test:packages` runs it' : false;

/** While lock files are made, nothing is wrong yet. */
const state = { isWrong: false };

const packages: readonly ServedPackage[] = wrongs.map((name) => ({
  name,
  versions: [
    { version: '1.0.0', daysOut: 400 },
    {
      version: '1.1.0',
      daysOut: name === 'young' ? 1 : 300,
      ...(name === 'tampered' ? { isTampered: () => state.isWrong } : {}),
      ...(name === 'withdrawn' ? { isWithdrawn: () => state.isWrong } : {}),
    },
  ],
}));

const registries = ['npm', 'pypi', 'cargo', 'go', 'maven', 'rubygems', 'oci'] as const;

/** What the registry calls the package, and how it writes the version. */
function written(registry: PackageRegistry, name: string): readonly [name: string, version: string] {
  switch (registry) {
    case 'go':
      return [goModule(name), 'v1.1.0'];
    case 'maven':
      return [`test.example:${name}`, '1.1.0'];
    case 'oci':
      return [imageName(name), '1.1.0'];
    case 'npm':
    case 'pypi':
    case 'cargo':
    case 'rubygems':
      return [name, '1.1.0'];
  }
}

const ecosystems = {
  npm: 'npm',
  pypi: 'PyPI',
  cargo: 'crates.io',
  go: 'Go',
  maven: 'Maven',
  rubygems: 'RubyGems',
} as const;

const records = Object.entries(ecosystems).flatMap(([registry, ecosystem]) => {
  // Object.entries gives names as text.
  const nameOf = (name: string): string => written(registry as PackageRegistry, name)[0];
  return [
    osvRecord({
      id: `GHSA-${registry}`,
      ecosystem,
      name: nameOf('affected'),
      range: [{ introduced: '1.0.1' }],
      severity: 'HIGH',
    }),
    osvRecord({ id: `MAL-${registry}`, ecosystem, name: nameOf('malicious'), versions: ['1.1.0'] }),
  ];
});

function ruleOf(registry: PackageRegistry, port: number): Readonly<Record<string, unknown>> {
  const [denied, version] = written(registry, 'denied');
  const isImage = registry === 'oci';
  const until = new Date(Date.now() + 86_400_000).toISOString();
  const wrapper = { package: 'test.example:wrap-*', reason: 'it is of the test', until };
  return {
    registry,
    index: indexAt(registry, port),
    minAge: '3d',
    deny: isImage ? denied : `${denied}@${version}`,
    ...(isImage ? {} : { advisories: { deny: 'high' } }),
    ...(registry === 'maven' ? { exceptions: [wrapper] } : {}),
  };
}

const indexAt = (registry: PackageRegistry, port: number): string =>
  `https://${registry}.test:${String(port)}/${registry === 'maven' ? 'maven2/' : ''}`;

describe('clients of registries', { skip, timeout: 3_000_000 }, () => {
  const origins = new Map<PackageRegistry, Origin>();
  const resources = new AsyncDisposableStack();
  let open: AgentProcess;
  let guarded: AgentProcess;
  let folder = '';
  const portOf = (registry: PackageRegistry): number => origins.get(registry)?.port ?? 0;
  const urlOf = (registry: PackageRegistry): string => `https://${registry}.test:${String(portOf(registry))}`;

  before(async () => {
    folder = resources.use(await temporaryDirectory()).path;
    const authority = createTestAuthority();
    const handlers: Readonly<Record<PackageRegistry, RequestListener>> = {
      npm: npmRegistry(packages, () => urlOf('npm')),
      pypi: pypiIndex(packages, () => urlOf('pypi')),
      cargo: cargoIndex(packages, () => urlOf('cargo')),
      go: goProxy(packages),
      maven: mavenRepository(packages),
      rubygems: findTool('ruby') === undefined ? (_, response) => response.end() : await gemServer(packages),
      oci: imageRegistry(packages),
    };
    for (const registry of registries)
      origins.set(registry, resources.use(await httpsOrigin({ authority, handler: handlers[registry] })));
    const known: KnownAdvisories = resources.use(await knownAdvisories(records));
    const rules = (isGuarded: boolean): readonly Readonly<Record<string, unknown>>[] =>
      registries.map((registry) => ({
        name: registry,
        hosts: `${registry}.test`,
        ports: portOf(registry),
        addresses: '127.0.0.0/8',
        ...(isGuarded ? { packages: ruleOf(registry, portOf(registry)) } : {}),
      }));
    const hosts = Object.fromEntries(registries.map((registry) => [`${registry}.test`, '127.0.0.1']));
    const seen = seenBefore(packages, (registry) => indexAt(registry, portOf(registry)));
    const all = resources.use(await deploy({ authority, hosts, rules: rules(false) }));
    const bound = resources.use(
      await deploy({
        authority,
        hosts,
        rules: rules(true),
        config: { advisories: { index: known.index } },
        start: async (configFile) => await startHavingSeen(configFile, seen),
      }),
    );
    open = resources.use(await all.startAgent());
    guarded = resources.use(await bound.startAgent());
  });
  after(() => resources[Symbol.asyncDispose]());

  const said = ({ stdout, stderr }: CommandResult): string => `${stderr}\n${stdout}`;

  async function sceneOf(client: RegistryClient, wrong: Wrong, what: string): Promise<ClientScene> {
    const own = join(
      folder,
      `${client.name}-${String(clients.indexOf(client))}-${wrong}-${what}`.replaceAll(' ', ''),
    );
    await mkdir(own);
    return { folder: own, name: wrong, url: urlOf(client.registry), env: { ...process.env, ...guarded.env } };
  }

  for (const [i, client] of clients.entries())
    describe(`${client.name} (${String(i)})`, () => {
      for (const wrong of wrongs) {
        const picks = expected(client.registry, wrong);
        if (picks === undefined) continue;
        test(`a version that is ${wrong}`, async (context) => {
          const version = await client.version();
          if (version === undefined) return context.skip(`${client.name} is not here`);
          state.isWrong = true;
          const ranged = await sceneOf(client, wrong, 'range');
          const result = await client.install(ranged);
          const range = (await client.installed(ranged)) ?? 'none';
          state.isWrong = false;
          const lockedScene = await sceneOf(client, wrong, 'locked');
          const made = await client.install({ ...lockedScene, env: { ...process.env, ...open.env } });
          assert.equal(await client.installed(lockedScene), '1.1.0', said(made));
          for (const one of client.leftovers)
            await rm(join(lockedScene.folder, one), { recursive: true, force: true });
          state.isWrong = true;
          const outcome = await client.locked(lockedScene);
          const locked = (await client.installed(lockedScene)) ?? 'none';
          const told = locked === 'none' ? outcome : result;
          const line = toldLine(said(told), told === result ? ranged.folder : lockedScene.folder);
          tellRow({ client: client.name, version, wrong, range, locked, said: line });
          assert.deepEqual({ range, locked }, picks, `${said(result)}\n----\n${said(outcome)}`);
        });
      }
    });
});
