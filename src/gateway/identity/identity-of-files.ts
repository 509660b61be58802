// The identity that is in files, whole, to give it to a store.

import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuthorityPair, authorityPaths, exists, readPair } from '../../pki/authority-files.ts';
import { requestedKey } from '../../pki/authority-request.ts';
import { createPair } from '../../pki/certificate-authority.ts';
import type { GatewayConfig } from '../config/config.ts';
import {
  nextSigningKeyFile,
  oldSigningKeyFile,
  readPrivateKey,
  signingKeyFile,
} from '../sessions/signing-key.ts';
import { authorityTitles, type IdentityDocument } from './identity-document.ts';
import { type AuthorityFolder, interceptionFolder, peersFolder, serverFolder } from './identity-places.ts';
import { unusable } from './sealed-identity.ts';

/**
 * An authority of the port or of the peers that is not there is made, since nobody can have met it. Throws `identity_unusable` while something
 * rotates, `ca_key_unusable` and `signing_key_unusable`.
 */
export async function identityOfFiles(directory: string, nowMs: number): Promise<IdentityDocument> {
  const folders: Pick<GatewayConfig, 'identity' | 'certificateAuthority'> = {
    identity: { kind: 'directory', directory },
    certificateAuthority: { directory: join(directory, 'ca') },
  };
  for (const name of [nextSigningKeyFile, oldSigningKeyFile]) await requireAbsent(join(directory, name));
  const key = await readPrivateKey(join(directory, signingKeyFile));
  const interception = await pairOf(interceptionFolder(folders));
  if (interception === undefined)
    throw unusable(
      `${join(directory, 'ca')} has no authority: name the folder that has "ca" and "${signingKeyFile}"`,
    );
  return {
    id: randomBytes(16).toString('hex'),
    signingKey: { key },
    authorities: {
      interception,
      server: (await pairOf(serverFolder(folders))) ?? createPair(nowMs, authorityTitles.server),
      peers: (await pairOf(peersFolder(folders))) ?? createPair(nowMs, authorityTitles.peers),
    },
  };
}

async function pairOf({ directory, name = 'ca' }: AuthorityFolder): Promise<AuthorityPair | undefined> {
  const paths = authorityPaths(directory, name);
  const next = authorityPaths(directory, `next-${name}`);
  for (const path of [next.key, next.certificate, requestedKey(directory, name)]) await requireAbsent(path);
  return (await exists(paths.key)) || (await exists(paths.certificate)) ? await readPair(paths) : undefined;
}

async function requireAbsent(path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT',
  );
  if (isThere) throw unusable(`${path} is there: end the rotation in the folder first`);
}
