// Requests of pip, uv and poetry: `/simple/NAME/`, and files, which say name and version themselves.

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

const isVersion = versionOrders.pypi.isVersion;
const nameForm = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** PEP 503. */
export const pypiName = (name: string): string => name.replaceAll(/[-_.]+/g, '-').toLowerCase();

export const readPypi: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  if (hasSlash(segments)) return encodedSlash;
  const [first = '', ...rest] = segments;
  if (!isRead(method)) return uploadOf(method, segments, query);
  if (first === 'search' || first === 'rss') return { use: 'search' };
  if (query !== '') return unexpectedQuery;
  if (first === 'simple') return ofIndex(rest);
  if (first === 'pypi') return ofJson(rest);
  if (first === 'integrity') return ofProvenance(rest);
  const file = segments.at(-1) ?? '';
  return segments.length > 1 ? fileRequest(file) : unknownPath;
};

/** Files are uploaded to one address, at the root of most registries; the form says what they are. */
function uploadOf(method: string, segments: readonly string[], query: string): PackageRequest {
  const place = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  const [first] = place;
  if (first !== undefined && first !== 'legacy' && first !== 'upload') return { use: 'other' };
  const isUpload = method === 'POST' && place.length <= 1 && query === '';
  return { use: 'publish', ...(isUpload ? { bodySays: true } : {}) };
}

function ofIndex(others: readonly string[]): PackageRequest | UnreadablePackage {
  const [name = '', ...rest] = others;
  if (name === '' && rest.length === 0) return { use: 'registry' };
  if (!nameForm.test(name)) return unknownPath;
  if (rest.length === 0 || (rest.length === 1 && rest[0] === ''))
    return { use: 'metadata', name: pypiName(name) };
  const read = fileRequest(rest.at(-1) ?? '');
  if (read instanceof UnreadablePackage || read.name === pypiName(name)) return read;
  return new UnreadablePackage('asks for a file by another name than that of its package');
}

function ofJson([name = '', ...rest]: readonly string[]): PackageRequest | UnreadablePackage {
  if (!nameForm.test(name)) return unknownPath;
  const [first, second] = rest;
  if (first === 'json' && rest.length === 1)
    return { use: 'metadata', name: pypiName(name), isIndirect: true };
  if (second !== 'json' || rest.length !== 2 || first === undefined || !isVersion(first)) return unknownPath;
  return { use: 'metadata', name: pypiName(name), version: first };
}

function ofProvenance(others: readonly string[]): PackageRequest | UnreadablePackage {
  const [name = '', version = '', file = '', last] = others;
  if (others.length !== 4 || last !== 'provenance') return unknownPath;
  const read = fileRequest(file);
  if (read instanceof UnreadablePackage) return read;
  const isSame =
    read.name === pypiName(name) && versionOrders.pypi.compare(read.version ?? '', version) === 0;
  if (!isSame) return unknownPath;
  const { promisedAs: _, ...asked } = read;
  return { ...asked, use: 'metadata' };
}

const sideFile = /\.(?:metadata|asc|provenance)$/;

function fileRequest(written: string): PackageRequest | UnreadablePackage {
  const file = written.replace(sideFile, '');
  const read = readPypiFile(file);
  if (read instanceof UnreadablePackage) return read;
  // Nothing is promised of signatures and attestations.
  const isPromised = written === file || written === `${file}.metadata`;
  return { use: 'archive', ...read, file, ...(isPromised ? { promisedAs: written } : {}) };
}

/** Name and version of a wheel, an egg or an archive of sources. */
export function readPypiFile(
  file: string,
): { readonly name: string; readonly version: string } | UnreadablePackage {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+!-]*$/.test(file)) return unknownPath;
  const wheel = /^(.+)\.whl$/.exec(file)?.[1]?.split('-');
  if (wheel !== undefined) return wheel.length === 5 || wheel.length === 6 ? named(wheel) : unknownPath;
  const egg = /^(.+)\.egg$/.exec(file)?.[1]?.split('-');
  if (egg !== undefined) return egg.length >= 3 ? named(egg) : unknownPath;
  const stem = /^(.+)\.(?:tar\.(?:gz|bz2|xz|Z)|tgz|zip)$/.exec(file)?.[1];
  return stem === undefined ? unknownPath : ofSources(stem);
}

function named([name = '', version = '']: readonly string[]):
  | { readonly name: string; readonly version: string }
  | UnreadablePackage {
  if (!nameForm.test(name) || !isVersion(version)) return unknownPath;
  return { name: pypiName(name), version };
}

const dashesMax = 16;

/** Names of old ones have dashes too: every place at which a version could begin is a reading. */
function ofSources(stem: string): { readonly name: string; readonly version: string } | UnreadablePackage {
  const parts = stem.split('-');
  if (parts.length > dashesMax) return unknownPath;
  const readings = parts.flatMap((_, i) => {
    const read = i === 0 ? unknownPath : named([parts.slice(0, i).join('-'), parts.slice(i).join('-')]);
    return read instanceof UnreadablePackage ? [] : [read];
  });
  const [only] = readings;
  if (only === undefined) return unknownPath;
  if (readings.length > 1)
    return new UnreadablePackage('asks for a file whose name can be read as two packages');
  return only;
}
