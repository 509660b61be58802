// What a manifest of an image names by digest: its configuration and layers, or the manifests of an index.

import { digestOfAddress } from './promised-digest.ts';

/** What a manifest itself may be, in the order in which a registry should choose. */
export const manifestTypes =
  'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.artifact.manifest.v1+json';

/** Each once, in their order. Undefined: it is no such manifest, or names more than `namesMax`. */
export function namedInManifest(octets: Uint8Array, namesMax: number): readonly string[] | undefined {
  const manifest = parsed(octets);
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest)) return undefined;
  const { config, layers, blobs, manifests } = manifest as Readonly<Record<string, unknown>>;
  const lists = [[config], layers, blobs, manifests].flatMap((one) => (Array.isArray(one) ? [one] : []));
  if (lists.reduce((count, one) => count + one.length, 0) > namesMax) return undefined;
  return [...new Set(lists.flat().flatMap((one) => digestIn(one)))];
}

function digestIn(descriptor: unknown): readonly string[] {
  if (typeof descriptor !== 'object' || descriptor === null || !('digest' in descriptor)) return [];
  const { digest } = descriptor;
  return typeof digest === 'string' && digestOfAddress(digest) !== undefined ? [digest] : [];
}

function parsed(octets: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch {
    return undefined;
  }
}
