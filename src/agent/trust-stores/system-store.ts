// The system's own trust, for clients that take it from nowhere else. As root, for the time of a session.

import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { javaTrustEntry } from '../../pki/java-key-store.ts';
import { pemContents, splitPemCertificates } from '../../pki/pem.ts';
import { hashedNames } from '../../pki/subject-hash.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { Placements } from '../home-files/placements.ts';
import type { Logger } from '../logger.ts';
import { systemBundlePaths } from '../trust.ts';

export interface SystemTrustOptions {
  /** `/`; another folder in tests. */
  readonly root: string;
  /** PEM of the gateway's CA alone. */
  readonly ownCa: string;
  readonly logger: Logger;
}

const javaStores = ['/etc/ssl/certs/java/cacerts', '/etc/pki/java/cacerts', '/etc/ssl/certs/java-cacerts'];
const hashedFolder = '/etc/ssl/certs';
const firefoxPlaces = ['/usr/lib/firefox', '/usr/lib/firefox-esr', '/usr/lib64/firefox', '/opt/firefox'];
const firefoxPolicies = '/etc/firefox/policies/policies.json';

/** Places ours in every store that is there; one that cannot be changed is told and left as it is. */
export async function placeSystemTrust(options: SystemTrustOptions, placements: Placements): Promise<void> {
  const { root, ownCa, logger } = options;
  const pem = await readFile(ownCa, 'utf8');
  const certificates = splitPemCertificates(pem).map(pemContents);
  const attempt = async (place: string, add: (path: string) => Promise<unknown>): Promise<void> => {
    const path = join(root, place);
    try {
      if ((await add(path)) === false)
        logger.warn(`${path} is not changed: it has another form, or is taken`);
    } catch (error) {
      logger.warn(`${path} is not changed: ${asProxyError(error).message}`);
    }
  };
  for (const place of await differentFiles(root, systemBundlePaths))
    await attempt(place, (path) => placements.appendText(path, pem));
  for (const place of await differentFiles(root, javaStores))
    await attempt(place, (path) => addToJava(path, certificates, placements));
  if (existsSync(join(root, hashedFolder)))
    await attempt(hashedFolder, (path) => addToHashedFolder(path, certificates, pem, placements));
  if (firefoxPlaces.some((place) => existsSync(join(root, place)))) {
    const policies = `${JSON.stringify({ policies: { Certificates: { Install: [ownCa] } } }, undefined, 2)}\n`;
    await attempt(firefoxPolicies, (path) => placements.placeFile(path, policies, 0o644));
  }
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

async function addToJava(
  path: string,
  certificates: readonly Uint8Array[],
  placements: Placements,
): Promise<boolean> {
  for (const [index, certificate] of certificates.entries()) {
    const entry = javaTrustEntry(certificate, `upstreamproxy-${process.pid}-${index + 1}`, 0);
    if (!(await placements.addJavaEntry(path, entry))) return false;
  }
  return true;
}

/** Names that OpenSSL looks for: the number counts up where subjects come again. */
const hashNumbersMax = 16;

async function addToHashedFolder(
  path: string,
  certificates: readonly Uint8Array[],
  pem: string,
  placements: Placements,
): Promise<boolean> {
  for (const name of hashedNames(certificates)) {
    const [hash = '', first = '0'] = name.split('.');
    let placed = false;
    for (let number = Number(first); !placed && number < hashNumbersMax; number++)
      placed = await placements.placeFile(join(path, `${hash}.${number}`), pem, 0o644);
    if (!placed) return false;
  }
  return true;
}
