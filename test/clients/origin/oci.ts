// A registry of container images (OCI distribution): one image to pull, and it takes pushes.

import { createHash, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { tar } from './archive.ts';
import type { OriginResponse, OriginHandler, OriginRequest } from './handler.ts';

interface Stored {
  readonly bytes: Buffer;
  readonly type: string;
}

const storedMax = 1000;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

class Registry {
  readonly #blobs = new Map<string, Stored>();
  readonly #manifests = new Map<string, Stored>();
  readonly #uploads = new Map<string, Buffer[]>();

  addImage(): void {
    const layer = tar({ 'hello.txt': 'hello from oci\n' });
    const packed = gzipSync(layer);
    const config = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: { Cmd: ['/bin/true'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
        history: [{ created: '2020-01-01T00:00:00Z', created_by: 'example' }],
      }),
    );
    const described = (mediaType: string, bytes: Buffer): object => ({
      mediaType,
      digest: this.#addBlob(bytes),
      size: bytes.length,
    });
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: described(configType, config),
        layers: [described(layerType, packed)],
      }),
    );
    this.#addManifest('latest', { bytes: manifest, type: manifestType });
  }

  respond(request: OriginRequest): OriginResponse | undefined {
    const { path } = request;
    if (path === '/v2/' || path === '/v2') return { body: {} };
    const [, name = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/?([^/]*)$/.exec(path) ?? [];
    switch (kind) {
      case 'manifests':
        return this.#manifest(request, reference);
      case 'blobs':
        return fromStore(this.#blobs.get(reference), reference);
      case 'blobs/uploads':
        return this.#upload(request, name, reference);
      case 'tags':
        return { body: { name, tags: [...this.#manifests.keys()].filter((tag) => !tag.includes(':')) } };
      default:
        return undefined;
    }
  }

  #manifest({ method, headers, body, path }: OriginRequest, reference: string): OriginResponse | undefined {
    if (method !== 'PUT') {
      const stored = this.#manifests.get(reference);
      return fromStore(stored, stored === undefined ? reference : digestOf(stored.bytes));
    }
    const type = headers['content-type'] ?? manifestType;
    const digest = this.#addManifest(reference, { bytes: body, type });
    return { status: 201, headers: { location: path, 'docker-content-digest': digest } };
  }

  #upload({ method, body, query }: OriginRequest, name: string, id: string): OriginResponse | undefined {
    if (method === 'POST') {
      const started = randomUUID();
      if (this.#uploads.size < storedMax) this.#uploads.set(started, []);
      return accepted(name, started, 0);
    }
    const parts = this.#uploads.get(id);
    if (parts === undefined) return undefined;
    if (body.length > 0) parts.push(body);
    const size = parts.reduce((total, part) => total + part.length, 0);
    if (method !== 'PUT') return accepted(name, id, size);
    const bytes = Buffer.concat(parts);
    this.#uploads.delete(id);
    if (digestOf(bytes) !== query.get('digest')) return { status: 400, body: 'another digest\n' };
    const digest = this.#addBlob(bytes);
    return {
      status: 201,
      headers: { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest },
    };
  }

  #addBlob(bytes: Buffer): string {
    const digest = digestOf(bytes);
    if (this.#blobs.size < storedMax) this.#blobs.set(digest, { bytes, type: 'application/octet-stream' });
    return digest;
  }

  #addManifest(tag: string, stored: Stored): string {
    const digest = digestOf(stored.bytes);
    if (this.#manifests.size < storedMax) {
      this.#manifests.set(tag, stored);
      this.#manifests.set(digest, stored);
    }
    return digest;
  }
}

function accepted(name: string, id: string, size: number): OriginResponse {
  return {
    status: 202,
    headers: {
      location: `/v2/${name}/blobs/uploads/${id}`,
      range: `0-${Math.max(0, size - 1)}`,
      'docker-upload-uuid': id,
    },
  };
}

function fromStore(stored: Stored | undefined, digest: string): OriginResponse | undefined {
  if (stored === undefined) return undefined;
  return {
    body: stored.bytes,
    headers: { 'content-type': stored.type, 'docker-content-digest': digest },
  };
}

export function imageRegistry(): OriginHandler {
  const registry = new Registry();
  registry.addImage();
  return (request) => registry.respond(request);
}
