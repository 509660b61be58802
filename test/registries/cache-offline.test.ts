// pip and cargo behind a gateway with a cache: what one container fetched, the next one has while the registry is away, from the list to the archive.
// `npm run test:packages` runs it.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy } from '../support/deployment.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { cargoIndex } from './support/registries/cargo.ts';
import { pypiIndex } from './support/registries/pypi.ts';

const skip = process.env['TEST_REGISTRIES'] === undefined ? '`npm run test:packages` runs it' : false;
const versions = [
  { version: '1.0.0', daysOut: 400 },
  { version: '1.2.0', daysOut: 1 },
];
const said = ({ stdout, stderr }: CommandResult): string => `${stdout}\n${stderr}`;

type Install = (folder: string, place: string, agent: AgentProcess) => Promise<CommandResult>;

const pip: Install = async (folder, place, { env }) => {
  const options = ['--no-deps', '--no-cache-dir', '--retries', '0', '--disable-pip-version-check'];
  const from = ['--index-url', `${place}/simple/`, '-d', join(folder, 'got'), 'example>=1'];
  return await runCommand('python3', ['-m', 'pip', 'download', ...options, ...from], {
    env: { ...process.env, ...env },
    timeoutMs: 120_000,
  });
};

const cargo: Install = async (folder, place, { env }) => {
  await mkdir(join(folder, 'src'));
  await mkdir(join(folder, '.cargo'));
  await writeFile(join(folder, 'src/lib.rs'), '');
  const dependency = '[dependencies]\nexample = { version = "1", registry = "own" }\n';
  await writeFile(
    join(folder, 'Cargo.toml'),
    `[package]\nname = "project"\nversion = "1.0.0"\nedition = "2021"\n${dependency}`,
  );
  const config = `[registries.own]\nindex = "sparse+${place}/"\n[net]\nretry = 0\n`;
  await writeFile(join(folder, '.cargo/config.toml'), config);
  return await runCommand('cargo', ['fetch'], {
    cwd: folder,
    env: { ...process.env, ...env, CARGO_HOME: join(folder, 'home') },
    timeoutMs: 120_000,
  });
};

const clients = [
  { registry: 'pypi', install: pip, program: 'python3', make: pypiIndex },
  { registry: 'cargo', install: cargo, program: 'cargo', make: cargoIndex },
] as const;

for (const { registry, install, program, make } of clients)
  test(`${program} installs while its registry is away`, { skip, timeout: 600_000 }, async (context) => {
    if ((await runCommand(program, ['--version']).catch(() => undefined)) === undefined)
      return context.skip(`${program} is not here`);
    const authority = createTestAuthority();
    const asked: string[] = [];
    await using stack = new AsyncDisposableStack();
    let origin: Origin | undefined;
    const place = (): string => `https://${registry}.test:${String(origin?.port)}`;
    const served = make([{ name: 'example', versions }], place);
    origin = stack.use(
      await httpsOrigin({
        authority,
        handler: (request, response) => {
          asked.push(request.url ?? '');
          served(request, response);
        },
      }),
    );
    const packages = { registry, index: `${place()}/`, minAge: '3d' };
    const deployment = stack.use(
      await deploy({
        authority,
        hosts: { [`${registry}.test`]: '127.0.0.1' },
        rules: [
          {
            name: registry,
            hosts: `${registry}.test`,
            ports: origin.port,
            addresses: '127.0.0.0/8',
            packages,
          },
        ],
        config: { cache: {} },
      }),
    );
    const agent = stack.use(await deployment.startAgent());
    const run = async (name: string): Promise<string> => {
      const folder = join(deployment.directory, name);
      await mkdir(folder);
      const result = await install(folder, place(), agent);
      assert.equal(result.code, 0, said(result));
      return folder;
    };
    await run('online');
    const before = asked.length;
    assert.ok(before > 1);
    // The archive has its name in the cache.
    await waitUntil('the archive is kept', () => {
      const entries = join(deployment.directory, 'state/cache/entries');
      return existsSync(entries) && readdirSync(entries).length > 0;
    });
    await origin.close();
    await run('offline');
    const sources = (await deployment.audit()).map(
      ({ package: fetched }) => (fetched as { readonly cache?: string } | undefined)?.cache,
    );
    assert.ok(sources.includes('stale'), JSON.stringify(sources));
    assert.ok(sources.includes('hit'));
    assert.equal(asked.length, before);
  });
