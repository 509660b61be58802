// The system's trust stores as a command of `run` sees them in its own mount namespace: each as it is, and the gateway's CA in it.
// Nothing of the system changes, so an ordinary user needs no right to it.

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { javaTrustEntry, withJavaEntry } from '../../pki/java-key-store.ts';
import { pemContents, splitPemCertificates } from '../../pki/pem.ts';
import { subjectHash } from '../../pki/subject-hash.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { marked } from '../placements/own-mark.ts';
import { javaStorePassword } from '../placements/placement.ts';
import { ownCertificateFiles } from './own-certificates.ts';
import {
  anchorFolders,
  bundleFiles,
  chromiumPolicies,
  chromiumPoliciesText,
  firefoxPlaces,
  firefoxPolicies,
  hashedFolders,
  javaStores,
  mergedFirefoxPolicies,
  monoStores,
  wideFolders,
} from './system-places.ts';

/** A path and what lies over it for the command; contents are Base64. */
export interface StoreCover {
  readonly path: string;
  readonly content?: string;
  readonly entries?: readonly { readonly name: string; readonly content: string }[];
}

export interface PlannedCover extends StoreCover {
  readonly keepsOthers: boolean;
  readonly isWritable: boolean;
}

/** The gateway's CA in the forms that stores take. */
interface OwnCa {
  readonly pem: string;
  /** Where it is as a file. */
  readonly file: string;
  readonly blocks: readonly string[];
}

/** A file of a store: what is in it for the command, by what is in it for others; undefined leaves it as it is. */
interface StoreFile {
  readonly place: string;
  /** Made where it is not there. */
  readonly isMade?: boolean;
  fill(original: Buffer | undefined, own: OwnCa): Uint8Array | undefined;
}

const files: readonly StoreFile[] = [
  ...bundleFiles.map((place): StoreFile => ({ place, fill: withAppended })),
  ...javaStores.map((place): StoreFile => ({ place, fill: withJavaEntries })),
  ...chromiumPolicies.map((place): StoreFile => ({ place, isMade: true, fill: chromiumText })),
  { place: firefoxPolicies, isMade: true, fill: firefoxText },
  ...firefoxPlaces.map((place): StoreFile => ({
    place: `${place}/distribution/policies.json`,
    isMade: true,
    fill: firefoxText,
  })),
];
/** Of a policy that is not to say anything. */
const noPolicies = Buffer.from('{}\n');

/** What is laid over a folder, or over a file of a folder that is better left alone. */
interface Covered {
  readonly path: string;
  readonly isFolder: boolean;
  /** By the name below the folder; one of no name is the file itself. */
  readonly files: Map<string, StoreFile>;
  /** Folders below it that are hashed; one of no name is the folder itself. */
  readonly hashed: Set<string>;
  hasAnchors: boolean;
}

/** The stores of this system, found when it is made. */
export class StoreCovers {
  readonly #covered: readonly Covered[];
  readonly #root: string;

  /** `root` is `/`, or another folder in tests. */
  constructor(root = '/') {
    this.#root = root;
    this.#covered = findStores(root);
  }

  /** Before the CA is known: what is covered, the innermost first. Folders keep what else is in them. */
  places(isWritable: boolean): readonly PlannedCover[] {
    return this.#covered.map(({ path, isFolder, files: named, hashed }) => {
      if (!isFolder) return { path, isWritable, keepsOthers: false };
      // A folder that is made for names which are known later.
      const made = [...hashed].filter((below) => below !== '').map((below) => join(below, 'upstreamproxy'));
      return { path, isWritable, keepsOthers: true, entries: [...named.keys(), ...made].map(emptyEntry) };
    });
  }

  /** With the certificates of the file `ownCa`; without it all is as it is for others. Only those of `paths`. */
  contents(paths: readonly string[], ownCa: string | undefined): readonly StoreCover[] {
    const own = ownCa === undefined ? undefined : readOwn(ownCa);
    return this.#covered.filter(({ path }) => paths.includes(path)).map((one) => this.#content(one, own));
  }

  #content(
    { path, isFolder, files: named, hashed, hasAnchors }: Covered,
    own: OwnCa | undefined,
  ): StoreCover {
    const texts = [...named].map(([name, file]) => {
      const original = readStore(join(path, name));
      const text = (own === undefined ? undefined : file.fill(original, this.#seen(own))) ?? original;
      return { name, content: Buffer.from(text ?? noPolicies).toString('base64') };
    });
    if (!isFolder) return { path, content: texts[0]?.content ?? '' };
    if (own === undefined) return { path, entries: texts };
    const added = [...hashed].flatMap((below) => hashedEntries(path, below, own));
    if (hasAnchors)
      added.push({ name: 'upstreamproxy.pem', content: Buffer.from(marked(own.pem)).toString('base64') });
    return { path, entries: [...texts, ...added] };
  }

  /** Paths in stores are those of the command. */
  #seen(own: OwnCa): OwnCa {
    return this.#root === '/' ? own : { ...own, file: `/${relative(this.#root, own.file)}` };
  }
}

function emptyEntry(name: string): { readonly name: string; readonly content: string } {
  return { name, content: '' };
}

function findStores(root: string): readonly Covered[] {
  const byPath = new Map<string, Covered>();
  const cover = (path: string, isFolder: boolean): Covered => {
    const found = byPath.get(path) ?? {
      path,
      isFolder,
      files: new Map(),
      hashed: new Set(),
      hasAnchors: false,
    };
    byPath.set(path, found);
    return found;
  };
  const isWide = (folder: string): boolean => wideFolders.has(`/${relative(root, folder)}`);
  for (const file of files) {
    const found = nearest(join(root, file.place));
    if (found === undefined || (found.missing !== '' && file.isMade !== true)) continue;
    const { path, missing } = found;
    if (missing === '' && !isReadable(path)) continue;
    const folder = missing === '' ? dirname(path) : path;
    const name = missing === '' ? basename(path) : missing;
    if (!isWide(folder)) cover(folder, true).files.set(name, file);
    else if (missing === '') cover(path, false).files.set('', file);
  }
  for (const place of [...hashedFolders, ...anchorFolders, ...monoStores]) {
    const found = nearest(join(root, place));
    if (found === undefined || isWide(found.path) || !statSync(found.path).isDirectory()) continue;
    if (found.missing !== '' && !monoStores.includes(place)) continue;
    const covered = cover(found.path, true);
    if (anchorFolders.includes(place)) covered.hasAnchors = true;
    else covered.hashed.add(found.missing);
  }
  // The ones inside come first, and are seen in those outside of them.
  return [...byPath.values()].sort((a, b) => depth(b.path) - depth(a.path));
}

function depth(path: string): number {
  return path.split('/').length;
}

/** What there is of a path, without links, and the rest of it; undefined where it cannot be told. */
function nearest(path: string): { readonly path: string; readonly missing: string } | undefined {
  for (let folder = path; ; folder = dirname(folder)) {
    if (!existsSync(folder)) continue;
    try {
      const real = realpathSync(folder);
      if (folder !== path && !statSync(real).isDirectory()) return undefined;
      return { path: real, missing: relative(folder, path) };
    } catch {
      // It goes at this moment.
      return undefined;
    }
  }
}

function isReadable(path: string): boolean {
  return readStore(path) !== undefined;
}

/** Undefined for what is not there, is no file or is too large to be a store. */
function readStore(path: string): Buffer | undefined {
  try {
    const status = statSync(path);
    if (!status.isFile() || status.size > defaultLimits.coveredStoreBytesMax) return undefined;
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function readOwn(file: string): OwnCa {
  const pem = readFileSync(file, 'utf8');
  return { pem, file, blocks: splitPemCertificates(pem) };
}

function withAppended(original: Buffer | undefined, { blocks }: OwnCa): Uint8Array | undefined {
  return original === undefined
    ? undefined
    : Buffer.concat([original, Buffer.from(`\n${marked(blocks.join(''))}`)]);
}

function withJavaEntries(original: Buffer | undefined, { blocks }: OwnCa): Uint8Array | undefined {
  let store: Uint8Array | undefined = original;
  for (const [index, block] of blocks.entries()) {
    const entry = javaTrustEntry(pemContents(block), `upstreamproxy-${index + 1}`, 0);
    // Another form or password: it stays as it is.
    store = store === undefined ? undefined : withJavaEntry(Buffer.from(store), entry, javaStorePassword);
  }
  return store;
}

function chromiumText(_original: Buffer | undefined, { blocks }: OwnCa): Uint8Array {
  const certificates = blocks.map((block) => Buffer.from(pemContents(block)).toString('base64'));
  return Buffer.from(chromiumPoliciesText(certificates));
}

function firefoxText(original: Buffer | undefined, { file, blocks }: OwnCa): Uint8Array | undefined {
  const text = mergedFirefoxPolicies(original?.toString('utf8'), ownCertificateFiles(file, blocks.length));
  return text === undefined ? undefined : Buffer.from(text);
}

/** By the next free number of each hash, as OpenSSL looks for them, in a folder or one that is made below it. */
function hashedEntries(
  folder: string,
  below: string,
  { blocks }: OwnCa,
): { name: string; content: string }[] {
  const taken = new Set(below === '' ? readdirSync(folder) : []);
  return blocks.map((block) => {
    const hash = subjectHash(pemContents(block));
    let number = 0;
    while (taken.has(`${hash}.${number}`)) number++;
    const name = `${hash}.${number}`;
    taken.add(name);
    return { name: join(below, name), content: Buffer.from(marked(block)).toString('base64') };
  });
}
