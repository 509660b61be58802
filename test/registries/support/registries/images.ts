// A registry of images: `example/NAME`, each version as a tag and `latest` for the newest. What is withdrawn is removed.

import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { tar } from '../../../clients/origin/archive.ts';
import { contentOf, isGone, type ServedPackage, type ServedVersion } from './served-package.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const digestOf = (octets: Uint8Array): string =>
  `sha256:${createHash('sha256').update(octets).digest('hex')}`;

export interface ServedImage {
  readonly manifest: Buffer;
  /** Of the manifest. */
  readonly digest: string;
  readonly config: Buffer;
  readonly layer: Buffer;
  /** Of all of them. */
  readonly digests: readonly string[];
}

export const imageName = (name: string): string => `example/${name}`;

export function imageOf(name: string, { version }: ServedVersion): ServedImage {
  const files = tar({ 'version.txt': `${name} ${version}\n` });
  const layer = gzipSync(files);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Cmd: ['/bin/true'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(files)] },
    }),
  );
  const described = (mediaType: string, octets: Buffer): object => ({
    mediaType,
    digest: digestOf(octets),
    size: octets.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: described('application/vnd.oci.image.config.v1+json', config),
      layers: [described('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
      annotations: { 'org.opencontainers.image.version': version },
    }),
  );
  const digests = [manifest, config, layer].map((one) => digestOf(one));
  return { manifest, digest: digestOf(manifest), config, layer, digests };
}

export function imageRegistry(packages: readonly ServedPackage[]): RequestListener {
  return (request, response) => {
    const path = request.url ?? '';
    if (path === '/v2/') return void response.end('{}');
    const [, name = '', kind = '', reference = ''] =
      /^\/v2\/example\/([a-z]+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    const found = packages.find((one) => one.name === name);
    const left = found?.versions.filter((one) => !isGone(one)) ?? [];
    for (const one of left) {
      const { manifest, digest, config, layer } = imageOf(name, one);
      const tags = [one.version, ...(one === left.at(-1) ? ['latest'] : []), digest];
      if (kind === 'manifests' && tags.includes(reference)) {
        response.writeHead(200, {
          'content-type': manifestType,
          'docker-content-digest': digest,
          'content-length': String(manifest.length),
        });
        return void response.end(request.method === 'HEAD' ? undefined : manifest);
      }
      if (kind !== 'blobs') continue;
      if (reference === digestOf(config)) return void response.end(config);
      if (reference === digestOf(layer))
        return void response.end(contentOf(one) === 'tampered' ? Buffer.from(layer).fill(1, 20, 30) : layer);
    }
    response
      .writeHead(404, { 'content-type': 'application/json' })
      .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}');
  };
}
