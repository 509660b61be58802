// The rotation of an authority in its folder: the next pair is made, published, and takes the place of the one of before.
// After each single write the folder is one that a gateway starts with and an interrupted step goes on from.

import { lstat, rename, rm, stat } from 'node:fs/promises';
import { ProxyError } from '../protocol/error.ts';
import {
  asUnusable,
  type AuthorityPaths,
  authorityPaths,
  createPairFiles,
  exists,
  finishPairFiles,
  readPair,
  syncDirectory,
  unusable,
  writeCertificates,
} from './authority-files.ts';
import { authorityChain, isRoot } from './authority-chain.ts';
import { readCertificateAuthority } from './authority-folder.ts';
import { type KeyFiles, plainKeyFiles } from './key-files.ts';
import { createPair, rootOf, rootsOf } from './certificate-authority.ts';

/** Which authority of a folder is meant: the one that intercepts unless another is named. */
export interface RotatedAuthority {
  readonly directory: string;
  readonly name?: string;
  readonly commonName?: string;
  /** How its keys are in their files; default: as they are. */
  readonly keys?: KeyFiles;
  /** Of what is made: the names that it may certify, with what is below them; default: every name. */
  readonly names?: readonly string[];
}

export interface NextOptions {
  /** A root of our own also where the current authority stands below one that somebody else keeps. */
  readonly isOwnRoot?: boolean;
  /** As those of the authority; for one that is in no folder. */
  readonly names?: readonly string[] | undefined;
}

/** Gateways look each 15 s and agents each 40 s: earlier, no bundle is sure to have the certificate. */
export const publishedForMsMin = 120_000;

/**
 * Makes the next pair, whose certificate the gateways of the folder publish from then on; the key signs nothing yet. Gives the
 * certificate. One that was cut off behind its key is finished with that key. Throws `ca_key_unusable` where there is one already, or
 * no authority that it could follow.
 */
export async function makeNextAuthority(
  { directory, name = 'ca', commonName, names, keys = plainKeyFiles }: RotatedAuthority,
  nowMs: number,
  { isOwnRoot = false }: NextOptions = {},
): Promise<string> {
  const current = authorityPaths(directory, name);
  await requireOwnFiles(current);
  requireOwnRoot((await readPair(current, keys)).certificates, isOwnRoot);
  const next = authorityPaths(directory, `next-${name}`);
  if (await exists(next.certificate))
    throw unusable(`${next.certificate} is there already: the rotation that it began goes first`);
  await requireOwnFiles(next);
  if (await exists(next.key)) {
    const pair = await finishPairFiles(next, (key) => rootOf(key, nowMs, { commonName, names }), keys);
    return pair.certificates.join('');
  }
  const made = await createPairFiles(next, () => createPair(nowMs, commonName, names), keys);
  if (made === undefined) throw unusable(`${next.key} was made by another process meanwhile`);
  return made.certificates.join('');
}

/** Whoever keeps the root offline would else have a key online by habit. Throws `ca_key_unusable`. */
export function requireOwnRoot([own = '']: readonly string[], isOwnRoot: boolean): void {
  if (!isOwnRoot && !isRoot(own))
    throw unusable(
      'the authority stands below a root of yours: renew it by "ca request" and "ca install", or give --own-root for one that the gateway makes',
    );
}

export interface SwitchOptions {
  readonly nowMs: number;
  readonly atOnce: boolean;
  /** How long everyone needs to hear of the next certificate. */
  readonly publishedForMs?: number;
}

/**
 * From here on the next pair signs; the key of before is gone, and its certificate is published on. Refuses a pair that was not
 * published for `publishedForMs`, unless told to (`atOnce`). Throws `ca_key_unusable`.
 */
export async function switchAuthority(
  { directory, name = 'ca', keys = plainKeyFiles }: RotatedAuthority,
  { nowMs, atOnce, publishedForMs = publishedForMsMin }: SwitchOptions,
): Promise<void> {
  const current = authorityPaths(directory, name);
  const next = authorityPaths(directory, `next-${name}`);
  if (!(await exists(next.certificate)))
    throw unusable(`${next.certificate} is not there: make the next pair first`);
  await requireOwnFiles(current);
  await requireOwnFiles(next);
  const pair = await readPair(current, keys);
  if (await exists(next.key)) {
    // One that is not valid now would sign nothing.
    await readCertificateAuthority(directory, { nowMs, name: `next-${name}`, keys });
    const following = await readPair(next, keys);
    if (!atOnce) await requirePublished(next.certificate, nowMs, publishedForMs);
    // All certificates before the key: whichever key a reader finds, its certificate is there.
    await writeCertificates(current.certificate, union(pair.certificates, following.certificates), directory);
    await replaceKey(next.key, current.key, directory);
  } else {
    await requireSwitched(current, next.certificate, keys);
  }
  await writeCertificates(
    current.certificate,
    usedOf((await readPair(current, keys)).certificates),
    directory,
  );
  await rm(next.certificate, { force: true });
  // What the gateways will read is read here, so that a fault is told to who can mend it.
  await readCertificateAuthority(directory, { nowMs, name, keys });
}

/** The certificates before the current one are published no more. Gives how many went. Throws `ca_key_unusable`. */
export async function retireAuthorities({
  directory,
  name = 'ca',
  keys = plainKeyFiles,
}: RotatedAuthority): Promise<number> {
  const current = authorityPaths(directory, name);
  const next = authorityPaths(directory, `next-${name}`);
  if (await exists(next.certificate))
    throw unusable(`${next.certificate} has not taken its place yet: nothing is retired before`);
  await requireOwnFiles(current);
  const { certificates } = await readPair(current, keys);
  const kept = keptOf(certificates);
  if (kept.length < certificates.length) await writeCertificates(current.certificate, kept, directory);
  return certificates.length - kept.length;
}

/** The certificate of the key, and the way from it to its root. */
export function keptOf([own = '', ...others]: readonly string[]): readonly string[] {
  const { intermediates, root } = authorityChain(own, others);
  return [...intermediates, root];
}

/** The same, and the roots of before; of authorities below them that signed before, running gateways have what they need. */
export function usedOf(certificates: readonly string[]): readonly string[] {
  return union(keptOf(certificates), rootsOf(certificates));
}

/** In place of a link the new file would stand, and what it leads to would stay: a mounted secret is changed where it comes from. */
export async function requireOwnFiles({ key, certificate }: AuthorityPaths): Promise<void> {
  for (const path of [key, certificate]) {
    const status = await lstat(path).catch(() => undefined);
    if (status?.isSymbolicLink() === true)
      throw unusable(`${path} is a link, such as to a mounted secret: exchange what it leads to`);
  }
}

async function requirePublished(certificate: string, nowMs: number, forMs: number): Promise<void> {
  const sinceMs = nowMs - (await stat(certificate)).mtimeMs;
  if (sinceMs >= forMs) return;
  const message = `${certificate} is ${Math.max(0, Math.floor(sinceMs / 1000))} s old: until it is ${forMs / 1000} s old, running sessions may lack it`;
  throw new ProxyError('ca_key_unusable', message);
}

/** Without the next key, the step was interrupted behind its exchange, or somebody took the key away. */
async function requireSwitched(current: AuthorityPaths, certificate: string, keys: KeyFiles): Promise<void> {
  const message = `${certificate} has no key beside it: restore the key, or remove the certificate`;
  await readPair({ ...current, certificate }, keys).catch((cause: unknown) => {
    throw unusable(message, cause);
  });
}

export async function replaceKey(from: string, to: string, directory: string): Promise<void> {
  try {
    await rename(from, to);
    await syncDirectory(directory);
  } catch (cause) {
    throw asUnusable(cause, `${from} cannot take the place of ${to}`);
  }
}

function union(first: readonly string[], second: readonly string[]): readonly string[] {
  return [...new Set([...first, ...second])];
}
