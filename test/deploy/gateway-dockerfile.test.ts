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
  readonly engines: { readonly node: string };
};

test('both images have the runtime that the package asks for, and install what npm packs', () => {
  const needed = /\d+/.exec(manifest.engines.node)?.[0];
  const images = [...file.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  assert.deepEqual(images, [`node:${needed}-slim`, `node:${needed}-slim`]);
  assert.match(file, new RegExp(`COPY --from=build /out/${manifest.name}-\\*\\.tgz (\\S+)`));
  assert.match(file, /npm pack --pack-destination \/out/);
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
