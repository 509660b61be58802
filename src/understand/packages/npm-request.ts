// Requests of npm, pnpm, yarn and bun: `/NAME`, `/NAME/VERSION`, `/NAME/-/BASE-VERSION.tgz`, and what begins with `/-/`.

import {
  isRead,
  type PackageReader,
  type PackageRequest,
  segmentsIn,
  unexpectedQuery,
  unknownPath,
  UnreadablePackage,
} from './package-request.ts';
import { versionOrders } from './version-order.ts';

const nameLengthMax = 214;
const part = /^[A-Za-z0-9~-][A-Za-z0-9._~-]*$/;
const isVersion = versionOrders.npm.isVersion;

/** `@scope/name` in one segment or two, with any of its octets encoded. */
export const readNpm: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  const [first = '', ...rest] = segments;
  if (first === '' && rest.length === 0) return { use: isRead(method) ? 'registry' : 'other' };
  if (first === '-') return ofRegistry(method, rest, query);
  const split = splitName(segments);
  if (split === undefined) return unknownPath;
  const { name, others } = split;
  if (!isRead(method)) return query === '' ? changeOf(method, name, others) : { use: 'publish', name };
  // What npm reads before it sends all of it back: a description without some versions would take those away.
  if (query === '?write=true' && others.length === 0) return { use: 'metadata', name, isIndirect: true };
  if (query !== '') return unexpectedQuery;
  return ofPackage(name, others);
};

function splitName(
  segments: readonly string[],
): { readonly name: string; readonly others: readonly string[] } | undefined {
  const [first = '', second = ''] = segments;
  const isScoped = first.startsWith('@');
  const isSplit = isScoped && !first.includes('/');
  const name = isSplit ? `${first}/${second}` : first;
  if (!isNpmName(name)) return undefined;
  return { name, others: segments.slice(isSplit ? 2 : 1) };
}

export function isNpmName(name: string): boolean {
  if (name.length > nameLengthMax) return false;
  const parts = name.startsWith('@') ? name.slice(1).split('/') : [name];
  const hasBoth = parts.length === (name.startsWith('@') ? 2 : 1);
  return hasBoth && parts.every((one) => one !== '-' && part.test(one));
}

function ofPackage(name: string, others: readonly string[]): PackageRequest | UnreadablePackage {
  const [first, ...rest] = others;
  if (first === undefined || (first === '' && rest.length === 0)) return { use: 'metadata', name };
  if (first === '-') return archiveOf(name, rest);
  if (rest.length > 0 || !part.test(first.replaceAll('+', '.'))) return unknownPath;
  return isVersion(first)
    ? { use: 'metadata', name, version: first }
    : { use: 'metadata', name, isIndirect: true };
}

/** `PUT /NAME` is a version or else another description, which its body tells; what has a revision takes something away. */
function changeOf(method: string, name: string, others: readonly string[]): PackageRequest {
  const some = { use: 'publish', name } as const;
  if (others.length === 0) return method === 'PUT' ? { ...some, bodySays: true } : some;
  if (others.at(-2) !== '-rev') return some;
  if (others.length === 2 && method === 'PUT') return { ...some, operation: 'unpublish', bodySays: true };
  if (method !== 'DELETE') return some;
  if (others.length === 2) return { ...some, operation: 'unpublish' };
  const archive = others[0] === '-' ? archiveOf(name, others.slice(1, -2)) : unknownPath;
  if (archive instanceof UnreadablePackage || archive.version === undefined) return some;
  return { ...some, operation: 'unpublish', version: archive.version };
}

/** The file says the name once more; another one than that of the path is read in two ways. */
function archiveOf(name: string, others: readonly string[]): PackageRequest | UnreadablePackage {
  const [scope, base] = name.startsWith('@') ? name.split('/') : [undefined, name];
  // Some registries repeat the scope.
  const [file, ...rest] = scope !== undefined && others[0] === scope ? others.slice(1) : others;
  const written = `${base ?? ''}-`;
  if (file === undefined || rest.length > 0 || !file.endsWith('.tgz')) return unknownPath;
  if (!file.startsWith(written))
    return new UnreadablePackage('asks for an archive by another name than that of its package');
  const version = file.slice(written.length, -'.tgz'.length);
  if (!isVersion(version)) return new UnreadablePackage('asks for an archive without a version');
  return { use: 'archive', name, version, promisedAs: version };
}

function ofRegistry(
  method: string,
  [area = '', ...rest]: readonly string[],
  query: string,
): PackageRequest | UnreadablePackage {
  if (area === 'package') {
    const split = splitName(rest);
    if (split === undefined) return unknownPath;
    const { name, others } = split;
    if (isRead(method)) return { use: 'metadata', name, isIndirect: true };
    const isTag = others[0] === 'dist-tags' && others.length <= 2 && query === '';
    return { use: 'publish', name, ...(isTag ? { operation: 'tag' } : {}) };
  }
  if (area === 'all' || (area === 'v1' && rest[0] === 'search')) return { use: 'search' };
  if (!isRead(method)) return { use: 'other' };
  if (area === 'ping' && rest.length === 0) return { use: 'registry' };
  if (area === 'npm' && rest[0] === 'v1') {
    if (rest[1] === 'keys' && rest.length === 2) return { use: 'registry' };
    if (rest[1] === 'attestations') return attestationsOf(rest.slice(2).join('/'));
  }
  // Nobody knows what a registry has at another address of its own: an archive, perhaps.
  return ofPeople.has(area) ? { use: 'other' } : unknownPath;
}

/** Accounts, rights, and advisories. */
const ofPeople: ReadonlySet<string> = new Set(['npm', 'org', 'team', 'user', 'v1', 'whoami']);

/** `NAME@VERSION` */
function attestationsOf(text: string): PackageRequest | UnreadablePackage {
  const at = text.lastIndexOf('@');
  const [name, version] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  return isNpmName(name) && isVersion(version) ? { use: 'metadata', name, version } : unknownPath;
}
