// What clients of registries send to publish a version, and parts of it that are changed.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const archive = Buffer.from('an archive');

type Json = Readonly<Record<string, unknown>>;

/** As npm 11 sends it. */
export function npmDocument(name: string, version: string, changed: Json = {}): Json {
  const base = `${name}-${version}`;
  return {
    _id: name,
    name,
    'dist-tags': { latest: version },
    versions: { [version]: npmManifest(name, version) },
    access: null,
    _attachments: { [`${base}.tgz`]: npmAttachment() },
    ...changed,
  };
}

export function npmManifest(name: string, version: string, changed: Json = {}): Json {
  return {
    name,
    version,
    _id: `${name}@${version}`,
    dist: {
      integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}`,
      shasum: createHash('sha1').update(archive).digest('hex'),
      tarball: `http://registry.test/${name}/-/${name}-${version}.tgz`,
    },
    ...changed,
  };
}

export const npmAttachment = (changed: Json = {}): Json => ({
  content_type: 'application/octet-stream',
  data: archive.toString('base64'),
  length: archive.length,
  ...changed,
});

/** The archive of all that is here. */
export const publishedArchive: Uint8Array = archive;

export const formBoundary = '0123456789abcdef';

interface Field {
  readonly name: string;
  readonly value: string | Uint8Array;
  readonly filename?: string;
}

/** As twine 6 sends it. */
export function pypiFields(name: string, version: string, file: string): readonly Field[] {
  return [
    { name: ':action', value: 'file_upload' },
    { name: 'protocol_version', value: '1' },
    { name: 'name', value: name },
    { name: 'version', value: version },
    { name: 'filetype', value: 'bdist_wheel' },
    { name: 'classifiers', value: 'Topic :: Utilities' },
    { name: 'classifiers', value: 'Operating System :: POSIX' },
    { name: 'sha256_digest', value: createHash('sha256').update(archive).digest('hex') },
    { name: 'content', value: archive, filename: file },
  ];
}

export function formOf(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(({ name, value, filename }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    const type = filename === undefined ? '' : 'Content-Type: application/octet-stream\r\n';
    const head = `--${formBoundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${type}\r\n`;
    return [Buffer.from(head), Buffer.from(value), Buffer.from('\r\n')];
  });
  return Buffer.concat([...parts, Buffer.from(`--${formBoundary}--\r\n`)]);
}

/** As cargo sends it; `folder`: where the files of its archive are. */
export function cargoBody(
  metadata: Json | string,
  folder: string,
  lengths: { readonly more?: number } = {},
): Buffer {
  const text = Buffer.from(typeof metadata === 'string' ? metadata : JSON.stringify(metadata));
  const crate = gzipSync(tarOf(`${folder}/Cargo.toml`));
  return Buffer.concat([sized(text.length), text, sized(crate.length + (lengths.more ?? 0)), crate]);
}

function sized(length: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(length);
  return octets;
}

/** One empty file. */
function tarOf(name: string): Buffer {
  const block = Buffer.alloc(1536);
  block.write(name, 0);
  block.write('ustar', 257);
  return block;
}
