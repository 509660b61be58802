// The reader of each registry, and how names are written there.

import { cargoName, readCargo } from './cargo-request.ts';
import { readGo } from './go-request.ts';
import { readMaven } from './maven-request.ts';
import { readNpm } from './npm-request.ts';
import { readOci } from './oci-request.ts';
import type { PackageReader, PackageRegistry } from './package-request.ts';
import { pypiName, readPypi } from './pypi-request.ts';
import { readRubygems } from './rubygems-request.ts';

const readers: Readonly<Record<PackageRegistry, PackageReader>> = {
  npm: readNpm,
  pypi: readPypi,
  cargo: readCargo,
  go: readGo,
  maven: readMaven,
  rubygems: readRubygems,
  oci: readOci,
};

export const readerOf = (registry: PackageRegistry): PackageReader => readers[registry];

/** A name, or a pattern of names, in the form in which the registry compares names. */
export function nameIn(registry: PackageRegistry, name: string): string {
  if (registry === 'pypi') return pypiName(name);
  return registry === 'cargo' ? cargoName(name) : name;
}
