// Where this program places something, and how that looks. A manifest that names anything else was written by somebody else:
// a command of a session has the session's user, and may be given the folder of the manifests to write in.

import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isJavaTrustEntry } from '../../pki/java-key-store.ts';
import { isAgentResolvConf, resolvConfPath } from '../placements/resolv-conf.ts';
import {
  chromiumPolicies,
  chromiumPoliciesText,
  firefoxPolicies,
  firefoxPoliciesText,
  hashedFolder,
  javaStores,
} from '../trust/system-places.ts';
import { systemBundlePaths } from '../trust/trust.ts';
import { homeFilePaths } from './home-file-table.ts';
import type { KnownPlacements } from '../placements/leftovers.ts';
import { monoTrustFolder } from './mono-store.ts';
import { nssFolder, nssMark, nssNames } from './nss-database.ts';
import { isMarked } from '../placements/own-mark.ts';
import type { MarkCheck, Placement } from '../placements/placement.ts';

export interface PlacesOptions {
  /** HOME of the workload; undefined if there is none. */
  readonly home: string | undefined;
  /** `/`; another folder in tests. */
  readonly root: string;
}

const hash = /^[0-9a-f]{8}$/;
const numberedHash = /^[0-9a-f]{8}\.[0-9]+$/;
const markedCertificates =
  /^\n# [^\n]*\n(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n)+$/;

/** Links of the user and the system are resolved now, as they were when something was placed. */
export function knownPlacements({ home, root }: PlacesOptions): KnownPlacements {
  const inSystem = (path: string): Promise<string> => resolved(join(root, path));
  const isOneOf = async (path: string, places: readonly string[]): Promise<boolean> => {
    for (const place of places) if ((await inSystem(place)) === path) return true;
    return false;
  };
  const isFile = async (path: string): Promise<boolean> => {
    if (await isOneOf(path, systemFiles)) return true;
    if (home === undefined) return false;
    for (const file of fixedFiles) if (path === (await inHome(home, file))) return true;
    return (
      dirname(path) === (await resolved(join(home, monoTrustFolder))) && numberedHash.test(basename(path))
    );
  };
  const isFolder = async (path: string): Promise<boolean> => {
    if (await isOneOf(path, systemFolders)) return true;
    if (home === undefined) return false;
    for (const folder of homeFolders) if (path === (await inHome(home, folder))) return true;
    return false;
  };
  const isHashed = async (path: string): Promise<boolean> =>
    dirname(path) === (await inSystem(hashedFolder)) && hash.test(basename(path));
  const isKnown = async (placement: Placement): Promise<boolean> => {
    const { kind, path } = placement;
    switch (kind) {
      case 'file':
        return await isFile(path);
      case 'folder':
        return await isFolder(path);
      case 'hashed':
        return await isHashed(path);
      case 'temporary': {
        const match = /^\.(.+)\.upstreamproxy-[0-9a-f]{16}$/.exec(basename(path));
        const ready = join(dirname(path), match?.[1] ?? '');
        return match !== null && ((await isFile(ready)) || (await isHashed(ready)));
      }
      case 'append':
        return (
          isMarked(placement.text.slice(1)) &&
          markedCertificates.test(placement.text) &&
          (await isOneOf(path, systemBundlePaths))
        );
      case 'resolv-conf':
        return isAgentResolvConf(placement.text) && (await isOneOf(path, [resolvConfPath]));
      case 'java-entry':
        return (
          isJavaTrustEntry(Buffer.from(placement.entry, 'base64'), 'upstreamproxy-') &&
          (await isOneOf(path, javaStores))
        );
    }
  };
  return { isKnown, bearsOurMark };
}

const systemFiles = [firefoxPolicies, ...chromiumPolicies];
const systemFolders = [...new Set(systemFiles.flatMap((file) => foldersAbove(file)))];
const fixedFiles = [...homeFilePaths, ...[nssMark, ...nssNames].map((name) => `${nssFolder}/${name}`)];
const homeFolders = [
  ...new Set([...fixedFiles, `${monoTrustFolder}/file`].flatMap((file) => foldersAbove(file))),
];

function foldersAbove(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' || folder === '/' ? [] : [folder, ...foldersAbove(folder)];
}

const bearsOurMark: MarkCheck = async (path, content, folder) => {
  const name = basename(path);
  if (dirname(path).endsWith(`/${nssFolder}`) && nssNames.includes(name)) {
    const mark = await folder.readFile(nssMark).catch(() => undefined);
    return mark !== undefined && isMarked(mark);
  }
  if (systemFiles.some((file) => path.endsWith(file))) return isPolicies(content.toString('utf8'));
  return isMarked(content);
};

/** JSON has no comments: it is ours if it is exactly what this program writes. */
function isPolicies(text: string): boolean {
  const strings = [...text.matchAll(/"([^"\\\n]+)"/g)].map(([, string = '']) => string);
  return [firefoxPoliciesText(strings.slice(3)), chromiumPoliciesText(strings.slice(1))].includes(text);
}

/** The last name stands for itself, be it a link. */
async function inHome(home: string, path: string): Promise<string> {
  return join(await resolved(dirname(join(home, path))), basename(path));
}

/** Without links as far as it is there. */
async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return path === '/' ? path : join(await resolved(dirname(path)), basename(path));
  }
}
