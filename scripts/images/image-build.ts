// Images that have a single file, the libraries that it is linked with, the authorities of the system, and nothing else. By buildah, from packages of
// Debian; no image is pulled. The same input gives the same digest.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { type Architecture, type DebianRoot, makeImageRoot } from './image-root.ts';

/** As images name them. */
export const imageArchitectures = { x64: 'amd64', arm64: 'arm64' } as const;

/** How each is started. Users are numbers: Kubernetes can tell that they are not root, and no file has to name them. */
const images = {
  agent: {
    user: 65_532,
    program: 'upstreamproxy-agent',
    // With a token that is mounted, and the address of a gateway.
    options: ['--entrypoint', '["/usr/local/bin/upstreamproxy-agent"]'],
  },
  gateway: {
    user: 10_001,
    program: 'upstreamproxy',
    options: [
      '--cmd',
      '["upstreamproxy", "gateway", "--config", "/etc/upstreamproxy/gateway.yaml"]',
      '--port',
      '8443',
    ],
  },
} as const;
export type ImageName = keyof typeof images;
export const imageNames = ['agent', 'gateway'] as const satisfies readonly ImageName[];

/** One command of buildah in a store; gives what it said. */
export type Buildah = (...args: readonly string[]) => string;

/** In the store of the user, or in the one that `place` names. */
export function buildahIn(place: readonly string[], env: NodeJS.ProcessEnv = process.env): Buildah {
  return (...args) => {
    const { status, error, stdout, stderr } = spawnSync('buildah', [...place, ...args], {
      encoding: 'utf8',
      env,
    });
    if (status === 0) return stdout.trim();
    throw new Error(`buildah ${args.join(' ')} ended with ${status ?? error?.message}\n${stdout}${stderr}`);
  };
}

export interface WantedImage {
  readonly name: ImageName;
  readonly architecture: Architecture;
  /** Path of the single file. */
  readonly file: string;
  /** The licences of all that is in it. */
  readonly licences: string;
  readonly debian: DebianRoot;
  /** A folder of the build. The caller's umask is 022. */
  readonly work: string;
}

/** Gives the id of the image. */
export function makeImage(buildah: Buildah, wanted: WantedImage): string {
  const { name, architecture, work, ...rest } = wanted;
  const { user, program, options } = images[name];
  const tree = join(work, `${name}-${architecture}`);
  mkdirSync(tree);
  makeImageRoot(tree, { ...rest, name, program, user, architecture });
  const container = buildah('from', 'scratch');
  try {
    buildah('copy', '--quiet', container, tree, '/');
    const common = ['--arch', imageArchitectures[architecture], '--os', 'linux', '--user', `${user}:${user}`];
    buildah('config', ...common, '--workingdir', '/', '--env', 'PATH=/usr/local/bin', ...options, container);
    // Timestamps are in files, layers and history: with one of no time the digest says what is in the image, and nothing else. Nor does it
    // name the version of buildah.
    return buildah('commit', '--quiet', '--identity-label=false', '--timestamp', '0', container);
  } finally {
    buildah('rm', container);
    rmSync(tree, { recursive: true });
  }
}

/** A manifest of the images of several architectures, as `list`. */
export function makeImageIndex(buildah: Buildah, list: string, ids: readonly string[]): void {
  buildah('manifest', 'create', list);
  for (const id of ids) buildah('manifest', 'add', list, id);
}
