// A package for Debian and what is made of it, by dpkg-deb.

import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import type { PackageContents, PackageFile } from './package-contents.ts';
import { type Build, runTool, wrapped } from './package-build.ts';
import { distributionVersion } from './distribution-version.ts';
import { stageTree } from './staged-tree.ts';

const architectures = { x64: 'amd64', arm64: 'arm64' } as const;

/** What the runtime is linked with; the gateway verifies origins by the system's authorities. */
const needed = {
  'upstreamproxy-agent':
    'Depends: libc6 (>= 2.28), libatomic1, libgcc-s1, libstdc++6\nRecommends: ca-certificates',
  'upstreamproxy-gateway':
    'Depends: ca-certificates, libc6 (>= 2.28), libatomic1, libgcc-s1, libstdc++6\nRecommends: systemd',
} as const;

/** Of the package, behind the version of what is in it. */
const revision = 1;

/** Gives the path of the package. */
export function buildDebianPackage(contents: PackageContents, build: Build): string {
  const architecture = architectures[build.architecture];
  const version = `${distributionVersion(build.version)}-${revision}`;
  const tree = join(build.work, `${contents.name}.deb`);
  const files = [...contents.files, ...ownFiles(contents, build, version)];
  stageTree(tree, [...files, ...control(contents, files, { ...build, version, architecture })], build.epoch);
  const out = join(build.out, `${contents.name}_${version}_${architecture}.deb`);
  // One thread: with more of them the compressor cuts its input elsewhere.
  const options = [
    '--root-owner-group',
    '--threads-max=1',
    ...(build.isQuick ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6']),
  ];
  runTool('dpkg-deb', [...options, '--build', tree, out], build.epoch);
  rmSync(tree, { recursive: true });
  return out;
}

interface DebianBuild extends Omit<Build, 'architecture'> {
  readonly architecture: string;
}

function control(
  { name, summary, description }: PackageContents,
  files: readonly PackageFile[],
  build: DebianBuild,
): readonly PackageFile[] {
  const of = (file: PackageFile): Uint8Array | undefined => {
    if ('leadsTo' in file) return undefined;
    if ('copyOf' in file) return readFileSync(file.copyOf);
    return Buffer.from(file.bytes);
  };
  const sizes = files.map((file) =>
    'copyOf' in file ? statSync(file.copyOf).size : (of(file)?.byteLength ?? 0),
  );
  const sums = files.flatMap((file) => {
    const bytes = of(file);
    return bytes === undefined ? [] : `${createHash('md5').update(bytes).digest('hex')}  ${file.path}\n`;
  });
  const text = [
    `Package: ${name}`,
    `Version: ${build.version}`,
    `Architecture: ${build.architecture}`,
    `Maintainer: ${build.maintainer}`,
    `Installed-Size: ${sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0)}`,
    needed[name],
    'Section: net',
    'Priority: optional',
    `Description: ${summary}`,
    ...wrapped(description, 76).map((line) => ` ${line}`),
    '',
  ].join('\n');
  const member = (path: string, bytes: string, mode = 0o644): PackageFile => ({
    path: `DEBIAN/${path}`,
    mode,
    bytes,
  });
  const kept = files.filter(({ isConfiguration }) => isConfiguration === true);
  return [
    member('control', text),
    member('md5sums', sums.join('')),
    ...(kept.length === 0 ? [] : [member('conffiles', kept.map(({ path }) => `/${path}\n`).join(''))]),
    ...(name === 'upstreamproxy-agent'
      ? []
      : ['postinst', 'prerm', 'postrm'].map((script) => member(script, scriptText(build, script), 0o755))),
  ];
}

/** The part that both formats have stands where the script says so, as deep as it says. */
function scriptText({ root }: Pick<Build, 'root'>, name: string): string {
  const setup = readFileSync(join(root, 'deploy/packages/setup.sh'), 'utf8').trimEnd();
  return readFileSync(join(root, `deploy/packages/gateway.${name}`), 'utf8').replace(
    /^( *)@SETUP@$/m,
    (_, indent: string) => setup.replaceAll(/^(?=.)/gm, indent),
  );
}

/** What Debian asks of a package beside what is in it. */
function ownFiles({ name }: PackageContents, build: Build, version: string): readonly PackageFile[] {
  const date = new Date(build.epoch * 1000).toUTCString().replace('GMT', '+0000');
  const changelog = `${name} (${version}) unstable; urgency=medium

  * What changed is in changelog.gz.

 -- ${build.maintainer}  ${date}
`;
  return [
    {
      path: `usr/share/doc/${name}/changelog.Debian.gz`,
      mode: 0o644,
      bytes: gzipSync(changelog, { level: 9 }),
    },
    { path: `usr/share/lintian/overrides/${name}`, mode: 0o644, bytes: overrides(name) },
  ];
}

/** What lintian would say, with the reason why it is so. */
function overrides(name: string): string {
  const lines = [
    '# Its user must not read it, or other processes of that user could read what it holds.',
    `${name}: non-standard-executable-perm 0711 != 0755 [usr/bin/${name}]`,
    `${name}: executable-is-not-world-readable 0711 [usr/bin/${name}]`,
    ...(name === 'upstreamproxy-gateway'
      ? [
          '# It may name files that hold secrets.',
          `${name}: non-standard-file-perm 0640 != 0644 [etc/upstreamproxy/*]`,
        ]
      : []),
    '# One file with its runtime, which is built elsewhere and brings its libraries.',
    `${name}: embedded-library *`,
    `${name}: unstripped-binary-or-object *`,
    `${name}: hardening-no-pie *`,
    '# It enables nothing when it is installed, so there is no state for deb-systemd-helper to keep.',
    `${name}: maintainer-script-calls-systemctl *`,
    '# There is no source package, and so no bug that it closes.',
    `${name}: initial-upload-closes-no-bugs *`,
    '',
  ];
  return lines.join('\n');
}
