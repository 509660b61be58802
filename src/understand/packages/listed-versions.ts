// What a registry tells of a package in the form of the registry: its versions, when they came out, and the same without some of them.

import { UnreadableBody } from '../json-value.ts';
import { type PackageRegistry, UnreadablePackage } from './package-request.ts';
import { type PackumentBounds, PackumentReader } from './packument.ts';
import { digestOfHex } from './promised-digest.ts';
import { showPackument } from './shown-packument.ts';
import { pypiName, readPypiFile } from './pypi-request.ts';
import { timeOf } from './publish-time.ts';

export interface ListedVersion {
  readonly version: string;
  /** Where each file has its own time. */
  readonly file?: string;
}

export interface ShownVersions {
  readonly pieces: readonly Uint8Array[];
  readonly hidden: readonly ListedVersion[];
  /** Tags that name another version now, or none. */
  readonly moved: readonly { readonly tag: string; readonly from: string; readonly to: string | undefined }[];
}

export interface ListedVersions {
  readonly versions: readonly ListedVersion[];
  /** By version, or by file. */
  readonly times: ReadonlyMap<string, number>;
  /** What is promised of what is delivered, by `PackageRequest.promisedAs`. */
  readonly digests: ReadonlyMap<string, string>;
  /** Of which attestations are named, by version, or by file. Absent: the registry has no place for that. */
  readonly attested?: ReadonlySet<string>;
  /** Versions of which clients run something when they install them; absent: the registry does not say. */
  readonly installScripts?: ReadonlySet<string>;
  /** `why`: of one that is not shown, where the registry has a place to say it. */
  show(isShown: (one: ListedVersion) => boolean, why: (one: ListedVersion) => string): ShownVersions;
}

export interface ListReader {
  push(piece: Uint8Array): void;
  /** `octets`: all that was pushed. */
  end(octets: Uint8Array): ListedVersions | UnreadableBody;
}

/** Registries whose lists can be shown in part. */
const readers: Readonly<
  Partial<Record<PackageRegistry, (bounds: PackumentBounds, name: string) => ListReader>>
> = {
  npm: (bounds) => new NpmReader(bounds),
  pypi: (bounds, name) => wholeReader((text) => readPypiIndex(text, bounds, name)),
  cargo: (bounds) => wholeReader((text) => readCargoIndex(text, bounds)),
  go: (bounds) =>
    wholeReader((text) => readLines(text.split('\n'), bounds, { listedIn: (version) => ({ version }) })),
  rubygems: (bounds) => wholeReader((text) => readInfo(text, bounds)),
};

export function listReaderOf(
  registry: PackageRegistry,
  bounds: PackumentBounds,
  name: string,
): ListReader | undefined {
  return readers[registry]?.(bounds, name);
}

class NpmReader implements ListReader {
  readonly #reader: PackumentReader;

  constructor(bounds: PackumentBounds) {
    this.#reader = new PackumentReader(bounds);
  }

  push(piece: Uint8Array): void {
    this.#reader.push(piece);
  }

  end(octets: Uint8Array): ListedVersions | UnreadableBody {
    const packument = this.#reader.end();
    if (packument instanceof UnreadableBody) return packument;
    const versions = packument.versions.map(({ name }) => ({ version: name }));
    return {
      versions,
      times: packument.times,
      digests: digestsOf(packument.versions.map(({ name, digest }) => [name, digest])),
      attested: new Set(packument.versions.flatMap(({ name, isAttested }) => (isAttested ? [name] : []))),
      installScripts: new Set(
        packument.versions.filter((one) => one.hasInstallScript === true).map(({ name }) => name),
      ),
      show: (isShown) => {
        const shown = showPackument(octets, packument, (version) => isShown({ version }));
        return { ...shown, hidden: shown.hidden.map((version) => ({ version })) };
      },
    };
  }
}

function digestsOf(
  written: Iterable<readonly [key: string, digest: string | undefined]>,
): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const [key, digest] of written) if (digest !== undefined) digests.set(key, digest);
  return digests;
}

function wholeReader(read: (text: string) => ListedVersions | UnreadableBody): ListReader {
  return {
    push: () => undefined,
    end: (octets) => {
      try {
        return read(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets));
      } catch {
        return new UnreadableBody('is not UTF-8');
      }
    },
  };
}

function tooMany({ versionsMax }: PackumentBounds): UnreadableBody {
  return new UnreadableBody(`tells of more than ${String(versionsMax)} versions (packageVersionsMax)`);
}

const encoded = (text: string): readonly Uint8Array[] =>
  text === '' ? [] : [new TextEncoder().encode(text)];

/** `---` ends what stands before the versions; without it, all lines are of versions, as bundler reads them. */
function readInfo(text: string, bounds: PackumentBounds): ListedVersions | UnreadableBody {
  const lines = text.split('\n');
  const header = lines.indexOf('---') + 1;
  return readLines(lines, bounds, {
    listedIn: (line, i) =>
      i < header ? undefined : { version: /^[^\s-]*/.exec(line)?.[0] ?? line, file: fileIn(line) },
    toldIn: (line) => {
      const needs = line.slice(line.indexOf('|') + 1).split(',');
      const need = (mark: string): string =>
        needs
          .find((one) => one.startsWith(mark))
          ?.slice(mark.length)
          .trimEnd() ?? '';
      return { digest: digestOfHex('sha256', need('checksum:')), ms: timeOf(need('created_at:')) };
    },
  });
}

/** `VERSION` or `VERSION-PLATFORM` */
const fileIn = (line: string): string => /^[^ ]*/.exec(line)?.[0] ?? '';

interface LineReader {
  listedIn(line: string, i: number): ListedVersion | undefined;
  toldIn?(line: string): { readonly digest: string | undefined; readonly ms: number | undefined };
}

/** A version a line; lines that are empty, or have none, stay. */
function readLines(
  written: readonly string[],
  bounds: PackumentBounds,
  { listedIn, toldIn }: LineReader,
): ListedVersions | UnreadableBody {
  const lines = written.map((line, i) => {
    const listed = line.trim() === '' ? undefined : listedIn(line.replace(/\r$/, ''), i);
    return { line, listed };
  });
  const versions = lines.flatMap(({ listed }) => (listed === undefined ? [] : [listed]));
  if (versions.length > bounds.versionsMax) return tooMany(bounds);
  const told = toldIn === undefined ? [] : written.map((line) => [fileIn(line), toldIn(line)] as const);
  return {
    versions,
    times: new Map(told.flatMap(([file, { ms }]) => (ms === undefined ? [] : [[file, ms]]))),
    digests: digestsOf(told.map(([file, { digest }]) => [file, digest])),
    show: (isShown) => {
      const left = lines.filter(({ listed }) => listed === undefined || isShown(listed));
      const hidden = versions.filter((one) => !isShown(one));
      return { pieces: encoded(left.map(({ line }) => line).join('\n')), hidden, moved: [] };
    },
  };
}

interface CargoLine {
  readonly vers: string;
  readonly yanked?: unknown;
  readonly pubtime?: unknown;
  readonly cksum?: unknown;
  readonly links?: unknown;
}

function isCargoLine(value: unknown): value is CargoLine {
  return typeof value === 'object' && value !== null && 'vers' in value && typeof value.vers === 'string';
}

/** A version that is kept back is marked as yanked: a lock file that names it then fails with words, and not as if there were none. */
function readCargoIndex(text: string, bounds: PackumentBounds): ListedVersions | UnreadableBody {
  const lines: { readonly line: string; readonly read: CargoLine }[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const read = parsed(line);
    // What is no line of a version is none to cargo either, and nobody can say what it names.
    if (isCargoLine(read)) lines.push({ line, read });
  }
  if (lines.length > bounds.versionsMax) return tooMany(bounds);
  const times = lines.flatMap(({ read: { vers, pubtime } }) => {
    const ms = typeof pubtime === 'string' ? timeOf(pubtime) : undefined;
    return ms === undefined ? [] : [[vers, ms] as const];
  });
  return {
    versions: lines.map(({ read: { vers } }) => ({ version: vers })),
    times: new Map(times),
    digests: digestsOf(lines.map(({ read: { vers, cksum } }) => [vers, hexOf(cksum)])),
    // Who links a library of the system has a build script; the index does not name others.
    installScripts: new Set(
      lines.filter(({ read: { links } }) => typeof links === 'string').map(({ read: { vers } }) => vers),
    ),
    show: (isShown) => {
      const hidden = lines.filter(
        ({ read: { vers, yanked } }) => yanked !== true && !isShown({ version: vers }),
      );
      const isHidden = new Set(hidden);
      const shown = lines.map((one) =>
        isHidden.has(one) ? JSON.stringify({ ...one.read, yanked: true }) : one.line,
      );
      return {
        pieces: encoded(shown.map((line) => `${line}\n`).join('')),
        hidden: hidden.map(({ read: { vers } }) => ({ version: vers })),
        moved: [],
      };
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const hexOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? digestOfHex('sha256', value) : undefined;

interface PypiFile {
  readonly filename: string;
  readonly yanked?: unknown;
  readonly 'upload-time'?: unknown;
  readonly hashes?: unknown;
  readonly 'core-metadata'?: unknown;
  /** Where its attestations are (PEP 740). */
  readonly provenance?: unknown;
}

/** Of the file, and of its metadata beside it (PEP 714). */
function fileDigests(file: PypiFile): readonly (readonly [key: string, digest: string | undefined])[] {
  const sha256 = (hashes: unknown): string | undefined =>
    typeof hashes === 'object' && hashes !== null && 'sha256' in hashes ? hexOf(hashes.sha256) : undefined;
  return [
    [file.filename, sha256(file.hashes)],
    [`${file.filename}.metadata`, sha256(file['core-metadata'])],
  ];
}

function isPypiFile(value: unknown): value is PypiFile {
  return (
    typeof value === 'object' && value !== null && 'filename' in value && typeof value.filename === 'string'
  );
}

const yankedFile = (file: PypiFile, why: string): PypiFile => ({ ...file, yanked: why });

/** The JSON of PEP 691. A file that is kept back is yanked, with the reason; one that says no version of the package is left out. */
function readPypiIndex(text: string, bounds: PackumentBounds, name: string): ListedVersions | UnreadableBody {
  const index = parsed(text);
  const list = typeof index === 'object' && index !== null && 'files' in index ? index.files : undefined;
  if (!Array.isArray(list)) return new UnreadableBody('is no index of files in JSON (PEP 691)');
  if (list.length > bounds.versionsMax) return tooMany(bounds);
  const files = list.filter(isPypiFile).flatMap((file) => {
    const read = readPypiFile(file.filename);
    const isOwn = !(read instanceof UnreadablePackage) && read.name === pypiName(name);
    return isOwn ? [{ file, listed: { version: read.version, file: file.filename } }] : [];
  });
  const times = files.flatMap(({ file }) => {
    const said = file['upload-time'];
    const ms = typeof said === 'string' ? timeOf(said) : undefined;
    return ms === undefined ? [] : [[file.filename, ms] as const];
  });
  return {
    versions: files.map(({ listed }) => listed),
    times: new Map(times),
    digests: digestsOf(files.flatMap(({ file }) => fileDigests(file))),
    attested: new Set(
      files.flatMap(({ file }) => (typeof file.provenance === 'string' ? [file.filename] : [])),
    ),
    show: (isShown, why) => {
      const hidden = files.filter(({ listed }) => !isShown(listed));
      const isHidden = new Set(hidden);
      const shown = files.map((one) =>
        isHidden.has(one) ? yankedFile(one.file, why(one.listed)) : one.file,
      );
      return {
        pieces: encoded(JSON.stringify({ ...(index as object), files: shown })),
        hidden: hidden.map(({ listed }) => listed),
        moved: [],
      };
    },
  };
}
