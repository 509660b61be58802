// What is known of a package beside the address of the request, and where its registry is.

import type { Destination } from '../http/destination.ts';
import type { PackageRegistry, UnreadablePackage } from '../understand/packages/package-request.ts';
import type { Publication } from '../understand/packages/published-body.ts';

/** Where a registry's own addresses begin. */
export interface RegistryRoot {
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: number;
  /** Without a slash at its end; empty for the root of the host. */
  readonly path: string;
}

/** Whether the root is at the destination: what the same host says without TLS is said by anybody. */
export function isRootOf(root: RegistryRoot, { scheme, host, port }: Destination): boolean {
  return root.scheme === scheme && root.host === host && root.port === port;
}

/** A registry as text: how it speaks, and the root that a rule names, or else that of the host which is asked. */
export function sourceOf({ registry, root }: NamedRegistry, { scheme, host, port }: Destination): string {
  const own = root ?? { scheme, host, port, path: '' };
  return JSON.stringify([registry, own.scheme, own.host, own.port, own.path]);
}

/** A registry, as a rule says it. */
export interface NamedRegistry {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot | undefined;
}

/** What a body was read to publish. */
export interface KnownPublication {
  /** As which registry it was read: rules about another one know nothing by it. */
  readonly source: string;
  readonly read: Publication | UnreadablePackage;
}

export interface KnownPackage {
  /** Where it is known from: rules about another registry know nothing by it. */
  readonly source: string;
  /** Of one version among those that metadata tells of. */
  readonly version?: string;
  readonly file?: string;
  /** A person asks about the version: why is told in full, as of the request for its archive. */
  readonly isExplained?: true;
  /** What the name that was asked for, such as a tag, stood for when that was judged, as `sha256-…`. */
  readonly promised?: string;
  /** When a version, or a file where each has its own time, came out; undefined: nobody knows. */
  timeOf(versionOrFile: string): number | undefined;
}
