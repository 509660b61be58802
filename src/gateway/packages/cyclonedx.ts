// Packages of a session as a bill of materials: CycloneDX 1.6, and package URLs.

import { Buffer } from 'node:buffer';
import type { BilledPackage, SessionPackages } from '../../api/package-bill.ts';

const types: Readonly<Record<string, string>> = {
  npm: 'npm',
  pypi: 'pypi',
  cargo: 'cargo',
  go: 'golang',
  maven: 'maven',
  rubygems: 'gem',
  oci: 'oci',
};

const algorithms: Readonly<Record<string, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
};

/** `pkg:npm/%40acme/app@1.0.0` */
export function packageUrl({ registry, host, name, version }: BilledPackage): string {
  const type = types[registry] ?? 'generic';
  const text = (one: string): string => encodeURIComponent(one).replaceAll('%3A', ':');
  const path = registry === 'maven' ? name.split(':') : name.split('/');
  if (registry !== 'oci') return `pkg:${type}/${path.map(text).join('/')}@${text(version)}`;
  // Its name is the last part alone, and a version is a digest.
  const place = `repository_url=${text(`${host}/${name}`)}`;
  const last = text(path.at(-1) ?? name);
  return version.includes(':')
    ? `pkg:oci/${last}@${text(version)}?${place}`
    : `pkg:oci/${last}?${place}&tag=${text(version)}`;
}

/** Each component has what the registry calls it; `nowMs`: when the bill was made. */
export function cycloneDx(
  { session, packages, hidden, refused }: SessionPackages,
  { nowMs, programVersion }: { readonly nowMs: number; readonly programVersion: string },
): unknown {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(nowMs).toISOString(),
      tools: { components: [{ type: 'application', name: 'upstreamproxy', version: programVersion }] },
      component: { type: 'application', 'bom-ref': `session ${session}`, name: `session ${session}` },
      properties: [
        property('hiddenPackages', String(hidden.length)),
        property('refusedPackages', String(refused.length)),
      ],
    },
    components: packages.map(componentOf),
  };
}

const property = (name: string, value: string): unknown => ({ name: `upstreamproxy:${name}`, value });

function componentOf(one: BilledPackage, index: number): unknown {
  const { registry, host, name, version, digest, published, fetched, requests, rule, installScripts } = one;
  const purl = packageUrl(one);
  const hash = hashOf(digest);
  const facts = { registry, host, published, fetched, requests: String(requests), rule, installScripts };
  return {
    type: registry === 'oci' ? 'container' : 'library',
    // Files of one version have the same package URL.
    'bom-ref': `${String(index + 1)} ${purl}`,
    name,
    version,
    purl,
    ...(hash === undefined ? {} : { hashes: [hash] }),
    properties: Object.entries(facts).flatMap(([key, value]) =>
      value === undefined ? [] : [property(key, value)],
    ),
  };
}

function hashOf(digest: string | undefined): unknown {
  const [, name = '', text = ''] = /^(sha\d+)-(.+)$/.exec(digest ?? '') ?? [];
  const alg = algorithms[name];
  return alg === undefined ? undefined : { alg, content: Buffer.from(text, 'base64').toString('hex') };
}
