// The root file system of an image: a single file and what it cannot run without.

import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export type Architecture = 'x64' | 'arm64';

/** Packages of Debian as they were extracted for an architecture, and which they are. */
export interface DebianRoot {
  readonly folder: string;
  readonly archives: readonly DebianArchive[];
}

export interface DebianArchive {
  readonly purl: string;
  readonly sha256: string;
}

export interface ImageRoot {
  readonly name: 'agent' | 'gateway';
  /** What the file is called in the image. */
  readonly program: string;
  /** Its number; that of its group too. */
  readonly user: number;
  readonly architecture: Architecture;
  /** Path of the single file. */
  readonly file: string;
  /** The licences of all that is in the file. */
  readonly licences: string;
  /** Of that architecture. */
  readonly debian: DebianRoot;
}

const packages = ['ca-certificates', 'libatomic1', 'libc6', 'libgcc-s1', 'libstdc++6'];

/** What the runtime is linked with, and the loader where its head says that it is. Names are resolved by libc itself. */
const libraries = [
  'libatomic.so.1',
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
];
const places = {
  x64: { debian: 'amd64', folder: 'usr/lib/x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { debian: 'arm64', folder: 'usr/lib/aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
} as const;

/** Into `target`, an empty folder. As root: who owns what goes into the image. */
export function makeImageRoot(
  target: string,
  { name, program, user, architecture, file, licences, debian: { folder: extracted } }: ImageRoot,
): void {
  const { folder, loader } = places[architecture];
  for (const library of libraries)
    put(join(target, folder, library), readFileSync(realpathSync(join(extracted, folder, library))), 0o755);
  const [loaderName = ''] = loader.split('/').slice(-1);
  put(join(target, loader), readFileSync(realpathSync(join(extracted, folder, loaderName))), 0o755);
  put(join(target, 'etc/ssl/certs/ca-certificates.crt'), authorities(extracted), 0o644);
  for (const one of packages) {
    const licence = `usr/share/doc/${one}/copyright`;
    const from = join(extracted, licence);
    if (existsSync(from)) put(join(target, licence), readFileSync(realpathSync(from)), 0o644);
  }
  put(join(target, `usr/share/doc/upstreamproxy-${name}/licences`), licences, 0o644);
  const who = `upstreamproxy:x:${user}`;
  put(join(target, 'etc/passwd'), `root:x:0:0::/:/nonexistent\n${who}:${user}::/:/nonexistent\n`, 0o644);
  put(join(target, 'etc/group'), `root:x:0:\n${who}:\n`, 0o644);
  put(join(target, 'etc/nsswitch.conf'), 'hosts: files dns\n', 0o644);
  const binary = join(target, 'usr/local/bin', program);
  mkdirSync(dirname(binary), { recursive: true });
  copyFileSync(file, binary);
  // Its user cannot read it: then the kernel closes the memory of its process from the first instruction on.
  chmodSync(binary, 0o711);
  makeFolders(target, name, user);
}

/**
 * Into `folder`, without their scripts, so that those of another architecture can be had; of the release that this machine has. One extraction
 * serves all images of an architecture: between two, the packages may have become others.
 */
export function extractDebian(folder: string, architecture: Architecture): DebianRoot {
  const text = readFileSync('/etc/os-release', 'utf8');
  const own = /^ID=debian$/m.test(text) ? /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] : undefined;
  const args = [
    '--variant=extract',
    `--architectures=${places[architecture].debian}`,
    `--include=${packages.join(',')}`,
    // What was fetched stays, so that it can be named.
    '--skip=download/empty,cleanup/apt/cache',
  ];
  const { status, stderr, error } = spawnSync('mmdebstrap', [...args, own ?? 'stable', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`mmdebstrap ended with ${status ?? error?.message}\n${stderr}`);
  const archives = join(folder, 'var/cache/apt/archives');
  const names = readdirSync(archives).filter((name) => name.endsWith('.deb'));
  return { folder, archives: names.toSorted().flatMap((name) => archiveIn(archives, name)) };
}

/** None for what those that are taken need and no image has. */
function archiveIn(folder: string, file: string): readonly DebianArchive[] {
  const [, name = '', version = '', architecture] = /^([^_]+)_([^_]+)_([^_]+)\.deb$/.exec(file) ?? [];
  if (!packages.includes(name)) return [];
  // apt writes the colon of an epoch as %3a, which is what a package URL has, too.
  const purl = `pkg:deb/debian/${name.replaceAll('+', '%2B')}@${version.replaceAll('+', '%2B')}?arch=${architecture}`;
  return [{ purl, sha256: hash('sha256', readFileSync(join(folder, file))) }];
}

/** As the script of the package would write them. */
function authorities(extracted: string): string {
  const folder = join(extracted, 'usr/share/ca-certificates/mozilla');
  return readdirSync(folder)
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8').trimEnd())
    .map((pem) => `${pem}\n`)
    .join('');
}

/** A fresh volume takes the owner of the folder at its place. */
function makeFolders(target: string, name: ImageRoot['name'], user: number): void {
  const folders = {
    agent: [{ path: 'run/upstreamproxy', mode: 0o755 }],
    gateway: [
      { path: 'etc/upstreamproxy', mode: 0o755, isRoots: true },
      { path: 'var/lib/upstreamproxy', mode: 0o700 },
    ],
  }[name];
  // Where a runtime for containers mounts, which on a root that it may not write to has to be there.
  for (const path of ['dev', 'proc', 'sys', 'tmp']) mkdirSync(join(target, path));
  chmodSync(join(target, 'tmp'), 0o1777);
  for (const { path, mode, ...one } of folders) {
    mkdirSync(join(target, path), { recursive: true });
    chmodSync(join(target, path), mode);
    if (!('isRoots' in one)) chownSync(join(target, path), user, user);
  }
}

function put(path: string, bytes: string | Uint8Array, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  chmodSync(path, mode);
}
