// The rotation of the signing key in its folder. After each single write the folder is one that a gateway starts with.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { link, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { writePrivateFile } from '../../system/private-file.ts';
import {
  createSigningKey,
  nextSigningKeyFile,
  oldSigningKeyFile,
  readPublicKid,
  readSigningKey,
  readSigningKeys,
  signingKeyFile,
} from './signing-key.ts';

/** Gateways look each 15 s: earlier, one of them may refuse what the next key signed. */
export const acceptedForMsMin = 30_000;

/** Makes the next key, mode 0600, exclusively. Gives its `kid`. Throws `signing_key_unusable`. */
export async function makeNextSigningKey(directory: string): Promise<string> {
  await readSigningKeys(directory);
  const { privateKey } = generateKeyPairSync('ed25519');
  const path = join(directory, nextSigningKeyFile);
  await writeNewFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  return createSigningKey(privateKey).kid;
}

/**
 * From here on the next key signs, and what the one of before signed is taken on. Refuses a key that was not accepted for
 * `acceptedForMsMin`, unless told to (`atOnce`). Throws `signing_key_unusable`.
 */
export async function switchSigningKey(
  directory: string,
  { nowMs, atOnce }: { readonly nowMs: number; readonly atOnce: boolean },
): Promise<void> {
  const [path, next, old] = [signingKeyFile, nextSigningKeyFile, oldSigningKeyFile].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  const { kid, publicKey } = await readSigningKey(path);
  await readSigningKey(next);
  const ageMs = nowMs - (await stat(next)).mtimeMs;
  if (!atOnce && ageMs < acceptedForMsMin)
    throw unusable(
      `${next} is ${Math.max(0, Math.floor(ageMs / 1000))} s old: until it is ${acceptedForMsMin / 1000} s old, a gateway may not take what it signs`,
    );
  // Of a step that was cut off it is there already.
  const earlier = await readPublicKid(old);
  if (earlier === undefined)
    await writeNewFile(old, publicKey.export({ type: 'spki', format: 'pem' }).toString());
  else if (earlier !== kid) throw unusable(`${old} is of an earlier rotation: retire it first`);
  await rename(next, path).catch((error: unknown) => {
    throw unusable(`${next} cannot take the place of ${path}: ${faultReason(error)}`, error);
  });
  await readSigningKeys(directory);
}

/** What the key of before signed is taken no more. False if there is none. */
export async function retireSigningKey(directory: string): Promise<boolean> {
  await readSigningKeys(directory);
  const old = join(directory, oldSigningKeyFile);
  if ((await readPublicKid(old)) === undefined) return false;
  await rm(old);
  return true;
}

/** Appears whole or not at all. Throws where a file of that name is there. */
async function writeNewFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await writePrivateFile(temporary, text);
    await link(temporary, path);
  } catch (error) {
    throw unusable(`${path} cannot be made: ${faultReason(error)}`, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

function unusable(message: string, cause?: unknown): ProxyError {
  return new ProxyError('signing_key_unusable', message, { cause });
}
