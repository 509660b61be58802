// A package that no registry needs to have: no rule about packages lets it through, so that asking for it shows whether one is in force, as the
// test file of EICAR does for programs that look for viruses.

import type { PackageRegistry } from './package-request.ts';

const names: Readonly<Record<PackageRegistry, string>> = {
  npm: 'upstreamproxy-packages-test',
  pypi: 'upstreamproxy-packages-test',
  cargo: 'upstreamproxy-packages-test',
  go: 'upstreamproxy.invalid/packages-test',
  maven: 'invalid.upstreamproxy:packages-test',
  rubygems: 'upstreamproxy-packages-test',
  oci: 'upstreamproxy/packages-test',
};

/** As the registry writes it. */
export const testPackageOf = (
  registry: PackageRegistry,
): { readonly name: string; readonly version: string } => ({
  name: names[registry],
  version: registry === 'go' ? 'v1.0.0' : '1.0.0',
});

export const isTestPackage = (registry: PackageRegistry, name: string | undefined): boolean =>
  name?.toLowerCase() === names[registry];
