// Whether the packages that a release is made of, and the bundlers that make it, are those of package-lock.json: what is installed may have
// been changed since, by a script of a package or by anybody who can write there.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export interface LockedPackage {
  /** Relative to the checkout, as package-lock.json names it. */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

/** What package-lock.json of this checkout says of each folder. @throws Error for one of which it has no digest */
export function lockedPackages(root: string, folders: readonly string[]): readonly LockedPackage[] {
  // npm writes it.
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<
      Record<string, { readonly name?: string; readonly version?: string; readonly integrity?: string }>
    >;
  };
  return folders.map((folder) => {
    const { name = nameIn(folder), version, integrity } = packages[folder] ?? {};
    if (version === undefined || integrity === undefined || !integrity.startsWith('sha512-'))
      throw new Error(`package-lock.json has no digest of ${folder}`);
    return { folder, name, version, integrity };
  });
}

function nameIn(folder: string): string {
  return /(?:@[^/]+\/)?[^/]+$/.exec(folder)?.[0] ?? folder;
}

/** Folders of packages that these files are of; what is not of a package has none. */
export function packageFolders(sources: readonly string[]): readonly string[] {
  const found = sources.flatMap((path) => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(found)].toSorted();
}

/** A package and all that it needs, as Node would find it from there. Optional ones that are not installed are left out. */
export function withDependencies(root: string, folder: string): readonly string[] {
  const found = new Set<string>();
  const add = (one: string): void => {
    if (found.has(one)) return;
    found.add(one);
    // Of an installed package.
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(root, one, 'package.json'), 'utf8'),
    ) as Readonly<Record<'dependencies' | 'optionalDependencies', Readonly<Record<string, string>>>>;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = placeOf(root, one, name);
      if (place !== undefined) add(place);
      else if (!Object.hasOwn(optionalDependencies, name)) throw new Error(`${one} needs ${name}: npm ci`);
    }
  };
  add(folder);
  return [...found].toSorted();
}

function placeOf(root: string, from: string, name: string): string | undefined {
  for (let folder = from; folder !== '.'; folder = dirname(folder)) {
    const place = join(folder, 'node_modules', name);
    if (existsSync(join(root, place))) return place;
  }
  const top = join('node_modules', name);
  return existsSync(join(root, top)) ? top : undefined;
}

/** A program that the script of a package has put elsewhere. */
export interface MovedProgram {
  /** Where it is, relative to the checkout. */
  readonly path: string;
  readonly package: LockedPackage;
  /** What it is called in the archive of the package. */
  readonly file: string;
}

export interface CheckedPackages {
  readonly packages: readonly LockedPackage[];
  readonly programs: readonly MovedProgram[];
}

/**
 * Compares each with its archive, which has to have the digest of package-lock.json: no file is another one, none is missing, none was added.
 * npm takes the archives from its cache, if they are there. `work` is a folder for them. @throws Error that names the first file
 */
export function checkPackages(root: string, { packages, programs }: CheckedPackages, work: string): void {
  const folder = mkdtempSync(join(work, 'packages-'));
  try {
    const all = [...packages, ...programs.map((one) => one.package)];
    const asked = [...new Set(all.map(({ name, version }) => `${name}@${version}`))];
    const options = ['--silent', '--prefer-offline', '--ignore-scripts', '--pack-destination', folder];
    run('npm', ['pack', ...asked, ...options], folder);
    for (const one of packages) {
      const unpacked = unpack(one, folder);
      compareFolders(join(root, one.folder), unpacked, one.folder);
      rmSync(unpacked, { recursive: true });
    }
    for (const { path, package: from, file } of programs) {
      const unpacked = unpack(from, folder);
      compareFiles(join(root, path), join(unpacked, file), path);
      rmSync(unpacked, { recursive: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unpack({ name, version, integrity }: LockedPackage, folder: string): string {
  const archive = join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const digest = createHash('sha512').update(readFileSync(archive)).digest('base64');
  if (`sha512-${digest}` !== integrity)
    throw new Error(`${name}@${version} of the registry is not the one of package-lock.json`);
  const unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  // Archives of npm have one folder, of any name.
  run('tar', ['-xzf', archive, '--no-same-owner', '--strip-components=1', '-C', unpacked], folder);
  return unpacked;
}

function compareFolders(installed: string, unpacked: string, name: string): void {
  const [there, wanted] = [filesBelow(installed), filesBelow(unpacked)];
  const [isThere, isWanted] = [new Set(there), new Set(wanted)];
  const added = there.find((file) => !isWanted.has(file));
  if (added !== undefined) throw new Error(`${name}/${added} is not in the package of package-lock.json`);
  const missing = wanted.find((file) => !isThere.has(file));
  if (missing !== undefined)
    throw new Error(`${name}/${missing} is missing, which is in the package: npm ci`);
  for (const file of wanted) compareFiles(join(installed, file), join(unpacked, file), `${name}/${file}`);
}

function compareFiles(installed: string, unpacked: string, name: string): void {
  if (!readFileSync(installed).equals(readFileSync(unpacked)))
    throw new Error(`${name} was changed: it is not the one of package-lock.json`);
}

/** Without the packages that are installed below. */
function filesBelow(folder: string): readonly string[] {
  const nested = join(folder, 'node_modules');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && !`${entry.parentPath}/`.startsWith(`${nested}/`))
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .toSorted();
}

function run(file: string, args: readonly string[], cwd: string): void {
  const { status, error, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args[0]} ended with ${status ?? error?.message}\n${stderr}`);
}
