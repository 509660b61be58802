// Trust and configuration in the forms that clients want beside PEM: written into the folder of a session.

import { chmod, mkdir, open, readdir, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { javaKeyStore } from '../../pki/java-key-store.ts';
import { hashedNames } from '../../pki/subject-hash.ts';
import { asProxyError } from '../../protocol/error.ts';
import { writeFileAtomically } from '../atomic-file.ts';
import type { WorkloadFiles } from '../environment.ts';
import type { Logger } from '../logger.ts';
import { aptConfiguration } from './apt-configuration.ts';
import { certificatesIn } from './certificate-list.ts';
import { hgrc } from './hgrc.ts';
import { nodeHookSource } from './node-hook.ts';
import { phpIni, phpPrepend } from './php.ts';
import { wgetrc } from './wgetrc.ts';

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

type StoreName = keyof Omit<WorkloadFiles, 'bundle' | 'ownCa'>;

/** Every store by the key of its variable: where it is, and how it is written there. */
const stores: Readonly<
  Record<
    StoreName,
    { readonly place: string; write(path: string, contents: StoreContents): Promise<void> | void }
  >
> = {
  hashedDirectory: { place: 'certs', write: writeHashedDirectory },
  javaKeyStore: {
    place: 'truststore.jks',
    // The date of the entries is nobody's business, and the same certificates give the same bytes.
    write: (path, { bundle }) => writeStore(path, javaKeyStore(certificatesIn(bundle), 'changeit', 0)),
  },
  phpIniDirectory: { place: 'php.d', write: writePhp },
  wgetrc: { place: 'wgetrc', write: writeWgetrc },
  hgrc: { place: 'hgrc', write: (path, { bundlePath }) => writeStore(path, hgrc(bundlePath)) },
  aptConfig: {
    place: 'apt.conf',
    write: (path, { bundlePath, base }) => writeStore(path, aptConfiguration(bundlePath, base['APT_CONFIG'])),
  },
  nodeHook: { place: 'node-hook.cjs', write: (path) => writeStore(path, nodeHookSource) },
};

/**
 * Writes all of them, anew where they are there, and says where they are. One that cannot be written is told and left
 * out, and with it its variable: what it is for does not work then, all else does.
 */
export async function writeWorkloadStores(
  contents: StoreContents,
  logger: Logger,
): Promise<Partial<Record<StoreName, string>>> {
  const written = await Promise.all(
    Object.entries(stores).map(async ([name, { place, write }]) => {
      const path = join(contents.directory, place);
      try {
        await write(path, contents);
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
  const places = { bundle: 'ca-bundle.pem', ownCa: 'ca.pem' };
  const named = Object.entries(stores).map(([name, { place }]) => [name, place] as const);
  const found = await Promise.all(
    [...Object.entries(places), ...named].map(async ([name, place]) => {
      const path = join(directory, place);
      return (await stat(path).catch(() => undefined)) === undefined ? [] : [[name, path] as const];
    }),
  );
  return Object.fromEntries(found.flat());
}

/** Removes what `writeWorkloadStores` has written, and nothing else of the folder. */
export async function removeWorkloadStores(directory: string): Promise<void> {
  for (const { place } of Object.values(stores)) {
    const path = join(directory, place);
    const inside = await readdir(path).catch(() => undefined);
    if (inside === undefined) {
      await rm(path, { force: true });
      continue;
    }
    for (const name of inside.filter(isOwnName)) await rm(join(path, name), { force: true });
    // What else is in it is the user's, and so is the folder then.
    await rmdir(path).catch(() => {});
  }
}

/** What we put into folders of stores. */
function isOwnName(name: string): boolean {
  return /^(?:[0-9a-f]{8}\.\d+|ca-bundle\.pem|upstreamproxy\.(?:ini|php))$/.test(name);
}

async function writeStore(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await writeFileAtomically(path, content, { mode, durable: false });
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
}

/**
 * The whole bundle under a name for clients that read every file, and ours under OpenSSL's names. The system's own are
 * in its own hashed folder, and a link for each would cost every start more than all other stores together.
 */
async function writeHashedDirectory(path: string, { own }: StoreContents): Promise<void> {
  await makeFolder(path);
  const names = new Map([['ca-bundle.pem', '../ca-bundle.pem']]);
  // OpenSSL takes all certificates of the file that the name leads to.
  for (const name of hashedNames(certificatesIn(own))) names.set(name, '../ca.pem');
  for (const name of await readdir(path))
    if (isOwnName(name) && !names.has(name)) await rm(join(path, name), { force: true });
  for (const [name, target] of names) await link(target, join(path, name));
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

async function writePhp(path: string, { bundlePath }: StoreContents): Promise<void> {
  await makeFolder(path);
  const prepend = join(path, 'upstreamproxy.php');
  await writeStore(prepend, phpPrepend);
  await writeStore(join(path, 'upstreamproxy.ini'), phpIni({ bundle: bundlePath, prepend }));
}

async function writeWgetrc(path: string, { bundlePath, base }: StoreContents): Promise<void> {
  const home = base['HOME'];
  const place = base['WGETRC'] ?? (home === undefined || home === '' ? undefined : join(home, '.wgetrc'));
  const own = place === undefined ? undefined : await readOwn(place);
  // It may hold passwords: whom the user's own file is closed to, ours is closed to.
  await writeStore(path, wgetrc(bundlePath, own?.text), own === undefined ? 0o644 : own.mode & 0o644);
}

/** More than any such file has; what is larger is not copied. */
const ownFileBytesMax = 262_144;

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
    if (!status.isFile() || status.size > ownFileBytesMax)
      throw new RangeError(`${path} is not a file that can be copied`);
    return { text: await file.readFile('utf8'), mode: status.mode };
  } finally {
    await file.close();
  }
}
