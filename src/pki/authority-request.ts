// An authority whose certificate somebody else signs, in its folder: a key is made and waits, and takes its place with the chain that was
// signed for it. After each single write the folder is one that a gateway starts with and an interrupted step goes on from.

import { createPublicKey, type KeyObject } from 'node:crypto';
import { link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkSignedChain } from './authority-chain.ts';
import {
  asUnusable,
  type AuthorityPaths,
  authorityPaths,
  exists,
  prepareDirectory,
  readCertificates,
  readKey,
  readPair,
  syncDirectory,
  unusable,
  writeFirst,
} from './authority-files.ts';
import { readCertificateAuthority } from './authority-folder.ts';
import { type RotatedAuthority, replaceKey, requireOwnFiles, switchAuthority } from './authority-rotation.ts';
import { type KeyFiles, plainKeyFiles } from './key-files.ts';
import { createKey } from './authority-key.ts';
import { rootsOf } from './certificate-authority.ts';
import { requireNamed } from './permitted-names.ts';
import { authorityRequest } from './certificate-request.ts';

/** Where the key waits for its certificate. */
export function requestedKey(directory: string, name: string): string {
  return join(directory, `requested-${name}.key`);
}

export interface RequestOptions {
  readonly commonName?: string | undefined;
  /** For another key than the one that waits, which is gone then. */
  readonly isAnew?: boolean;
}

/**
 * The request for a key that is made, or waits already: who asks again gets a request for the same one. Makes the folder.
 * Throws `ca_key_unusable`.
 */
export async function requestAuthority(
  { directory, name = 'ca', names, keys = plainKeyFiles }: RotatedAuthority,
  { commonName, isAnew = false }: RequestOptions = {},
): Promise<string> {
  const path = requestedKey(directory, name);
  await prepareDirectory(directory);
  if (isAnew) await rm(path, { force: true });
  const key = createKey();
  // Of a name that cannot be in a certificate nothing is left.
  const request = authorityRequest(key, { commonName, names });
  if (!(await writeFirst(path, await keys.write(key), 0o600)))
    return authorityRequest(await readKey(path, keys), { commonName, names });
  await syncDirectory(directory);
  return request;
}

/** `signs`: every agent has its root already. `published`: the root is another one, and the pair waits for `ca switch`. */
export interface InstalledAuthority {
  readonly installed: 'signs' | 'published';
  /** The certificate of the key. */
  readonly ownPem: string;
}

/**
 * Takes the chain that was signed for the requested key. Where its root is published already it signs from here on, otherwise it becomes the
 * next pair. Throws `ca_key_unusable`, and then nothing has changed.
 */
export async function installAuthority(
  authority: RotatedAuthority,
  certificates: readonly string[],
  nowMs: number,
): Promise<InstalledAuthority> {
  const { directory, name = 'ca', names = [], keys = plainKeyFiles } = authority;
  const current = authorityPaths(directory, name);
  const next = authorityPaths(directory, `next-${name}`);
  const requested = requestedKey(directory, name);
  await prepareDirectory(directory);
  for (const one of [current, next, { ...next, key: requested }]) await requireOwnFiles(one);
  const key = await requestedOf(requested, next, keys);
  const isFirst = !(await exists(current.certificate));
  const before = isFirst ? [] : (await readPair(current, keys)).certificates;
  const knownRoots = rootsOf(before);
  const { intermediates, root } = checkSignedChain({ certificates, knownRoots, key, nowMs });
  const chain = [...intermediates, root];
  if (names.length > 0) requireNamed(chain, names);
  const [ownPem = ''] = chain;
  if (isFirst) {
    await placeFirst(requested, current, { chain, key, keys });
    await readCertificateAuthority(directory, { nowMs, name, keys });
    return { installed: 'signs', ownPem };
  }
  await placeNext(requested, next, chain);
  if (!knownRoots.includes(root)) return { installed: 'published', ownPem };
  await switchAuthority(authority, { nowMs, atOnce: true });
  return { installed: 'signs', ownPem };
}

/** One that was cut off between its two files has given its key the name of the next one already. */
async function requestedOf(requested: string, next: AuthorityPaths, keys: KeyFiles): Promise<KeyObject> {
  if (await exists(requested)) return await readKey(requested, keys);
  if ((await exists(next.key)) && (await exists(next.certificate))) return await readKey(next.key, keys);
  throw unusable(`${requested} is not there: nothing was requested, or it was installed before`);
}

/** The certificate first: without its key it is published, and "ca switch" refuses it. */
async function placeNext(requested: string, next: AuthorityPaths, chain: readonly string[]): Promise<void> {
  const text = chain.join('');
  if (!(await writeFirst(next.certificate, text, 0o644))) {
    const there = (await readCertificates(next.certificate)).join('');
    if (there !== text)
      throw unusable(`${next.certificate} is there already: the rotation that it began goes first`);
  }
  await syncDirectory(next.directory);
  if (await exists(requested)) {
    if (await exists(next.key))
      throw unusable(`${next.key} is there already: the rotation that it began goes first`);
    await replaceKey(requested, next.key, next.directory);
  }
}

interface SignedKey {
  readonly chain: readonly string[];
  readonly key: KeyObject;
  readonly keys: KeyFiles;
}

/** Where no authority was before. The key first, and never over another: a gateway that starts meanwhile waits for its certificate. */
async function placeFirst(
  requested: string,
  { directory, key: path, certificate }: AuthorityPaths,
  { chain, key, keys }: SignedKey,
): Promise<void> {
  try {
    await link(requested, path);
  } catch (cause) {
    const isOurs = (await exists(path)) && isSameKey(await readKey(path, keys), key);
    if (!isOurs) throw asUnusable(cause, `${path} cannot be written, or another was made meanwhile`);
  }
  if (!(await writeFirst(certificate, chain.join(''), 0o644)))
    throw unusable(`${certificate} was made by another process meanwhile`);
  await syncDirectory(directory);
  await rm(requested, { force: true });
}

function isSameKey(one: KeyObject, other: KeyObject): boolean {
  return createPublicKey(one).equals(createPublicKey(other));
}
