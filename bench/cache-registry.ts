// What the bench of the cache installs: packages of npm, modules of Go and an image, and the registry that has them all, by the name of the host
// that a request is for.

import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { tarGz, zip } from '../test/clients/origin/archive.ts';

export interface Package {
  readonly name: string;
  readonly path: string;
  readonly archive: Buffer;
  readonly integrity: string;
}

export function packageOf(index: number): Package {
  const name = `package-${String(index)}`;
  const archive = tarGz({
    'package/package.json': JSON.stringify({ name, version: '1.0.0' }),
    'package/index.js': randomBytes(2000 + ((index * 7919) % 90_000)),
  });
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  return { name, path: `/${name}/-/${name}-1.0.0.tgz`, archive, integrity };
}

export interface Module {
  readonly name: string;
  readonly archive: Buffer;
}

export function moduleOf(index: number): Module {
  const name = `example.test/m${String(index)}`;
  const at = `${name}@v1.0.0`;
  const archive = zip({
    [`${at}/go.mod`]: goMod(name),
    [`${at}/m.go`]: `package m\n`,
    [`${at}/data`]: randomBytes(2000 + ((index * 7919) % 90_000)),
  });
  return { name, archive };
}

const goMod = (name: string): string => `module ${name}\n\ngo 1.20\n`;

interface Blob {
  readonly digest: string;
  readonly octets: Buffer;
  readonly type: string;
}

export interface Image {
  readonly manifest: Blob;
  readonly blobs: readonly Blob[];
}

const imageType = 'application/vnd.oci.image.manifest.v1+json';

/** Of some layers that cannot be compressed. */
export function imageOf(layers: number, layerBytes: number): Image {
  const blobOf = (octets: Buffer, type: string): Blob => ({
    digest: `sha256:${createHash('sha256').update(octets).digest('hex')}`,
    octets,
    type,
  });
  const tars = Array.from({ length: layers }, () => randomBytes(layerBytes));
  const packed = tars.map((tar) =>
    blobOf(gzipSync(tar, { level: 0 }), 'application/vnd.oci.image.layer.v1.tar+gzip'),
  );
  const ids = tars.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`);
  const config = blobOf(
    Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: ids },
      }),
    ),
    'application/vnd.oci.image.config.v1+json',
  );
  const told = ({ digest, octets, type }: Blob): object => ({ mediaType: type, digest, size: octets.length });
  const manifest = { schemaVersion: 2, mediaType: imageType, config: told(config), layers: packed.map(told) };
  return { manifest: blobOf(Buffer.from(JSON.stringify(manifest)), imageType), blobs: [config, ...packed] };
}

export interface Served {
  readonly packages: readonly Package[];
  readonly modules: readonly Module[];
  readonly image: Image;
}

/** As registries say of what does not change; squid keeps nothing else. */
const forAll = { 'cache-control': 'public, max-age=31536000, immutable' };
const forMinutes = { 'cache-control': 'public, max-age=300' };

const metadataOf = ({ name, integrity, path }: Package, at: string): string =>
  JSON.stringify({
    name,
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': { name, version: '1.0.0', dist: { integrity, tarball: `${at}${path}` } } },
    time: { '1.0.0': '2020-01-01T00:00:00.000Z' },
  });

export function registryOf({ packages, modules, image }: Served): RequestListener {
  const archives = new Map(packages.map((one) => [one.path, one]));
  const named = new Map(packages.map((one) => [`/${one.name}`, one]));
  const ofModule = new Map(modules.map((one) => [`/${one.name}/@v/`, one]));
  const blobs = new Map([image.manifest, ...image.blobs].map((one) => [one.digest, one]));
  return (request, response) => {
    const path = request.url ?? '';
    const archive = archives.get(path);
    const said = named.get(path);
    const cut = path.lastIndexOf('/') + 1;
    const module = ofModule.get(path.slice(0, cut));
    if (archive !== undefined)
      send(response, archive.archive, { 'content-type': 'application/octet-stream', ...forAll });
    else if (said !== undefined) {
      const at = `https://${request.headers.host ?? ''}`;
      send(response, metadataOf(said, at), { 'content-type': 'application/json', ...forMinutes });
    } else if (module !== undefined) sendModule(response, module, path.slice(cut));
    else if (path === '/v2/') send(response, '{}', { 'content-type': 'application/json' });
    else
      sendBlob(
        request,
        response,
        path.endsWith('/manifests/latest') ? image.manifest : blobs.get(path.slice(cut)),
      );
  };
}

function send(
  response: ServerResponse,
  octets: string | Buffer,
  fields: Readonly<Record<string, string>>,
): void {
  response.writeHead(200, { 'content-length': String(Buffer.byteLength(octets)), ...fields }).end(octets);
}

function sendModule(response: ServerResponse, { name, archive }: Module, file: string): void {
  const info = JSON.stringify({ Version: 'v1.0.0', Time: '2020-01-01T00:00:00Z' });
  if (file === 'v1.0.0.zip') send(response, archive, forAll);
  else if (file === 'v1.0.0.mod') send(response, goMod(name), forAll);
  else if (file === 'v1.0.0.info') send(response, info, forAll);
  else response.writeHead(404).end();
}

function sendBlob(request: IncomingMessage, response: ServerResponse, blob: Blob | undefined): void {
  if (blob === undefined) return void response.writeHead(404).end();
  const { octets, type, digest } = blob;
  const isManifest = type === imageType;
  const fields = {
    'content-type': isManifest ? type : 'application/octet-stream',
    'docker-content-digest': digest,
  };
  const age = request.url?.includes('sha256:') === true ? forAll : {};
  response.writeHead(200, { 'content-length': String(octets.length), ...fields, ...age });
  response.end(request.method === 'HEAD' ? undefined : octets);
}
