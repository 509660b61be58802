// Requests of cargo to a sparse index (`/se/rd/serde`), to the place of its archives, and to its API.

import {
  encodedSlash,
  hasSlash,
  isRead,
  type PackageReader,
  type PackageRequest,
  segmentsIn,
  unexpectedQuery,
  unknownPath,
  UnreadablePackage,
} from './package-request.ts';
import { versionOrders } from './version-order.ts';

const isVersion = versionOrders.cargo.isVersion;
const nameForm = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export const isCrateName = (name: string): boolean => nameForm.test(name);

/** Registries do not let two packages differ in these alone. */
export const cargoName = (name: string): string => name.replaceAll('_', '-').toLowerCase();

export const readCargo: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  if (hasSlash(segments)) return encodedSlash;
  const [first = ''] = segments;
  if (first === 'api') return ofApi(method, segments.slice(1), query);
  if (!isRead(method)) return { use: 'other' };
  if (query !== '') return unexpectedQuery;
  if (first === 'config.json' && segments.length === 1) return { use: 'registry' };
  // The index has no folder of six letters.
  if (first === 'crates') return archiveOf(segments.slice(1));
  return ofIndex(segments);
};

const named = (written: string): { readonly name: string; readonly written: string } => ({
  name: cargoName(written),
  written,
});

function ofIndex(segments: readonly string[]): PackageRequest | UnreadablePackage {
  const name = segments.at(-1) ?? '';
  if (!nameForm.test(name) || cargoIndexPath(name).join('/') !== segments.join('/')) return unknownPath;
  return { use: 'metadata', ...named(name) };
}

/** Files of the index stand at the name in lower case. */
export function cargoIndexPath(name: string): readonly string[] {
  const lower = name.toLowerCase();
  if (lower.length < 3) return [String(lower.length), lower];
  if (lower.length === 3) return ['3', lower.slice(0, 1), lower];
  return [lower.slice(0, 2), lower.slice(2, 4), lower];
}

/** `N/N-V.crate` or `N/V/download` */
function archiveOf([name = '', second = '', third, ...rest]: readonly string[]):
  | PackageRequest
  | UnreadablePackage {
  if (!nameForm.test(name) || rest.length > 0) return unknownPath;
  const isFile = third === undefined && second.startsWith(`${name}-`) && second.endsWith('.crate');
  const version = isFile
    ? second.slice(name.length + 1, -'.crate'.length)
    : third === 'download'
      ? second
      : '';
  return isVersion(version) ? { use: 'archive', ...named(name), version, promisedAs: version } : unknownPath;
}

/** `PUT new`, `PUT N/V/unyank`, `DELETE N/V/yank`, and `PUT` or `DELETE` of `N/owners`. */
function changeOf(
  method: string,
  name: string | undefined,
  rest: readonly string[],
  query: string,
): PackageRequest {
  if (name === 'new' && rest.length === 0 && method === 'PUT' && query === '')
    return { use: 'publish', operation: 'publish', bodySays: true };
  if (name === undefined || name === 'new' || !nameForm.test(name)) return { use: 'publish' };
  const some = { use: 'publish', ...named(name) } as const;
  if (query !== '') return some;
  const [first = '', last] = rest;
  const isChange = method === 'PUT' || method === 'DELETE';
  if (first === 'owners' && rest.length === 1 && isChange) return { ...some, operation: 'owners' };
  if (rest.length !== 2 || !isVersion(first)) return some;
  if (last === 'yank' && method === 'DELETE') return { ...some, version: first, operation: 'yank' };
  if (last === 'unyank' && method === 'PUT') return { ...some, version: first, operation: 'unyank' };
  return some;
}

function ofApi(
  method: string,
  [v1, area, name, ...rest]: readonly string[],
  query: string,
): PackageRequest | UnreadablePackage {
  if (!isRead(method)) {
    if (v1 !== 'v1' || area !== 'crates') return { use: 'other' };
    return changeOf(method, name, rest, query);
  }
  if (v1 !== 'v1' || area !== 'crates') return unknownPath;
  if (name === undefined || name === '') return { use: 'search' };
  if (!nameForm.test(name)) return unknownPath;
  if (query !== '') return unexpectedQuery;
  const [version, last] = rest;
  if (version === undefined || !isVersion(version))
    return { use: 'metadata', ...named(name), isIndirect: true };
  if (last === 'download' && rest.length === 2)
    return { use: 'archive', ...named(name), version, promisedAs: version };
  return { use: 'metadata', ...named(name), version };
}
