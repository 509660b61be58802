// The files of deploy/recipes: each is the one that its guide shows, and each policy denies by default and opens what its guide says.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { packageVersion } from '../../src/system/package-version.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { parseGuide } from '../support/guide.ts';
import { launcher } from '../support/program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const recipes = globSync('deploy/recipes/*/', { cwd: root })
  .map((path) => basename(path))
  .toSorted();

const sandboxHosts = ['registry.example.com', 'git.example.com', 'api.example.com'];

/** Every host that a recipe opens; `example.com` and what is below it stand for the reader's own. */
const hosts: Readonly<Record<string, readonly string[]>> = {
  'claude-code': ['api.anthropic.com'],
  codex: ['api.openai.com'],
  'gemini-cli': ['generativelanguage.googleapis.com'],
  opencode: ['api.anthropic.com'],
  bubblewrap: sandboxHosts,
  'micro-vm': sandboxHosts,
  compose: sandboxHosts,
  podman: sandboxHosts,
};

test('there is a guide for each recipe, and the list of recipes has it', () => {
  assert.ok(recipes.length >= 4);
  const list = read('docs/guides/recipes.md');
  for (const recipe of recipes) assert.ok(list.includes(`](${recipe}.md)`), recipe);
});

describe('recipes', () => {
  for (const recipe of recipes) {
    test(`${recipe}: its guide shows its files as they are`, () => {
      const shown = new Map(
        parseGuide(read(`docs/guides/${recipe}.md`)).steps.flatMap((step) =>
          step.kind === 'file' ? [[step.name, step.text]] : [],
        ),
      );
      const files = globSync(`deploy/recipes/${recipe}/*.*`, { cwd: root });
      assert.ok(files.length > 0);
      for (const file of files) assert.equal(shown.get(basename(file)), read(file), file);
    });

    // A dev container has the gateway of the recipe for Compose.
    if (recipe === 'dev-container') continue;
    test(`${recipe}: its policy is good, and opens its hosts for the paths and methods that it names`, async () => {
      const file = `deploy/recipes/${recipe}/policy.yaml`;
      const config = join(root, `deploy/recipes/${recipe}/gateway.yaml`);
      const said = await mustRun(launcher, ['policy', 'check', '--config', config]);
      assert.match(said, /^good: \d+ rules?, version [0-9a-f]{12}\n$/);
      const { rules } = parse(read(file)) as { rules: readonly Record<string, unknown>[] };
      assert.deepEqual(
        rules.map((rule) => rule['hosts']),
        hosts[recipe],
      );
      for (const rule of rules) {
        const isNarrow =
          rule['git'] !== undefined || (rule['methods'] !== undefined && rule['paths'] !== undefined);
        assert.ok(isNarrow, `${recipe}: ${String(rule['name'])}`);
        assert.equal(rule['tls'] ?? rule['mode'], undefined);
      }
    });
  }
});

interface DevContainer {
  readonly mounts: readonly string[];
  readonly containerEnv: Readonly<Record<string, string>>;
}

describe('the files for dev containers', () => {
  const folder = 'deploy/recipes/dev-container';

  test('the Feature installs this version, unless another one is asked for', () => {
    const { version, options } = JSON.parse(
      read(`${folder}/src/upstreamproxy/devcontainer-feature.json`),
    ) as { readonly version: string; readonly options: { readonly package: { readonly default: string } } };
    assert.equal(options.package.default, `upstreamproxy@${packageVersion()}`);
    assert.equal(version, packageVersion());
  });

  test('what the container does as root finds programs of the system alone, and its configuration is read-only', () => {
    const { mounts, containerEnv } = JSON.parse(read(`${folder}/devcontainer.json`)) as DevContainer;
    const paths = containerEnv['PATH']?.split(':') ?? [];
    assert.deepEqual(paths, ['/usr/sbin', '/usr/bin', '/sbin', '/bin']);
    const target = 'target=${containerWorkspaceFolder}/.devcontainer,readonly';
    assert.ok(mounts.some((mount) => mount.endsWith(target)));
  });
});

interface ComposeFile {
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly networks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

describe('the file for Docker Compose', () => {
  const { services, networks } = parse(read('deploy/recipes/compose/compose.yaml')) as ComposeFile;

  test('only the gateway is in a network with a way out, and nothing is published', () => {
    const open = Object.keys(networks).filter((name) => networks[name]?.['internal'] !== true);
    assert.deepEqual(open, ['outside']);
    for (const [name, service] of Object.entries(services)) {
      const own = (service['networks'] ?? []) as readonly string[];
      assert.equal(own.includes('outside'), name === 'gateway', name);
      for (const key of ['ports', 'privileged', 'pid', 'ipc', 'cap_add', 'devices', 'extra_hosts'])
        assert.equal(service[key], undefined, `${name}: ${key}`);
      assert.deepEqual(service['cap_drop'], ['ALL'], name);
    }
    assert.equal(services['tool']?.['network_mode'], 'service:agent');
    // Docker leaves interfaces their address of the link, by which the host is reached.
    assert.equal(networks['inside']?.['enable_ipv6'], false);
    const settings = { 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 };
    assert.deepEqual(services['agent']?.['sysctls'], settings);
  });

  test('the tool has no secret, and no folder that the agent or the gateway reads from', () => {
    assert.equal(services['tool']?.['secrets'], undefined);
    assert.deepEqual(services['tool']?.['volumes'], ['trust:/run/upstreamproxy:ro', './project:/work']);
  });

  test('the agent takes its options', async () => {
    const [command = '', ...options] = (services['agent']?.['command'] ?? []) as readonly string[];
    const { stderr, code } = await runCommand(launcher, [command, ...options, '--token-file=/nonexistent']);
    // All options are known: it gets to the authority, which is not there.
    assert.notEqual(code, 64, stderr);
    assert.match(stderr, /\/run\/secrets\/gateway-ca/);
  });
});
