// The reader of what each registry is sent to publish.

import { cargoPublication } from './cargo-publication.ts';
import { npmPublication } from './npm-publication.ts';
import { type PackageRegistry, UnreadablePackage } from './package-request.ts';
import { digestOfAddress } from './promised-digest.ts';
import type { Publication, PublicationReader, PublicationTools, PublishedBody } from './published-body.ts';
import { pypiPublication } from './pypi-publication.ts';

/** Registries of which publications are read. */
export const publishedRegistries = ['npm', 'pypi', 'cargo', 'oci'] as const;
type PublishedRegistry = (typeof publishedRegistries)[number];

const readers: Readonly<Record<PublishedRegistry, PublicationReader>> = {
  npm: npmPublication,
  pypi: pypiPublication,
  cargo: cargoPublication,
  oci: ociPublication,
};

export function readPublication(
  registry: PackageRegistry,
  body: PublishedBody,
  tools: PublicationTools,
): Publication | UnreadablePackage {
  const found = publishedRegistries.find((one) => one === registry);
  return found === undefined
    ? new UnreadablePackage('would publish to a registry of which that is not read')
    : readers[found](body, tools);
}

/** A manifest: its address says what it is called, and perhaps what it is. */
function ociPublication(
  { asked, octets }: PublishedBody,
  tools: PublicationTools,
): ReturnType<PublicationReader> {
  const { name, version } = asked;
  if (name === undefined || version === undefined) return new UnreadablePackage('names no manifest');
  const digest = tools.digestOf('sha256', octets);
  const named = digestOfAddress(version);
  const isSame = named === undefined || [digest, tools.digestOf('sha512', octets)].includes(named);
  if (!isSame || (version.includes(':') && named === undefined))
    return new UnreadablePackage('has a manifest that is not what its address says');
  return { operation: 'publish', name, version, digest };
}
