// skopeo, Podman, Buildah and ORAS. Without a lock file: the tag `latest`. With one: the digest.

import { type CommandResult, runCommand } from '../../../support/command.ts';
import { imageName, imageOf } from '../registries/images.ts';
import { type ClientScene, type RegistryClient, versionSaid, writeFiles } from './registry-client.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

type Fetch = (scene: ClientScene, image: string) => readonly string[];

async function fetchImage(scene: ClientScene, reference: string, command: Fetch): Promise<CommandResult> {
  const { folder, url, name, env } = scene;
  await writeFiles(folder, {
    'storage.conf': `[storage]\ndriver = "vfs"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/graph"\n`,
    'policy.json': '{"default":[{"type":"insecureAcceptAnything"}]}',
    'registries.conf': '',
  });
  const image = `${new URL(url).host}/${imageName(name)}${reference}`;
  const [program = '', ...args] = command(scene, image);
  const result = await runCommand(program, args, {
    cwd: folder,
    env: {
      ...env,
      HOME: folder,
      TMPDIR: folder,
      CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
      CONTAINERS_REGISTRIES_CONF: join(folder, 'registries.conf'),
      PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
    },
  });
  // Each of them names what came, by the digest of the manifest or of the configuration.
  const said = `${result.stdout}${result.stderr}`;
  const came = ['1.1.0', '1.0.0'].find((version) =>
    imageOf(name, { version, daysOut: 0 }).digests.some((one) =>
      said.includes(one.slice('sha256:'.length, 17)),
    ),
  );
  if (result.code === 0) await writeFiles(folder, { came: came ?? 'unknown' });
  return result;
}

const commands: readonly (readonly [
  name: string,
  program: string,
  version: readonly string[],
  fetch: Fetch,
])[] = [
  [
    'skopeo',
    'skopeo',
    ['--version'],
    (_, image) => ['skopeo', '--policy', 'policy.json', 'copy', `docker://${image}`, 'dir:image'],
  ],
  [
    'Podman',
    'podman',
    ['--version'],
    (_, image) => ['podman', 'pull', '--retry', '0', '--signature-policy', 'policy.json', image],
  ],
  [
    'Buildah',
    'buildah',
    ['--version'],
    (_, image) => ['buildah', 'pull', '--retry', '0', '--signature-policy', 'policy.json', image],
  ],
  ['ORAS', 'oras', ['version'], (_, image) => ['oras', 'copy', '--to-oci-layout', image, 'layout:latest']],
];

export const imageClients: readonly RegistryClient[] = commands.map(([name, program, version, fetch]) => ({
  name,
  registry: 'oci',
  version: async () => await versionSaid(program, version),
  install: async (scene) => await fetchImage(scene, ':latest', fetch),
  locked: async (scene) =>
    await fetchImage(scene, `@${imageOf(scene.name, { version: '1.1.0', daysOut: 0 }).digest}`, fetch),
  installed: async ({ folder }) => await readFile(join(folder, 'came'), 'utf8').catch(() => undefined),
  leftovers: ['came', 'image', 'layout', 'run', 'graph'],
}));
