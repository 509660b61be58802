// What a single file is made of, beside our own source: packages, Node, and what is built into Node. Each with its version and its licence.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TargetNode } from './target-node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Part {
  readonly name: string;
  readonly version: string;
  /** An expression of SPDX. */
  readonly license: string;
  /** A package URL: what scanners look a part up by. */
  readonly purl: string;
  readonly cpe?: string | undefined;
  /** Package URLs of other parts. */
  readonly uses: readonly string[];
  /** What its licence says, whole; none for parts of Node, whose text has all of theirs. */
  readonly licenseText?: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  /** The same, as npm had it before 2014. */
  readonly licenses?: readonly { readonly type: string }[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly repository?: { readonly url?: string };
}

const readManifest = (folder: string): Manifest =>
  // Of an installed package: npm takes none without a name and a version, and a licence that is none fails below.
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** Packages of which something is in a program, by what its bundler says that it took. @throws Error */
export function bundledPackages(sources: readonly string[]): readonly Part[] {
  const folders = new Map<string, string[]>();
  for (const source of sources) {
    const [folder] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(source) ?? [];
    if (folder === undefined && !/^(?:src|schema)\//.test(source))
      throw new Error(`${source} is neither ours nor of a package`);
    if (folder === undefined) continue;
    const place = resolve(root, folder);
    folders.set(place, [...(folders.get(place) ?? []), resolve(root, source)]);
  }
  const packages = [...folders].map(([folder, taken]) => ({ folder, taken, manifest: readManifest(folder) }));
  const purls = new Map(packages.map(({ manifest }) => [manifest.name, purlOf(manifest)]));
  return packages
    .map(({ folder, taken, manifest: { name, version, license, licenses, dependencies = {} } }) => ({
      name,
      version,
      license: checked(license ?? (licenses?.length === 1 ? licenses[0]?.type : undefined), name),
      purl: purlOf({ name, version }),
      uses: Object.keys(dependencies).flatMap((other) => purls.get(other) ?? []),
      licenseText: licenseTextOf(folder, name, taken),
    }))
    .toSorted((one, other) => (one.purl < other.purl ? -1 : 1));
}

function purlOf({ name, version }: Pick<Manifest, 'name' | 'version'>): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** The package URLs of what our package needs itself, of these. */
export function directPackages(parts: readonly Part[]): readonly string[] {
  const { dependencies = {} } = readManifest(root);
  return parts.filter(({ name }) => Object.hasOwn(dependencies, name)).map(({ purl }) => purl);
}

function checked(license: unknown, name: string): string {
  if (typeof license === 'string' && /^[A-Za-z0-9.() +-]+$/.test(license)) return license;
  throw new Error(`${name} does not say its licence`);
}

/** Its files with licences, else what its README says of it, else the first comments of the files that were taken. @throws Error */
function licenseTextOf(folder: string, name: string, taken: readonly string[] = []): string {
  const read = (file: string): string => readFileSync(resolve(folder, file), 'utf8').replaceAll('\r\n', '\n');
  const names = readdirSync(folder).toSorted();
  const files = names.filter((file) => /^(?:licen[cs]e|copying|notice)\b/i.test(file)).map(read);
  const chapters = names
    .filter((file) => /^readme\b/i.test(file))
    .map((file) => /^#+ *licen[cs]e *\n(.*?)(?=^#|$(?![^]))/ims.exec(read(file))?.[1] ?? '');
  const comments = taken
    .toSorted()
    .map((file) => /^(?:\/\/.*\n)+/.exec(read(file))?.[0].replaceAll(/^\/\/ ?/gm, '') ?? '');
  for (const texts of [files, chapters, comments]) {
    const said = texts.map((text) => text.trim()).filter((text) => /copyright|licen[cs]e/i.test(text));
    if (said.length > 0) return [...new Set(said)].join('\n\n');
  }
  const shared = sharedLicense(folder, name);
  if (shared !== undefined) return shared;
  throw new Error(`${name} brings no text of its licence`);
}

/** That of another package out of the same repository, under the same licence and name of a maker. */
function sharedLicense(folder: string, name: string): string | undefined {
  if (!name.startsWith('@')) return undefined;
  const own = readManifest(folder);
  for (const other of readdirSync(dirname(folder)).toSorted()) {
    const place = resolve(dirname(folder), other);
    const { license, repository } = readManifest(place);
    if (license !== own.license || repository?.url === undefined || repository.url !== own.repository?.url)
      continue;
    const file = readdirSync(place).find((one) => /^licen[cs]e\b/i.test(one));
    if (file !== undefined) return readFileSync(resolve(place, file), 'utf8').replaceAll('\r\n', '\n').trim();
  }
  return undefined;
}

/** Licences of what Node has built in and names in `process.versions`; numbers of interfaces and data are no parts. */
const nodeParts: Readonly<Record<string, string | undefined>> = {
  acorn: 'MIT',
  ada: 'MIT OR Apache-2.0',
  amaro: 'MIT',
  ares: 'MIT',
  brotli: 'MIT',
  icu: 'Unicode-3.0',
  libffi: 'MIT',
  lief: 'Apache-2.0',
  llhttp: 'MIT',
  merve: 'MIT OR Apache-2.0',
  nbytes: 'MIT',
  ncrypto: 'MIT',
  nghttp2: 'MIT',
  nghttp3: 'MIT',
  ngtcp2: 'MIT',
  openssl: 'Apache-2.0',
  simdjson: 'Apache-2.0',
  simdutf: 'MIT OR Apache-2.0',
  sqlite: 'blessing',
  undici: 'MIT',
  uv: 'MIT',
  uvwasi: 'MIT',
  v8: 'BSD-3-Clause',
  zlib: 'Zlib',
  zstd: 'BSD-3-Clause',
};
const noParts = new Set(['node', 'modules', 'napi', 'unicode', 'cldr', 'tz']);

/** Node itself, and what is in it. `versions` is `process.versions` of that Node. @throws Error for a part whose licence is not known here */
export function runtimeParts(
  node: TargetNode,
  versions: NodeJS.ProcessVersions,
): readonly [runtime: Part, ...inside: Part[]] {
  if (versions.node !== node.version)
    throw new Error(`the parts of Node ${node.version} are not those of ${versions.node}, which builds`);
  const parts = Object.entries(versions)
    // Without a version: Node was built without it.
    .filter(([name, version]) => !noParts.has(name) && version !== '')
    .map(([name, version = '']) => ({
      name,
      version,
      license: checked(nodeParts[name], `${name}, a part of Node,`),
      purl: `pkg:generic/${name}@${version}`,
      cpe: name === 'openssl' ? `cpe:2.3:a:openssl:openssl:${version}:*:*:*:*:*:*:*` : undefined,
      uses: [],
    }));
  const { name } = readManifest(node.folder);
  const whole: Part = {
    name: 'node',
    version: node.version,
    license: 'MIT',
    purl: purlOf({ name, version: node.version }),
    cpe: `cpe:2.3:a:nodejs:node.js:${node.version}:*:*:*:-:*:*:*`,
    uses: parts.map((part) => part.purl),
    licenseText: licenseTextOf(node.folder, name),
  };
  return [whole, ...parts.toSorted((one, other) => (one.name < other.name ? -1 : 1))];
}
