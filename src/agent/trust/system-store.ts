// The system's own trust, for clients that take it from nowhere else. As root, for the time of a session.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { javaTrustEntry } from '../../pki/java-key-store.ts';
import { pemContents, splitPemCertificates } from '../../pki/pem.ts';
import { subjectHash } from '../../pki/subject-hash.ts';
import { asProxyError } from '../../protocol/error.ts';
import { marked } from '../placements/own-mark.ts';
import type { Placements } from '../placements/placements.ts';
import type { Logger } from '../../system/logger.ts';
import { ownCertificateFiles } from './own-certificates.ts';
import { systemBundlePaths } from './trust.ts';
import {
  chromiumPolicies,
  chromiumPoliciesText,
  firefoxPlaces,
  firefoxPolicies,
  firefoxPoliciesText,
  hashedFolder,
  javaStores,
} from './system-places.ts';

export interface SystemTrustOptions {
  /** `/`; another folder in tests. */
  readonly root: string;
  /** PEM of the gateway's CA alone. */
  readonly ownCa: string;
  readonly logger: Logger;
}

/** Places ours in every store that is there; one that cannot be changed is told and left as it is. */
export async function placeSystemTrust(options: SystemTrustOptions, placements: Placements): Promise<void> {
  const { root, ownCa, logger } = options;
  const blocks = splitPemCertificates(await readFile(ownCa, 'utf8'));
  const attempt = async (place: string, add: (path: string) => Promise<boolean>): Promise<void> => {
    const path = join(root, place);
    try {
      if (!(await add(path))) logger.warn(`${path} is not changed: it has another form, or is taken`);
    } catch (error) {
      logger.warn(`${path} is not changed: ${asProxyError(error).message}`);
    }
  };
  for (const place of await differentFiles(root, systemBundlePaths))
    await attempt(place, (path) => placements.appendText(path, marked(blocks.join(''))));
  for (const place of await differentFiles(root, javaStores))
    await attempt(place, (path) => addToJava(path, blocks, placements));
  if (existsSync(join(root, hashedFolder)))
    await attempt(hashedFolder, (path) => addToHashedFolder(path, blocks, placements));
  // Not only where one is installed: tools bring their own, at any time.
  const policies = chromiumPoliciesText(
    blocks.map((block) => Buffer.from(pemContents(block)).toString('base64')),
  );
  for (const place of chromiumPolicies)
    await attempt(place, (path) => placements.placeFile(path, policies, 0o644));
  if (firefoxPlaces.some((place) => existsSync(join(root, place))))
    await attempt(firefoxPolicies, (path) =>
      placements.placeFile(path, firefoxPoliciesText(ownCertificateFiles(ownCa, blocks.length)), 0o644),
    );
}

/** Those that are there, each file once: distributions link one to another. */
async function differentFiles(root: string, places: readonly string[]): Promise<string[]> {
  const byFile = new Map<string, string>();
  for (const place of places) {
    if (!existsSync(join(root, place))) continue;
    const file = await realpath(join(root, place));
    if (!byFile.has(file)) byFile.set(file, place);
  }
  return [...byFile.values()];
}

async function addToJava(path: string, blocks: readonly string[], placements: Placements): Promise<boolean> {
  // Of entries of one name Java keeps the last.
  const session = randomBytes(4).toString('hex');
  for (const [index, block] of blocks.entries()) {
    const entry = javaTrustEntry(pemContents(block), `upstreamproxy-${session}-${index + 1}`, 0);
    if (!(await placements.addJavaEntry(path, entry))) return false;
  }
  return true;
}

async function addToHashedFolder(
  path: string,
  blocks: readonly string[],
  placements: Placements,
): Promise<boolean> {
  for (const block of blocks) {
    const hash = subjectHash(pemContents(block));
    if (!(await placements.placeHashed(path, hash, marked(block)))) return false;
  }
  return true;
}
