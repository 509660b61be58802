// Requests of gem and bundler: `/info/NAME`, `/gems/NAME-VERSION[-PLATFORM].gem`, and what came before them.

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

const isVersion = versionOrders.rubygems.isVersion;
const nameForm = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** `java`, `x86_64-linux`, `aarch64-linux-gnu`, `universal-darwin-20` */
const platform = /^[a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*(?:-\d+(?:\.\d+)*)?$/;
const lists = /^(?:versions|names|(?:latest_|prerelease_)?specs\.4\.8(?:\.gz)?)$/;

export const readRubygems: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  if (hasSlash(segments)) return encodedSlash;
  const [first = '', second, third] = segments;
  if (first === 'api') return ofApi(method, segments.slice(1));
  if (!isRead(method)) return { use: 'other' };
  if (query !== '') return unexpectedQuery;
  if (second === undefined) return lists.test(first) ? { use: 'registry' } : unknownPath;
  if (first === 'info' && third === undefined)
    return nameForm.test(second) ? { use: 'metadata', name: second } : unknownPath;
  if (first === 'gems' && third === undefined) return ofFile(second, '.gem', 'archive');
  if (first === 'quick' && segments.length === 3 && second === 'Marshal.4.8')
    return ofFile(third ?? '', '.gemspec.rz', 'metadata');
  return unknownPath;
};

const dashesMax = 16;

/** Names have dashes, and so have platforms: every place at which a version could stand is a reading. */
function ofFile(
  file: string,
  ending: string,
  use: 'archive' | 'metadata',
): PackageRequest | UnreadablePackage {
  if (!file.endsWith(ending)) return unknownPath;
  const parts = file.slice(0, -ending.length).split('-');
  if (parts.length > dashesMax) return unknownPath;
  const readings = parts.flatMap((version, i) => {
    const name = parts.slice(0, i).join('-');
    const rest = parts.slice(i + 1).join('-');
    const fits = i > 0 && nameForm.test(name) && isVersion(version) && (rest === '' || platform.test(rest));
    return fits ? [{ name, version }] : [];
  });
  const [only] = readings;
  if (only === undefined) return unknownPath;
  if (readings.length > 1)
    return new UnreadablePackage('asks for a file whose name can be read as two packages');
  // A file for another platform may come out long after its version.
  const own = file.slice(only.name.length + 1, -ending.length);
  return { use, ...only, file: own, ...(use === 'archive' ? { promisedAs: own } : {}) };
}

function ofApi(
  method: string,
  [level, area = '', name = '', ...rest]: readonly string[],
): PackageRequest | UnreadablePackage {
  if (!isRead(method)) return { use: area === 'gems' ? 'publish' : 'other' };
  if (level === 'v1' && area.startsWith('search')) return { use: 'search' };
  if (level === 'v1' && (area === 'gems' || area === 'versions')) {
    const written = name.replace(/\.(?:json|yaml)$/, '');
    if (rest.length > 0 || !nameForm.test(written)) return unknownPath;
    return { use: 'metadata', name: written, isIndirect: true };
  }
  if (level !== 'v2' || area !== 'rubygems' || rest[0] !== 'versions' || !nameForm.test(name))
    return unknownPath;
  const version = (rest[1] ?? '').replace(/\.(?:json|yaml)$/, '');
  return rest.length === 2 && isVersion(version) ? { use: 'metadata', name, version } : unknownPath;
}
