// Trust and configuration in the forms that clients want beside PEM: written into the folder of a session.

import { defaultLimits } from '../../protocol/limits.ts';
import { open, readdir, realpath, rm, rmdir, stat, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { javaKeyStore } from '../../pki/java-key-store.ts';
import { hashedNames } from '../../pki/subject-hash.ts';
import { asProxyError } from '../../protocol/error.ts';
import { removeAbandoned, writeFileAtomically } from '../../system/atomic-file.ts';

import type { Logger } from '../../system/logger.ts';
import { PlainFolder } from '../../system/plain-folder.ts';
import { aptConfiguration } from './apt-configuration.ts';
import { splitPemCertificates } from '../../pki/pem.ts';
import { certificatesIn } from './certificate-list.ts';
import { gitSignName } from './git-sign.ts';
import { hgrc } from './hgrc.ts';
import { knownHostsName } from './known-hosts.ts';
import { nodeHookSource } from './node-hook.ts';
import { ownCertificateName, ownCertificatesPlace } from './own-certificates.ts';
import { phpIni, phpPrepend } from './php.ts';
import { wgetrc } from './wgetrc.ts';

export interface WorkloadFiles {
  /** System roots and ours, PEM. */
  readonly bundle: string;
  /** Ours alone, PEM; for variables that add to the client's own roots. */
  readonly ownCa?: string;
  /** Folder with one PEM file a certificate, named by OpenSSL's hash. */
  readonly hashedDirectory?: string;
  /** Folder with ours alone, one PEM file a certificate, for clients that take the first of a file. */
  readonly ownCertificates?: string;
  /** Java key store with the password `changeit`. */
  readonly javaKeyStore?: string;
  readonly phpIniDirectory?: string;
  readonly wgetrc?: string;
  readonly hgrc?: string;
  readonly aptConfig?: string;
  /** CommonJS file for Node's --require. */
  readonly nodeHook?: string;
  /** Keys of the servers of SSH whose connections the gateway ends. */
  readonly knownHosts?: string;
  /** What git calls to have something signed. */
  readonly gitSign?: string;
  /** Where clients of SSH find an agent. */
  readonly sshAgent?: string;
}

export interface StoreContents {
  /** Folder of the session, which is there. */
  readonly directory: string;
  /** The system's roots and ours: the path of the file, and its text. */
  readonly bundlePath: string;
  readonly bundle: string;
  /** Ours alone, PEM. */
  readonly own: string;
  /** The workload's environment without us, which may name files of the user. */
  readonly base: Readonly<Record<string, string | undefined>>;
}

type StoreName = keyof Omit<WorkloadFiles, 'bundle' | 'ownCa' | 'knownHosts' | 'gitSign' | 'sshAgent'>;

interface StoreFile {
  readonly place: string;
  write(path: string, contents: StoreContents): Promise<void>;
}

/** A folder is filled without following a link: who can write in the session's folder must not lead us out of it. */
interface StoreFolder {
  readonly place: string;
  fill(folder: PlainFolder, contents: StoreContents, path: string): Promise<void>;
}

/** Every store by the key of its variable: where it is, and how it is written there. */
const stores: Readonly<Record<StoreName, StoreFile | StoreFolder>> = {
  hashedDirectory: { place: 'certs', fill: fillHashedDirectory },
  ownCertificates: { place: ownCertificatesPlace, fill: fillOwnCertificates },
  javaKeyStore: {
    place: 'truststore.jks',
    // The date of the entries is nobody's business, and the same certificates give the same bytes.
    write: (path, { bundle }) => writeStore(path, javaKeyStore(certificatesIn(bundle), 'changeit', 0)),
  },
  phpIniDirectory: { place: 'php.d', fill: fillPhp },
  wgetrc: { place: 'wgetrc', write: writeWgetrc },
  hgrc: { place: 'hgrc', write: (path, { bundlePath }) => writeStore(path, hgrc(bundlePath)) },
  aptConfig: {
    place: 'apt.conf',
    write: (path, { bundlePath, base }) => writeStore(path, aptConfiguration(bundlePath, base['APT_CONFIG'])),
  },
  nodeHook: { place: 'node-hook.cjs', write: (path) => writeStore(path, nodeHookSource) },
};

/** Of the files that `writeWorkloadStores` writes into the folder of the session itself. */
export const storeFileNames: readonly string[] = Object.values(stores)
  .filter((store) => 'write' in store)
  .map(({ place }) => place);

/**
 * Writes all of them, anew where they are there, and says where they are. One that cannot be written is told and left
 * out, and with it its variable: what it is for does not work then, all else does.
 */
export async function writeWorkloadStores(
  contents: StoreContents,
  logger: Logger,
): Promise<Partial<Record<StoreName, string>>> {
  await using directory = await PlainFolder.open(await realpath(contents.directory));
  const written = await Promise.all(
    Object.entries(stores).map(async ([name, store]) => {
      const path = join(contents.directory, store.place);
      try {
        if ('write' in store) await store.write(path, contents);
        else {
          await using folder = await directory.makeFolder(store.place, 0o755);
          if (folder === undefined) throw new Error('it is a link, or no folder');
          await store.fill(folder, contents, path);
        }
        return [[name, path] as const];
      } catch (error) {
        logger.warn(`${path} is left out: ${asProxyError(error).message}`);
        return [];
      }
    }),
  );
  return Object.fromEntries(written.flat());
}

/** What is in the folder of a session that another process has written. */
export async function storesIn(directory: string): Promise<Partial<WorkloadFiles>> {
  const places = {
    bundle: 'ca-bundle.pem',
    ownCa: 'ca.pem',
    knownHosts: knownHostsName,
    gitSign: gitSignName,
  };
  const named = Object.entries(stores).map(([name, { place }]) => [name, place] as const);
  const found = await Promise.all(
    [...Object.entries(places), ...named].map(async ([name, place]) => {
      const path = join(directory, place);
      return (await stat(path).catch(() => undefined)) === undefined ? [] : [[name, path] as const];
    }),
  );
  return Object.fromEntries(found.flat());
}

/** Removes what `writeWorkloadStores` has written, and nothing else of the folder. Follows no link. */
export async function removeWorkloadStores(directory: string): Promise<void> {
  const path = await realpath(directory).catch(() => undefined);
  if (path === undefined) return;
  await using parent = await PlainFolder.open(path);
  for (const store of Object.values(stores)) {
    if ('write' in store) await unlink(parent.entry(store.place)).catch(() => {});
    else await emptyFolder(parent, store.place);
  }
}

async function emptyFolder(parent: PlainFolder, name: string): Promise<void> {
  await using folder = await parent.openFolder(name).catch(() => undefined);
  if (folder === undefined) return;
  for (const entry of await readdir(folder.entry('.')))
    if (isOwnName(entry)) await rm(folder.entry(entry), { force: true });
  // What else is in it is the user's, and so is the folder then.
  await rmdir(parent.entry(name)).catch(() => {});
}

/** What we put into folders of stores. */
function isOwnName(name: string): boolean {
  return /^(?:[0-9a-f]{8}\.\d+|\d+\.pem|ca-bundle\.pem|upstreamproxy\.(?:ini|php))$/.test(name);
}

async function writeStore(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await writeFileAtomically(path, content, { mode, durable: false });
}

/**
 * The whole bundle under a name for clients that read every file, and ours under OpenSSL's names. The system's own are
 * in its own hashed folder, and a link for each would cost every start more than all other stores together.
 */
async function fillHashedDirectory(folder: PlainFolder, { own }: StoreContents): Promise<void> {
  const names = new Map([['ca-bundle.pem', '../ca-bundle.pem']]);
  // OpenSSL takes all certificates of the file that the name leads to.
  for (const name of hashedNames(certificatesIn(own))) names.set(name, '../ca.pem');
  for (const name of await readdir(folder.entry('.')))
    if (isOwnName(name) && !names.has(name)) await rm(folder.entry(name), { force: true });
  for (const [name, target] of names) await link(target, folder.entry(name));
}

async function fillOwnCertificates(folder: PlainFolder, { own }: StoreContents): Promise<void> {
  const blocks = splitPemCertificates(own);
  const names = blocks.map((_, index) => ownCertificateName(index));
  await removeAbandoned(folder.entry('.'), names);
  for (const name of await readdir(folder.entry('.')))
    if (isOwnName(name) && !names.includes(name)) await rm(folder.entry(name), { force: true });
  for (const [index, block] of blocks.entries())
    await writeStore(folder.entry(ownCertificateName(index)), block);
}

async function link(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    // Left by an earlier write; it leads to the same file, or is replaced by what does.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await rm(path, { force: true });
    await symlink(target, path);
  }
}

async function fillPhp(folder: PlainFolder, { bundlePath }: StoreContents, path: string): Promise<void> {
  const [prepend, ini] = ['upstreamproxy.php', 'upstreamproxy.ini'] as const;
  await removeAbandoned(folder.entry('.'), [prepend, ini]);
  await writeStore(folder.entry(prepend), phpPrepend);
  await writeStore(folder.entry(ini), phpIni({ bundle: bundlePath, prepend: join(path, prepend) }));
}

async function writeWgetrc(path: string, { bundlePath, base }: StoreContents): Promise<void> {
  const home = base['HOME'];
  const place = base['WGETRC'] ?? (home === undefined || home === '' ? undefined : join(home, '.wgetrc'));
  const own = place === undefined ? undefined : await readOwn(place);
  // It may hold passwords: whom the user's own file is closed to, ours is closed to.
  await writeStore(path, wgetrc(bundlePath, own?.text), own === undefined ? 0o644 : own.mode & 0o644);
}

/** A file of the user that ours takes the place of, or undefined if there is none. */
async function readOwn(path: string): Promise<{ readonly text: string; readonly mode: number } | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > defaultLimits.copiedFileBytesMax)
      throw new RangeError(`${path} is not a file that can be copied`);
    return { text: await file.readFile('utf8'), mode: status.mode };
  } finally {
    await file.close();
  }
}
