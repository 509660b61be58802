// Requests to a repository in Maven's layout: `G/A/maven-metadata.xml` and `G/A/V/A-V.jar`.

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

const part = /^[A-Za-z0-9_][A-Za-z0-9_.~-]*$/;
const group = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
const list = /^maven-metadata\.xml(?:\.(?:md5|sha1|sha256|sha512|asc))*$/;

export const readMaven: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  if (hasSlash(segments)) return encodedSlash;
  if (!isRead(method)) return { use: method === 'PUT' ? 'publish' : 'other' };
  if (query !== '') return unexpectedQuery;
  const file = segments.at(-1) ?? '';
  const folder = segments.slice(0, -1);
  if (!list.test(file)) return ofFile(folder, file);
  const last = folder.at(-1) ?? '';
  const name = named(isSnapshot(last) ? folder.slice(0, -1) : folder);
  if (name === undefined) return unknownPath;
  return isSnapshot(last) ? { use: 'metadata', ...name, version: last } : { use: 'metadata', ...name };
};

const isSnapshot = (version: string): boolean => version.endsWith('-SNAPSHOT');

function ofFile(folder: readonly string[], file: string): PackageRequest | UnreadablePackage {
  const [artifact = '', version = ''] = folder.slice(-2);
  const name = named(folder.slice(0, -1));
  if (name === undefined || !part.test(version) || !part.test(file.replaceAll('+', '.'))) return unknownPath;
  const base = isSnapshot(version) ? version.slice(0, -'SNAPSHOT'.length) : version;
  const written = `${artifact}-${base}`;
  const rest = file.slice(written.length);
  const fits = isSnapshot(version)
    ? /^(?:SNAPSHOT|\d{8}\.\d{6}-\d+)[.-]/.test(rest)
    : rest.startsWith('.') || rest.startsWith('-');
  if (!file.startsWith(written) || !fits)
    return new UnreadablePackage('asks for a file by another name than that of its folder');
  // What stands beside a file is as old as that, and is checked by who uses it.
  const of = file.replace(/(?:\.(?:md5|sha1|sha256|sha512|asc))+$/, '');
  return { use: 'archive', ...name, version, file: of, ...(of === file ? { promisedAs: file } : {}) };
}

/** `org/example/app` is org.example:app. */
function named(folder: readonly string[]): { readonly name: string } | undefined {
  const artifact = folder.at(-1) ?? '';
  const groups = folder.slice(0, -1);
  if (groups.length === 0 || !part.test(artifact) || !groups.every((one) => group.test(one)))
    return undefined;
  return { name: `${groups.join('.')}:${artifact}` };
}
