// What the body of a request publishes. It is read where all readers find the same name, version and archive in it, or not at all.

import type { HeaderList } from '../../http/header-list.ts';
import type { PackageRequest, PublishOperation, UnreadablePackage } from './package-request.ts';

export interface Publication {
  readonly operation: PublishOperation;
  /** In the form in which the registry compares names. */
  readonly name: string;
  readonly version?: string;
  /** Of PyPI. */
  readonly file?: string;
  /** Of the archive, or the manifest: `sha512-…` or `sha256-…` with base64. */
  readonly digest?: string;
}

/** What readers of publications do not do themselves, for nothing here has Node. */
export interface PublicationTools {
  /** `sha512-…` with base64. */
  digestOf(algorithm: 'sha1' | 'sha256' | 'sha512', octets: Uint8Array): string;
  /** Undefined: decoders could differ. */
  octetsOfBase64(text: string): Uint8Array | undefined;
  /** At least the first 512 octets of what is packed by gzip; undefined: they cannot be unpacked. */
  unpackedStart(octets: Uint8Array): Uint8Array | undefined;
}

/** The request by its address, and the octets of its body. */
export interface PublishedBody {
  readonly asked: PackageRequest;
  readonly headers: HeaderList;
  readonly octets: Uint8Array;
}

export type PublicationReader = (
  body: PublishedBody,
  tools: PublicationTools,
) => Publication | UnreadablePackage;
