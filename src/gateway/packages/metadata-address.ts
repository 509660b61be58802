// Where a registry is asked about a package, and in which form it says when versions came out.

import { cargoIndexPath } from '../../understand/packages/cargo-request.ts';
import type { RegistryRoot } from '../../policy/known-package.ts';
import type { PackageRegistry } from '../../understand/packages/package-request.ts';

interface PackageAddress {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot;
  readonly name: string;
  readonly written: string;
}

/** The path of what the registry tells of all versions. */
export function metadataPath({ registry, root, name, written }: PackageAddress): string {
  switch (registry) {
    case 'npm':
      return `${root.path}/${name.replace('/', '%2F')}`;
    case 'pypi':
      return `${root.path}/simple/${name}/`;
    case 'cargo':
      return `${root.path}/${cargoIndexPath(written).join('/')}`;
    case 'go':
      return `${root.path}/${goEscaped(name)}/@v/list`;
    case 'rubygems':
      return `${root.path}/info/${name}`;
    case 'maven':
      return `${root.path}/${mavenFolder(name)}/maven-metadata.xml`;
    case 'oci':
      return `${root.path}/v2/${name}/tags/list`;
  }
}

/** The form in which a registry says when versions came out. */
export function metadataType(registry: PackageRegistry): string | undefined {
  if (registry === 'npm') return 'application/json';
  return registry === 'pypi' ? 'application/vnd.pypi.simple.v1+json' : undefined;
}

/** The path of what a proxy says of the version of a module, which is the part that is asked for. */
export function goVersionPath({
  root,
  name,
  part = '',
}: Pick<PackageAddress, 'root' | 'name'> & { readonly part?: string }): string {
  return `${root.path}/${goEscaped(name)}/@v/${goEscaped(part)}.info`;
}

/** Where a proxy of modules passes on what a checksum database says. */
export const sumDatabasePath = (
  { root }: Pick<PackageAddress, 'root'>,
  database: string,
  path: string,
): string => `${root.path}/sumdb/${database}${path}`;

/** The path of what RubyGems tells of the files of a gem beside its index. */
export const gemVersionsPath = ({ root, name }: Pick<PackageAddress, 'root' | 'name'>): string =>
  `${root.path}/api/v1/versions/${name}.json`;

/** The path of a manifest, which is the part that is asked for. */
export const imageManifestPath = ({
  root,
  name,
  part = '',
}: Pick<PackageAddress, 'root' | 'name'> & { readonly part?: string }): string =>
  `${root.path}/v2/${name}/manifests/${part}`;
/** The path of the attestations of the version, or the file, which is the part that is asked for; undefined: the registry keeps none. */
export function provenancePath(
  { registry, root, name, part = '' }: Omit<PackageAddress, 'written'> & { readonly part?: string },
  version: string,
): string | undefined {
  if (registry === 'npm') return `${root.path}/-/npm/v1/attestations/${name.replace('/', '%2F')}@${version}`;
  return registry === 'pypi' ? `${root.path}/integrity/${name}/${version}/${part}/provenance` : undefined;
}

/** As it stands in an address: `!x` is an X. */
export const goEscaped = (text: string): string =>
  text.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);

/** The path of a file, which is the part that is asked for, or of what is promised of it. */
export function mavenFilePath(
  { root, name, part = '' }: PackageAddress & { readonly part?: string },
  promise?: 'sha512' | 'sha256' | 'sha1',
): string {
  return `${root.path}/${mavenFolder(name)}/${part}${promise === undefined ? '' : `.${promise}`}`;
}

function mavenFolder(name: string): string {
  const [group = '', artifact = ''] = name.split(':');
  return `${group.replaceAll('.', '/')}/${artifact}`;
}

/** Where a registry usually has the archive of a version. */
export function archivePath({ registry, root, name, written }: PackageAddress, version: string): string {
  switch (registry) {
    case 'npm':
      return `${root.path}/${name}/-/${name.split('/').at(-1) ?? name}-${version}.tgz`;
    case 'pypi':
      return `${root.path}/packages/${name.replaceAll('-', '_')}-${version}.tar.gz`;
    case 'cargo':
      return `${root.path}/crates/${written}/${written}-${version}.crate`;
    case 'go':
      return `${root.path}/${goEscaped(name)}/@v/${goEscaped(version)}.zip`;
    case 'rubygems':
      return `${root.path}/gems/${name}-${version}.gem`;
    case 'maven': {
      const [, artifact = ''] = name.split(':');
      return `${root.path}/${mavenFolder(name)}/${version}/${artifact}-${version}.jar`;
    }
    case 'oci':
      return `${root.path}/v2/${name}/manifests/${version}`;
  }
}
