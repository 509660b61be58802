// `npm run build:release [-- --out DIR] [--architecture x64,arm64] [--also deb,rpm,images,docs] [--site DIR] [--maintainer 'NAME <ADDRESS>'] [--quick]
// [--builder URI]`: the single files for each architecture, packages and images of them, and what stands beside them in a release (docs/reference/release.md). The same source gives the same bytes, wherever and whenever it is built.

import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ownCompatibility } from '../src/cli/operator/own-compatibility.ts';
import { type ImageName, imageNames } from './images/image-build.ts';
import { buildDistributionPackages } from './packages/distribution-packages.ts';
import { defaultMaintainer } from './packages/package-build.ts';
import { type Bill, cycloneDx, spdx } from './release/bill-of-materials.ts';
import { bundledPackages, directPackages, type Part, runtimeParts } from './release/bundled-parts.ts';
import { checkedInputs } from './release/checked-inputs.ts';
import { type LockedPackage, packageFolders } from './release/locked-packages.ts';
import { licenseTexts } from './release/license-texts.ts';
import { provenanceStatement } from './release/provenance.ts';
import { isReleasePart, needReleaseTools, type ReleasePart, releaseParts } from './release/release-parts.ts';
import { releaseImages } from './release/release-images.ts';
import { buildSingleFile, programs, type ProgramKind } from './release/single-file.ts';
import { runIn } from './site/site-tools.ts';
import { type Architecture, architectures, fetchedNode, type TargetNode } from './release/target-node.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const kinds: readonly ProgramKind[] = ['agent', 'gateway'];

interface BuiltFile {
  readonly name: string;
  readonly program: string;
  readonly architecture: Architecture;
  readonly sha256: string;
  readonly bytes: number;
  /** The program's compiled form is in it; else each start compiles. */
  readonly compiledAhead: boolean;
}

const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
const sha256 = (path: string): string => hash('sha256', readFileSync(path));

const license = (): string => readFileSync(join(root, 'LICENSE'), 'utf8');

function isArchitecture(text: string): text is Architecture {
  return architectures.some((one) => one === text);
}

/** What git says, or undefined where there is no repository. */
function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The time of the source: SOURCE_DATE_EPOCH, else that of its commit. @throws Error */
function sourceTime(): string {
  const text = process.env['SOURCE_DATE_EPOCH'] ?? git('log', '-1', '--format=%ct');
  if (text === undefined || !/^[0-9]{1,11}$/.test(text))
    throw new Error(
      'set SOURCE_DATE_EPOCH to the time of the source in seconds: there is no repository to ask',
    );
  return new Date(Number(text) * 1000).toISOString().replace('.000Z', 'Z');
}

interface Release {
  readonly folder: string;
  readonly version: string;
  readonly created: string;
  readonly source: Source;
  /** What is made of the programs. */
  readonly also: readonly ReleasePart[];
  readonly maintainer: string;
  /** The folder of the documents of all versions. */
  readonly site: string | undefined;
  /** Packages are packed in little time: larger, and for tests. */
  readonly isQuick: boolean;
}

/** One program for one architecture, with its two bills of materials. */
function buildOne(
  release: Release & { readonly packages: readonly LockedPackage[] },
  kind: ProgramKind,
  architecture: Architecture,
  node: TargetNode,
): { readonly file: BuiltFile; readonly parts: readonly Part[] } {
  const { folder, version, created } = release;
  const program = programs[kind].name;
  const name = `${program}-${version}-linux-${architecture}`;
  const out = join(folder, name);
  const sources = buildSingleFile({ program: kind, out, node: node.executable, start: node.start });
  const unchecked = packageFolders(sources).find(
    (one) => !release.packages.some((checked) => checked.folder === one),
  );
  if (unchecked !== undefined)
    throw new Error(`${unchecked} is in ${name}, and was not compared with its archive`);
  const packages = bundledPackages(sources);
  const [runtime, ...insideRuntime] = runtimeParts(node, process.versions);
  const parts = [...packages, runtime, ...insideRuntime];
  const file = {
    name,
    program,
    architecture,
    sha256: sha256(out),
    bytes: statSync(out).size,
    compiledAhead: node.start !== undefined,
  };
  const uses = [...directPackages(packages), runtime.purl];
  const bill: Bill = { file: name, program, version, sha256: file.sha256, uses, parts, created };
  writeFileSync(`${out}.cdx.json`, json(cycloneDx(bill)));
  writeFileSync(`${out}.spdx.json`, json(spdx(bill)));
  console.log(`${name}: ${(file.bytes / 1e6).toFixed(1)} MB, ${parts.length} parts`);
  return { file, parts };
}

/** Of the repository, before a file is written: one that is not ignored would be a change. */
interface Source {
  readonly commit: string | undefined;
  readonly isModified: boolean;
}

function sourceOf(): Source {
  return { commit: git('rev-parse', 'HEAD'), isModified: (git('status', '--porcelain') ?? '') !== '' };
}

function build(release: Release, wanted: readonly Architecture[], builder: string): void {
  const { folder, version, created, source } = release;
  const work = mkdtempSync(`${folder}.work-`);
  try {
    const packages = checkedInputs(kinds, work);
    console.log(`${packages.length} packages are those of package-lock.json`);
    const nodes = wanted.map((architecture) => ({ architecture, node: fetchedNode(architecture, work) }));
    const built = nodes.flatMap(({ architecture, node }) =>
      kinds.map((kind) => buildOne({ ...release, packages }, kind, architecture, node)),
    );
    const programFiles = kinds.map((kind) => filesOf(release, kind, built));
    const distributions = distributionPackages(release, programFiles);
    const { images, archives: debian } = release.also.includes('images')
      ? releaseImages({ folder, work, version, programs: programFiles })
      : { images: [], archives: [] };
    if (release.also.includes('docs')) buildDocs(release, work);
    const [{ node } = { node: undefined }] = nodes;
    const files = built.map(({ file }) => file);
    const facts = {
      name: 'upstreamproxy',
      version,
      created,
      ...(source.commit === undefined ? {} : { commit: source.commit }),
      node: node?.version,
      compatibility: ownCompatibility,
    };
    writeFileSync(
      join(folder, 'release.json'),
      json({ ...facts, programs: files, packages: distributions, images }),
    );
    writeFileSync(
      join(folder, 'LICENSES.txt'),
      licenseTexts(
        license(),
        built.flatMap(({ parts }) => parts),
      ),
    );
    const archives = archivesOf(nodes, packages);
    const statement = provenanceStatement({
      ...source,
      files: listed(folder),
      version,
      architectures: wanted,
      also: release.also,
      builder,
      archives,
      debian,
      locks: ['package-lock.json', ...(release.also.includes('docs') ? ['site/package-lock.json'] : [])].map(
        (name) => ({ name, sha256: sha256(join(root, name)) }),
      ),
    });
    writeFileSync(join(folder, 'provenance.json'), json(statement));
    writeSums(folder, files);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The documents of this version as one file; and in the folder of all versions, if one is named. */
function buildDocs({ folder, version, site }: Release, work: string): void {
  const args = [
    '--out',
    site ?? join(work, 'site'),
    '--archive',
    join(folder, `upstreamproxy-docs-${version}.tar.zst`),
  ];
  runIn(root, process.execPath, ['--disable-warning=ExperimentalWarning', 'scripts/build-site.ts', ...args]);
}

/** Archives of npm of which something is in the programs. */
function archivesOf(
  nodes: readonly { readonly architecture: Architecture; readonly node: TargetNode }[],
  packages: readonly LockedPackage[],
): readonly { readonly purl: string; readonly integrity: string }[] {
  return [
    ...nodes.map(({ architecture, node: { version, integrity } }) => ({
      purl: `pkg:npm/node-linux-${architecture}@${version}`,
      integrity,
    })),
    ...packages.map(({ name, version, integrity }) => ({
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      integrity,
    })),
  ];
}

/** Of all that is there; and only programs can be run. */
function writeSums(folder: string, programFiles: readonly BuiltFile[]): void {
  const sums = listed(folder).map((file) => `${file.sha256}  ${file.name}\n`);
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''));
  for (const { name } of listed(folder))
    chmodSync(join(folder, name), programFiles.some((file) => file.name === name) ? 0o755 : 0o644);
}

interface BuiltProgram {
  readonly file: BuiltFile;
  readonly parts: readonly Part[];
}

interface ProgramFiles {
  readonly kind: ImageName;
  readonly licences: string;
  readonly files: readonly { readonly architecture: Architecture; readonly path: string }[];
}

/** The files of one program, and the licences of all that is in them: one version of Node has one licence, whatever it was built for. */
function filesOf(
  { folder }: Release,
  kind: (typeof kinds)[number],
  built: readonly BuiltProgram[],
): ProgramFiles {
  const own = built.filter(({ file }) => file.program === programs[kind].name);
  const licences = licenseTexts(license(), own[0]?.parts ?? []);
  const files = own.map(({ file: { architecture, name } }) => ({ architecture, path: join(folder, name) }));
  return { kind, licences, files };
}

interface PackageFacts {
  readonly name: string;
  readonly program: string;
  readonly format: string;
  readonly architecture: Architecture;
  readonly sha256: string;
  readonly bytes: number;
}

function distributionPackages(
  { folder, version, created, also, maintainer, isQuick }: Release,
  programFiles: readonly ProgramFiles[],
): readonly PackageFacts[] {
  const formats = also.filter((part) => part === 'deb' || part === 'rpm');
  const [agent, gateway] = imageNames.map((kind) => programFiles.find((one) => one.kind === kind));
  if (formats.length === 0 || agent === undefined || gateway === undefined) return [];
  const licences = { agent: agent.licences, gateway: gateway.licences };
  return agent.files.flatMap(({ architecture, path }) => {
    const other = gateway.files.find((file) => file.architecture === architecture);
    const common = { root, version, architecture, licences, out: folder, maintainer, isQuick };
    const epoch = Date.parse(created) / 1000;
    const files = { agent: path, gateway: other?.path ?? '' };
    return buildDistributionPackages({ ...common, ...files, formats, epoch }).map(
      ({ program, format, path: made }) => {
        console.log(basename(made));
        const bytes = statSync(made).size;
        return { name: basename(made), program, format, architecture, sha256: sha256(made), bytes };
      },
    );
  });
}

function listed(folder: string): readonly { readonly name: string; readonly sha256: string }[] {
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({ name, sha256: sha256(join(folder, name)) }));
}

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist', 'release') },
    architecture: { type: 'string', default: architectures.join(',') },
    also: { type: 'string', default: releaseParts.join(',') },
    maintainer: { type: 'string', default: defaultMaintainer },
    site: { type: 'string' },
    quick: { type: 'boolean', default: false },
    builder: { type: 'string', default: 'urn:upstreamproxy:builder:unnamed' },
  },
});
const wanted = values.architecture.split(',');
if (!wanted.every(isArchitecture)) throw new Error(`--architecture is some of ${architectures.join(',')}`);
const also = values.also.split(',').filter((part) => part !== '');
if (!also.every(isReleasePart)) throw new Error(`--also is some of ${releaseParts.join(',')}, or ''`);
needReleaseTools(also);
if (values.site !== undefined && !also.includes('docs')) throw new Error('--site needs docs in --also');
// Folders of packages and images have the same mode, whoever builds.
process.umask(0o022);
const folder = resolve(values.out);
// What is there is removed: only a release that was built here before.
if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, 'release.json')))
  throw new Error(`${folder} holds something else than a release; name another folder`);
const source = sourceOf();
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
// Our own file: `version` is a string.
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
};
const { builder, maintainer, quick: isQuick } = values;
const site = values.site === undefined ? undefined : resolve(values.site);
build({ folder, version, created: sourceTime(), source, also, maintainer, site, isQuick }, wanted, builder);
console.log(`${folder}: the release`);
