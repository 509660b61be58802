// A package for Fedora, Red Hat, SUSE and others, by rpmbuild.

import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { foldersOf, type PackageContents, type PackageFile } from './package-contents.ts';
import { type Build, runTool, wrapped } from './package-build.ts';
import { distributionVersion } from './distribution-version.ts';
import { stageTree } from './staged-tree.ts';

const architectures = { x64: 'x86_64', arm64: 'aarch64' } as const;

/** By the names of libraries, which are the same in every distribution. */
const libraries = [
  'libatomic.so.1()(64bit)',
  'libc.so.6(GLIBC_2.28)(64bit)',
  'libgcc_s.so.1()(64bit)',
  'libstdc++.so.6()(64bit)',
];

/** What the script behind the installation calls. Of the two that make a user it takes the one that is there. */
const neededByScripts = [
  'Requires(post): coreutils',
  'Requires(post): (/usr/bin/systemd-sysusers or /usr/sbin/useradd)',
];

/** Gives the path of the package. */
export function buildRpmPackage(contents: PackageContents, build: Build): string {
  const architecture = architectures[build.architecture];
  const work = join(build.work, `${contents.name}.rpm`);
  const tree = join(work, 'tree');
  stageTree(tree, contents.files, build.epoch);
  const spec = join(work, `${contents.name}.spec`);
  writeFileSync(spec, specText(contents, build));
  const macros = {
    _topdir: join(work, 'top'),
    _sourcedir: work,
    _dbpath: join(work, 'database'),
    _buildhost: 'localhost',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    // Neither strips nor compresses anything: the files are what they are.
    __os_install_post: '%{nil}',
    debug_package: '%{nil}',
    _build_id_links: 'none',
    // Level 15 takes ten times as long and saves one part in sixty.
    _binary_payload: build.isQuick ? 'w1.gzdio' : 'w9.zstdio',
  };
  const defined = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  runTool('rpmbuild', ['-bb', '--nodeps', '--target', architecture, ...defined, spec], build.epoch);
  const [built = ''] = readdirSync(join(work, 'top/RPMS', architecture));
  const out = join(build.out, built);
  renameSync(join(work, 'top/RPMS', architecture, built), out);
  rmSync(work, { recursive: true });
  return out;
}

function specText({ name, summary, description, files }: PackageContents, build: Build): string {
  const isGateway = name === 'upstreamproxy-gateway';
  const setup = readFileSync(join(build.root, 'deploy/packages/setup.sh'), 'utf8').trimEnd();
  return `Name: ${name}
Version: ${distributionVersion(build.version)}
Release: 1
Summary: ${summary}
License: Apache-2.0 AND MIT
Packager: ${build.maintainer}
AutoReqProv: no
${libraries.map((library) => `Requires: ${library}`).join('\n')}
${isGateway ? `Requires: ca-certificates\n${neededByScripts.join('\n')}` : 'Recommends: ca-certificates'}

%description
${wrapped(description, 76).join('\n')}

%install
cp -a %{_sourcedir}/tree/. %{buildroot}/
${isGateway ? scripts(setup) : ''}
%files
${[...ownFolders(files), ...files.map(fileLine)].join('\n')}
`;
}

/** The gateway is neither enabled nor started by its package; one that runs is replaced by the new version. */
function scripts(setup: string): string {
  return `
%post
set -e
${setup}

%preun
if [ "$1" = 0 ] && command -v systemctl > /dev/null; then
  if [ -d /run/systemd/system ]; then
    systemctl stop upstreamproxy-gateway.socket upstreamproxy-gateway.service || echo 'upstreamproxy: the gateway could not be stopped' >&2
  fi
  systemctl --quiet disable upstreamproxy-gateway.socket upstreamproxy-gateway.service || echo 'upstreamproxy: the gateway could not be disabled' >&2
fi

%postun
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || echo 'upstreamproxy: systemd did not read the new units; run systemctl daemon-reload' >&2
  if [ "$1" -ge 1 ]; then
    systemctl try-restart upstreamproxy-gateway.service || echo 'upstreamproxy: the gateway did not start again; journalctl -u upstreamproxy-gateway says why' >&2
  fi
fi
`;
}

/**
 * Folders that no other package has. That of the configuration is opened for the gateway's group by the script behind: the group need not be
 * there before, and at no time of an upgrade is it open for others.
 */
function ownFolders(files: readonly PackageFile[]): readonly string[] {
  return foldersOf(files)
    .filter((path) => path.includes('upstreamproxy'))
    .map((path) =>
      path.startsWith('etc/')
        ? `%dir %verify(not mode group) %attr(0700, root, root) "/${path}"`
        : `%dir %attr(0755, root, root) "/${path}"`,
    );
}

function fileLine(file: PackageFile): string {
  const kind = file.isConfiguration === true ? '%config(noreplace) %verify(not group) ' : '';
  const mode = 'leadsTo' in file ? '-' : file.mode.toString(8).padStart(4, '0');
  return `${kind}%attr(${mode}, root, root) "/${file.path}"`;
}
