// What a request to a registry of packages is about, as its reader says it.

/** How a registry speaks; a rule names it, whatever the host. */
export const packageRegistries = ['npm', 'pypi', 'cargo', 'go', 'maven', 'rubygems', 'oci'] as const;
export type PackageRegistry = (typeof packageRegistries)[number];

/**
 * `metadata` tells of the versions of a package, or of one. `archive` is what is installed. `registry` is what a client needs of the
 * registry as a whole, and names no package. What a resolver never asks for is `search`, `publish` or `other`.
 */
export type PackageUse = 'metadata' | 'archive' | 'registry' | 'search' | 'publish' | 'other';

/**
 * What a request of use `publish` does. `publish` adds a version, `tag` lets a tag of npm name another one, `deprecate` replaces what npm tells of
 * a package, and `unpublish` takes something away.
 */
export const publishOperations = [
  'publish',
  'tag',
  'deprecate',
  'unpublish',
  'yank',
  'unyank',
  'owners',
] as const;
export type PublishOperation = (typeof publishOperations)[number];

export interface PackageRequest {
  readonly use: PackageUse;
  /** In the form in which the registry compares names. */
  readonly name?: string;
  /** The name as it is written, where the registry has its list at that. */
  readonly written?: string;
  /** As it is written. Absent in metadata: it tells of more than one. */
  readonly version?: string;
  /** Metadata that names a version only in its response, or names versions in a form that is not the one of resolvers. */
  readonly isIndirect?: true;
  /** What is judged by its age: the version by default, a file where each has its own. */
  readonly file?: string;
  /** Of what is delivered: by which name metadata promises what it is. */
  readonly promisedAs?: string;
  /** What it is by its own address, as `sha256-…`. */
  readonly digest?: string;
  /** Of use `publish`: what it does; absent: nobody knows, or its body says it. */
  readonly operation?: PublishOperation;
  /** Of use `publish`: its body says the rest, or has to say the same. */
  readonly bodySays?: true;
  /** Of an upload to a registry of images: the repository from which a blob is taken. */
  readonly from?: string;
}

/** `lodash@4.17.21`, of characters that a reader let through. */
export const versionText = ({ name = '', version }: Pick<PackageRequest, 'name' | 'version'>): string =>
  version === undefined ? name : `${name}@${version}`;

/** What is wrong with a request, as the end of a sentence: `the request` … */
export class UnreadablePackage {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A request as readers see it: `path` is canonical and begins at the registry's own root. */
export interface RegistryRequest {
  readonly method: string;
  readonly path: string;
  /** Empty, or with its question mark. */
  readonly query: string;
}

export type PackageReader = (request: RegistryRequest) => PackageRequest | UnreadablePackage;

export const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** Names and versions that exist are shorter; no reader looks at more. */
const segmentLengthMax = 512;
const segmentsMax = 64;

/**
 * The segments of a path, decoded once. Registries differ in what they make of empty segments, of octets that are encoded twice, and of
 * what is no ASCII: none of these is read. A slash within a segment stays for the one registry whose clients write it.
 */
export function segmentsIn(path: string): readonly string[] | UnreadablePackage {
  if (!path.startsWith('/')) return new UnreadablePackage('has no path of a registry');
  const raw = path.slice(1).split('/');
  if (raw.length > segmentsMax) return new UnreadablePackage('has a path with too many segments');
  const segments: string[] = [];
  for (const [i, part] of raw.entries()) {
    // A path may end with a slash; nothing else of it is empty.
    if (part === '' && i < raw.length - 1) return new UnreadablePackage('has an empty segment in its path');
    if (part.length > segmentLengthMax) return new UnreadablePackage('has a segment that is too long');
    const decoded = part.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (!/^[A-Za-z0-9._~!$'()*+,=:@/-]*$/.test(decoded))
      return new UnreadablePackage('has a character in its path that registries read in more than one way');
    if (decoded.split('/').some((one) => one === '.' || one === '..'))
      return new UnreadablePackage('has a dot segment in its path');
    segments.push(decoded);
  }
  return segments;
}

export const hasSlash = (segments: readonly string[]): boolean => segments.some((one) => one.includes('/'));

export const encodedSlash = new UnreadablePackage('has an encoded slash in its path');
export const unexpectedQuery = new UnreadablePackage('has a query, which could change what is asked for');
export const unknownPath = new UnreadablePackage('has a path that is none of this registry');
