// Keys of days: what is kept of a day is sealed by a key of its own, which stands beside it, sealed by the key of the gateway. Whoever has
// the folder alone has nothing, and a day whose key is gone is gone.

import { hkdfSync, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { Secret } from '../../protocol/secret.ts';
import {
  noSealingKey,
  openOctets,
  sealingKeyBytes,
  sealingKeyOf,
  sealOctets,
} from '../../system/sealed-octets.ts';

const keyName = 'key';

export type SealingKey = Secret<Uint8Array>;

/** The key of the gateway, from what a source holds. @throws ProxyError config_invalid, with nothing of it */
export function keyFromText(text: string): SealingKey {
  const octets = sealingKeyOf(text);
  // Whoever has the folder could try passwords at leisure.
  if (octets === undefined) throw new ProxyError('config_invalid', noSealingKey('captured.source'));
  // Where the same key serves something else too, nothing of that opens here.
  const key = hkdfSync('sha256', octets, '', 'upstreamproxy captured bodies', sealingKeyBytes);
  octets.fill(0);
  return new Secret(new Uint8Array(key));
}

/** The key of the gateway in a file, which is made where it is missing. @throws ProxyError config_invalid */
export async function keyOfFile(path: string): Promise<SealingKey> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return new Secret(new Uint8Array(await madeOnce(path, () => randomBytes(sealingKeyBytes))));
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw unusable(path, faultReason(error), error);
  }
}

/** The key of a day's folder. It is made where it is missing, if that is asked for. @throws ProxyError config_invalid */
export async function dayKey(
  folder: string,
  day: string,
  { gatewayKey, isMade }: { readonly gatewayKey: SealingKey; readonly isMade: boolean },
): Promise<SealingKey> {
  const path = join(folder, keyName);
  const purpose = `upstreamproxy day ${day}`;
  const make = (): Buffer => sealOctets(gatewayKey.reveal(), randomBytes(sealingKeyBytes), purpose);
  const sealed = isMade ? await madeOnce(path, make) : await readFile(path);
  const key = openOctets(gatewayKey.reveal(), sealed, purpose);
  if (key?.length !== sealingKeyBytes) throw unusable(path, 'it is not of this gateway, or was changed');
  return new Secret(new Uint8Array(key));
}

/** Several processes may come to it at once: the first gives it its name, and all read what has the name. */
async function madeOnce(path: string, make: () => Buffer): Promise<Buffer> {
  const there = await readFile(path).catch(absent);
  if (there !== undefined) return there;
  const aside = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await using file = await open(aside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    await file.writeFile(make());
    await file.sync();
    await link(aside, path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(aside, { force: true });
  }
  return await readFile(path);
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}

function unusable(path: string, reason: string, cause?: unknown): ProxyError {
  return new ProxyError('config_invalid', `the key of kept bodies ${path} cannot be used: ${reason}`, {
    cause,
  });
}
