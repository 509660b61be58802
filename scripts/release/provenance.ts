// Where the files of a release come from, as an in-toto statement with SLSA's predicate (slsa.dev/provenance/v1).

export interface Provenance {
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly version: string;
  readonly architectures: readonly string[];
  /** Packages and images that were asked for. */
  readonly also: readonly string[];
  /** Of the source; undefined where there is no repository. */
  readonly commit: string | undefined;
  /** Something of the source is not in that commit. */
  readonly isModified: boolean;
  readonly builder: string;
  /** Archives of npm that stand in the files: their integrity, as npm writes it. */
  readonly archives: readonly { readonly purl: string; readonly integrity: string }[];
  /** Packages of Debian of which something is in the images. */
  readonly debian: readonly { readonly purl: string; readonly sha256: string }[];
  /** The lock files that named what was fetched. */
  readonly locks: readonly { readonly name: string; readonly sha256: string }[];
}

/** What the parameters below mean (docs/reference/release.md). */
const buildType = 'urn:upstreamproxy:build-release:1';

/** Without a time and without the machine: the same source gives the same statement. */
export function provenanceStatement(facts: Provenance): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: facts.files.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: { version: facts.version, architectures: facts.architectures, also: facts.also },
        internalParameters: { sourceModified: facts.isModified },
        resolvedDependencies: [
          ...(facts.commit === undefined ? [] : [{ name: 'source', digest: { gitCommit: facts.commit } }]),
          ...facts.locks.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
          ...facts.archives.map(({ purl, integrity }) => ({
            uri: purl,
            digest: { sha512: hexOf(integrity) },
          })),
          ...facts.debian.map(({ purl, sha256 }) => ({ uri: purl, digest: { sha256 } })),
        ],
      },
      runDetails: { builder: { id: facts.builder } },
    },
  };
}

function hexOf(integrity: string): string {
  return Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
}
