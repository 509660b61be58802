// The two files of an authority: `<name>.key`, which is a secret, and `<name>.pem`, which is public.

import { randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { authorityChain, isOfKey } from './authority-chain.ts';
import { signatureOf } from './certificate-profile.ts';
import { type KeyFiles, plainKeyFiles } from './key-files.ts';
import { removeLeftNames } from './left-names.ts';
import { checkCertificates } from './pem.ts';
import { faultReason } from '../protocol/fault-reason.ts';

/**
 * A key with its certificate first, and the authorities above it where that is not a root. Further certificates are only published, if they
 * are roots: those before it, and that of the next pair.
 */
export interface AuthorityPair {
  readonly key: KeyObject;
  readonly certificates: readonly string[];
}

/** Where the two files of an authority are. */
export interface AuthorityPaths {
  readonly directory: string;
  readonly key: string;
  readonly certificate: string;
}

/** The files of `name` in a folder; those of the pair that is to follow it are `next-<name>`. */
export function authorityPaths(directory: string, name: string): AuthorityPaths {
  return { directory, key: join(directory, `${name}.key`), certificate: join(directory, `${name}.pem`) };
}

export interface AuthorityFilesOptions {
  readonly directory: string;
  readonly name: string;
  readonly create: () => AuthorityPair;
  /** Default: as they are. */
  readonly keys?: KeyFiles;
}

const creationPollMs = 20;

/**
 * Reads the pair of a folder, or makes it where there is none. Several processes may start on one folder: one makes
 * the pair, the others read it. Throws ProxyError `ca_key_unusable`; an existing file is never overwritten.
 */
export async function openAuthorityFiles(options: AuthorityFilesOptions): Promise<AuthorityPair> {
  const { directory, name, keys } = options;
  const paths = authorityPaths(directory, name);
  const { key: keyPath, certificate: certificatePath } = paths;
  await prepareDirectory(directory);
  removeLeftNames(directory);
  if (!(await exists(keyPath))) {
    if (await exists(certificatePath)) {
      // Another process may have finished its pair between the two looks.
      if (await exists(keyPath)) return await readAuthorityFiles(directory, name, keys);
      throw unusable(
        `${certificatePath} has no key beside it: restore ${keyPath}, or remove the certificate to make a new authority`,
      );
    }
    const made = await createPairFiles(paths, options.create, keys);
    if (made !== undefined) return made;
  }
  await waitForCertificate(keyPath, certificatePath);
  return await readAuthorityFiles(directory, name, keys);
}

/** Reads the pair of a folder, with what is published beside it, and makes nothing. Throws `ca_key_unusable`. */
export async function readAuthorityFiles(
  directory: string,
  name: string,
  keys?: KeyFiles,
): Promise<AuthorityPair> {
  await requireOwnFolder(directory).catch((cause: unknown) => {
    throw asUnusable(cause, `the folder ${directory} of the authority cannot be used`);
  });
  const { key, certificates } = await readPair(authorityPaths(directory, name), keys);
  const next = authorityPaths(directory, `next-${name}`).certificate;
  if (!(await exists(next))) return { key, certificates };
  return { key, certificates: [...new Set([...certificates, ...(await readCertificates(next))])] };
}

/** Makes it where it is missing. Throws `ca_key_unusable` where others can write to it. */
export async function prepareDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await requireOwnFolder(directory);
  } catch (cause) {
    throw asUnusable(cause, `the folder ${directory} of the authority cannot be used`);
  }
}

async function requireOwnFolder(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  // Who can write to the folder can put a key of their own in it, or a certificate that workloads would trust.
  if ((mode & 0o022) !== 0) throw unusable(`${directory} can be written by others: chmod go-w ${directory}`);
}

/** The new pair, or undefined if another process was first. Each file appears whole, the certificate last. */
export async function createPairFiles(
  paths: AuthorityPaths,
  create: () => AuthorityPair,
  keys: KeyFiles = plainKeyFiles,
): Promise<AuthorityPair | undefined> {
  const { key, certificates } = create();
  const keyPem = await keys.write(key);
  if (!(await writeFirst(paths.key, keyPem, 0o600))) return undefined;
  try {
    return await addCertificates(paths, certificates, keys);
  } catch (error) {
    // The certificate was never published, so the key that we just made is worth nothing.
    if (!(await exists(paths.certificate))) await rm(paths.key, { force: true });
    throw error;
  }
}

/**
 * The pair of a key whose maker was cut off before it wrote the certificate: `certify` makes that. Of several that finish it at once,
 * and the maker if it is there still, all have the certificate of the first.
 */
export async function finishPairFiles(
  paths: AuthorityPaths,
  certify: (key: KeyObject) => string,
  keys: KeyFiles = plainKeyFiles,
): Promise<AuthorityPair> {
  return await addCertificates(paths, [certify(await readKey(paths.key, keys))], keys);
}

async function addCertificates(
  paths: AuthorityPaths,
  certificates: readonly string[],
  keys: KeyFiles,
): Promise<AuthorityPair> {
  await writeFirst(paths.certificate, certificates.join(''), 0o644);
  await syncDirectory(paths.directory);
  return await readPair(paths, keys);
}

/** Written whole under another name and then linked. False if there is a file already. */
export async function writeFirst(path: string, text: string, mode: number): Promise<boolean> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await writeSynced(temporary, text, mode);
    await link(temporary, path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw asUnusable(cause, `${path} of the authority cannot be written`);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Readers see the file of before or the whole new one. For who owns the key, or knows that nobody else writes. */
export async function writeCertificates(
  path: string,
  certificates: readonly string[],
  directory: string,
): Promise<void> {
  const temporary = `${path}.new`;
  try {
    // Left by a writer that was killed here.
    await rm(temporary, { force: true });
    await writeSynced(temporary, certificates.join(''), 0o644);
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw asUnusable(cause, `the certificate ${path} of the authority cannot be written`);
  }
}

/** Exclusive: fails with EEXIST, and leaves nothing half-written behind a failed write. */
async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function waitForCertificate(keyPath: string, certificatePath: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < defaultLimits.authorityCreationWaitMs; waitedMs += creationPollMs) {
    if (await exists(certificatePath)) return;
    await delay(creationPollMs);
  }
  throw unusable(
    `${keyPath} has no certificate beside it: restore ${certificatePath}, or remove the key to make a new authority`,
  );
}

/** One pair alone. That of the key may stand behind others: a rotation that was cut off between its two files. */
export async function readPair(
  { key: keyPath, certificate: path }: AuthorityPaths,
  keys?: KeyFiles,
): Promise<AuthorityPair> {
  const key = await readKey(keyPath, keys);
  const certificates = await readCertificates(path);
  const own = certificates.find((pem) => isOfKey(pem, key));
  if (own === undefined) throw unusable(`the certificate in ${path} is not that of the key beside it`);
  requireChain(own, certificates, path);
  return { key, certificates: [...new Set([own, ...certificates])] };
}

export async function readCertificates(path: string): Promise<readonly string[]> {
  const text = await readChecked(path, defaultLimits.authorityCertificateBytesMax, 'public');
  try {
    return checkCertificates(text);
  } catch (cause) {
    throw unusable(`${path}: ${cause instanceof Error ? cause.message : 'not readable'}`, cause);
  }
}

export async function readKey(path: string, keys: KeyFiles = plainKeyFiles): Promise<KeyObject> {
  const key = await keys.read(await readKeyText(path), path);
  signatureOf(key);
  return key;
}

/** Throws `ca_key_unusable` for a file that others can read, too. */
export async function readKeyText(path: string): Promise<string> {
  return await readChecked(path, defaultLimits.authorityKeyBytesMax, 'secret');
}

/** Readers see the file of before or the whole new one. */
export async function replacePrivateFile(path: string, text: string, directory: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  await writeSynced(temporary, text, 0o600);
  await rename(temporary, path);
  await syncDirectory(directory);
}

/** Node and Bun refuse a bundle that holds only an intermediate: what is published is the root above it. */
function requireChain(own: string, certificates: readonly string[], path: string): void {
  try {
    authorityChain(own, certificates);
  } catch (cause) {
    throw asUnusable(cause, `${path} of the authority cannot be used`, 'always');
  }
}

async function readChecked(path: string, bytesMax: number, kind: 'secret' | 'public'): Promise<string> {
  try {
    // Non-blocking: opening a pipe must not wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { mode, uid, size } = await file.stat();
      if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw unusable(`${path} is not a regular file`);
      if (size > bytesMax) throw unusable(`${path} is larger than ${String(bytesMax)} bytes`);
      const self = process.geteuid?.() ?? uid;
      if (kind === 'secret' && uid !== self && uid !== 0) throw unusable(`${path} belongs to another user`);
      if (kind === 'secret' && (mode & 0o077) !== 0)
        throw unusable(`${path} can be read by others: chmod 600 ${path}`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw asUnusable(cause, `${path} cannot be read`);
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return false;
    throw asUnusable(cause, `${path} cannot be looked at`);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function unusable(message: string, cause?: unknown): ProxyError {
  return new ProxyError('ca_key_unusable', message, { cause });
}

/** `always`: the message of a ProxyError has not said yet which file is meant. */
export function asUnusable(error: unknown, what: string, when: 'always' | 'unnamed' = 'unnamed'): ProxyError {
  if (error instanceof ProxyError && when === 'unnamed') return error;
  return unusable(`${what}: ${faultReason(error)}`, error);
}
