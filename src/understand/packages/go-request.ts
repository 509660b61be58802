// Requests of go to a module proxy (`/M/@v/V.zip`), and to a database of checksums, by itself or through the proxy.

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

const isVersion = versionOrders.go.isVersion;

export const readGo: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  if (hasSlash(segments)) return encodedSlash;
  if (!isRead(method)) return { use: 'other' };
  if (query !== '') return unexpectedQuery;
  if (isOfSums(segments)) return { use: 'registry' };
  const mark = segments.findIndex((one) => one.startsWith('@'));
  const name = unescaped(segments.slice(0, Math.max(mark, 0)).join('/'));
  if (name === undefined || !isModule(name)) return unknownPath;
  const [area, file, ...rest] = segments.slice(mark);
  if (area === '@latest' && file === undefined) return { use: 'metadata', name, isIndirect: true };
  if (area !== '@v' || file === undefined || rest.length > 0) return unknownPath;
  if (file === 'list') return { use: 'metadata', name };
  return ofVersion(name, file);
};

/** What is asked of it is about modules whose checksums are known already or come next; it serves none. Through a proxy its name is before it. */
function isOfSums(segments: readonly string[]): boolean {
  const [first = '', ...rest] = segments[0] === 'sumdb' ? segments.slice(2) : segments;
  if (first === 'latest' || first === 'supported') return rest.length === 0;
  const text = rest.join('/');
  // A module's own addresses have a segment that begins with @.
  if (first === 'lookup') return /^[^@]+[^@/]@v[^@/]+$/.test(text);
  return first === 'tile' && tile.test(text);
}

/** `8/0/x001/234.p/5`, `8/data/001` */
const tile = /^\d{1,2}\/(?:\d{1,2}|data)\/(?:x\d{3}\/){0,8}\d{3}(?:\.p\/\d{1,3})?$/;

function ofVersion(name: string, file: string): PackageRequest | UnreadablePackage {
  const [, written = '', kind] = /^(.+)\.(info|mod|zip)$/.exec(file) ?? [];
  const version = unescaped(written);
  if (version === undefined || kind === undefined) return unknownPath;
  if (!isVersion(version))
    // A branch or a commit: what comes names the version.
    return kind === 'info' ? { use: 'metadata', name, isIndirect: true } : unknownPath;
  // As go.sum calls it.
  if (kind === 'zip') return { use: 'archive', name, version, promisedAs: `${name} ${version}` };
  return {
    use: 'metadata',
    name,
    version,
    ...(kind === 'mod' ? { promisedAs: `${name} ${version}/go.mod` } : {}),
  };
}

/** `!x` is an X. A capital letter is no part of an escaped path. */
function unescaped(text: string): string | undefined {
  if (!/^(?:[a-z0-9._~/+-]|![a-z])*$/.test(text)) return undefined;
  return text.replaceAll(/!([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** As go itself checks it: without a dot in its first element it would be a part of the address, such as `cached-only` of proxy.golang.org. */
function isModule(name: string): boolean {
  const parts = name.split('/');
  if (!/^[a-z0-9][a-z0-9-]*\.[a-z0-9.-]*$/.test(parts[0] ?? '')) return false;
  return name.length <= 512 && parts.every((one) => one !== '' && !one.startsWith('.') && !one.endsWith('.'));
}
