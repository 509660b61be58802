// The Node that is built into a file for one architecture: the package that `npm install` of the product brings there, in its version.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LockedPackage, lockedPackages } from './locked-packages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export type Architecture = 'x64' | 'arm64';
export const architectures: readonly Architecture[] = ['x64', 'arm64'];

export interface TargetNode {
  /** The folder of the package. */
  readonly folder: string;
  readonly executable: string;
  readonly version: string;
  /** Of its archive in the registry, as package-lock.json has it. */
  readonly integrity: string;
  /** How it is started on this machine; undefined: it cannot be. */
  readonly start: readonly [string, ...string[]] | undefined;
}

const emulator = 'qemu-aarch64';
const emulatedRoot = '/usr/aarch64-linux-gnu';

/**
 * As the registry has it, whose archive has to have the digest of package-lock.json: also where it is installed, for what is installed may have
 * been changed since. npm takes it from its cache, if it is there. `work` is a folder for it. @throws Error
 */
export function fetchedNode(architecture: Architecture, work: string): TargetNode {
  const name = `node-linux-${architecture}`;
  const { version, integrity } = locked(name);
  return nodeIn(fetched(name, version, integrity, work), architecture);
}

/** The one that `npm ci` has brought. @throws Error */
export function installedNode(architecture: Architecture): TargetNode {
  return nodeIn(join(root, 'node_modules', `node-linux-${architecture}`), architecture);
}

function nodeIn(folder: string, architecture: Architecture): TargetNode {
  const executable = join(folder, 'bin/node');
  const start = startOf(architecture, executable);
  return { folder, executable, ...locked(`node-linux-${architecture}`), start };
}

function locked(name: string): Pick<LockedPackage, 'version' | 'integrity'> {
  const [{ version, integrity } = { version: '', integrity: '' }] = lockedPackages(root, [
    `node_modules/${name}`,
  ]);
  return { version, integrity };
}

function fetched(name: string, version: string, integrity: string, work: string): string {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  run(
    'npm',
    [
      'pack',
      `${name}@${version}`,
      '--silent',
      '--prefer-offline',
      '--ignore-scripts',
      '--pack-destination',
      folder,
    ],
    work,
  );
  const archive = join(folder, `${name}-${version}.tgz`);
  const digest = createHash('sha512').update(readFileSync(archive)).digest('base64');
  if (`sha512-${digest}` !== integrity)
    throw new Error(`${name}@${version} of the registry is not the one of package-lock.json`);
  const wanted = ['bin/node', 'LICENSE', 'package.json'].map((path) => `package/${path}`);
  run('tar', ['-xzf', archive, '--no-same-owner', '-C', folder, ...wanted], work);
  return join(folder, 'package');
}

function run(file: string, args: readonly string[], cwd: string): void {
  const { status, error, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args[0]} ended with ${status ?? error?.message}\n${stderr}`);
}

function startOf(architecture: Architecture, executable: string): TargetNode['start'] {
  if (architecture === process.arch) return [executable];
  if (architecture !== 'arm64' || !existsSync(join(emulatedRoot, 'lib/ld-linux-aarch64.so.1')))
    return undefined;
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = folders.map((folder) => join(folder, emulator)).find((path) => existsSync(path));
  return found === undefined ? undefined : [found, '-L', emulatedRoot, executable];
}
