// `npm ci` behind a gateway with a cache: twenty at once fetch each archive once, and while the registry is away the next one installs all.
// `npm run test:packages` runs it.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { npmRegistry } from './support/registries/npm.ts';

const skip = process.env['TEST_REGISTRIES'] === undefined ? '`npm run test:packages` runs it' : false;
const names = Array.from({ length: 12 }, (_, i) => `package-${String(i)}`);
const containers = 20;

test(
  'npm ci in twenty containers at once, and in one more while the registry is away',
  { skip, timeout: 900_000 },
  async () => {
    const authority = createTestAuthority();
    const served = names.map((name) => ({
      name,
      versions: [{ version: '1.0.0', daysOut: 400 }],
    }));
    const asked: string[] = [];
    let port = 0;
    const place = (): string => `https://npm.test:${String(port)}`;
    const registry = npmRegistry(served, place);
    await using origin = await httpsOrigin({
      authority,
      handler: (request, response) => {
        asked.push(request.url ?? '');
        // So that those who ask at once do ask at once.
        setTimeout(() => registry(request, response), 20);
      },
    });
    port = origin.port;
    const rule = { name: 'npm', hosts: 'npm.test', ports: port, addresses: '127.0.0.0/8' };
    const common = { authority, hosts: { 'npm.test': '127.0.0.1' } };
    await using open = await deploy({ ...common, rules: [rule] });
    await using cached = await deploy({
      ...common,
      rules: [{ ...rule, packages: { registry: 'npm', index: `${place()}/` } }],
      config: { cache: {} },
    });
    const npm = async (
      folder: string,
      behind: AgentProcess,
      ...args: readonly string[]
    ): Promise<CommandResult> =>
      await runCommand('npm', [...args, '--no-audit', '--no-fund', '--fetch-retries=0'], {
        cwd: folder,
        env: {
          ...process.env,
          ...behind.env,
          HOME: folder,
          npm_config_cache: join(folder, '.cache'),
          npm_config_registry: `${place()}/`,
        },
        timeoutMs: 600_000,
      });
    const dependencies = Object.fromEntries(names.map((name) => [name, '^1.0.0']));
    const manifest = JSON.stringify({ name: 'project', version: '1.0.0', dependencies });
    const locked = join(open.directory, 'locked');
    await mkdir(locked);
    await writeFile(join(locked, 'package.json'), manifest);
    await using openAgent = await open.startAgent();
    const made = await npm(locked, openAgent, 'install', '--package-lock-only');
    assert.equal(made.code, 0, made.stderr);
    const lock = await readFile(join(locked, 'package-lock.json'));
    const install = async (name: string, behind: AgentProcess): Promise<void> => {
      const folder = join(cached.directory, name);
      await mkdir(folder);
      await writeFile(join(folder, 'package.json'), manifest);
      await writeFile(join(folder, 'package-lock.json'), lock);
      const { code, stderr } = await npm(folder, behind, 'ci');
      assert.equal(code, 0, stderr);
      for (const one of names) {
        const text = await readFile(join(folder, 'node_modules', one, 'index.js'), 'utf8');
        assert.ok(text.includes(`${one}@1.0.0 complete`));
      }
    };
    await using first = await cached.startAgent();
    await using second = await cached.startAgent();
    asked.splice(0);
    await Promise.all(
      Array.from({ length: containers }, (_, i) =>
        install(`container-${String(i)}`, i % 2 === 0 ? first : second),
      ),
    );
    const archives = asked.filter((target) => target.endsWith('.tgz'));
    assert.deepEqual(archives.toSorted(), names.map((name) => `/${name}/-/${name}-1.0.0.tgz`).toSorted());
    const events = await cached.audit();
    // The audit's own events. npm may ask for metadata too.
    const sources = events
      .filter(({ path = '' }) => String(path).endsWith('.tgz'))
      .map(({ package: fetched }) => (fetched as { readonly cache?: string }).cache ?? 'fetched');
    const count = (source: string): number => sources.filter((one) => one === source).length;
    assert.equal(sources.length, containers * names.length);
    assert.equal(count('fetched'), names.length);
    await origin.close();
    await install('offline', second);
    console.log(
      `npm ci, ${String(containers)} at once: ${String(names.length)} archives, fetched ${String(count('fetched'))}, joined ${String(count('joined'))}, hit ${String(count('hit'))}`,
    );
  },
);
