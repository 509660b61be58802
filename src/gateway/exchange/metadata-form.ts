// Which registries' lists of versions are read, and in which form.

import type { HeaderList } from '../../http/header-list.ts';
import type { PackageRegistry } from '../../understand/packages/package-request.ts';

/** Registries whose lists are shown in part. */
export const listedRegistries: ReadonlySet<PackageRegistry> = new Set([
  'npm',
  'pypi',
  'cargo',
  'go',
  'rubygems',
]);

const typesOf: Readonly<Partial<Record<PackageRegistry, readonly string[]>>> = {
  npm: ['application/json', 'application/vnd.npm.install-v1+json'],
  pypi: ['application/vnd.pypi.simple.v1+json'],
};

/** Whether it says of itself that it is what was asked for. */
export function isOfMetadata(headers: HeaderList, registry: PackageRegistry): boolean {
  const [type = '', ...others] = headers.all('content-type');
  const [essence = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase());
  const types = typesOf[registry];
  const isKnown = types === undefined || types.includes(essence);
  const isPlain = parameters.every((one) => !one.startsWith('charset') || /^charset="?utf-?8"?$/.test(one));
  return isKnown && isPlain && others.length === 0;
}
