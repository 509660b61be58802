// What bodies publish, and bodies that two readers could read differently.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { constants, gunzipSync } from 'node:zlib';
import { HeaderList } from '../../../src/http/header-list.ts';
import { UnreadablePackage } from '../../../src/understand/packages/package-request.ts';
import { readPublication } from '../../../src/understand/packages/publication.ts';
import type { PublicationTools } from '../../../src/understand/packages/published-body.ts';
import { readerOf } from '../../../src/understand/packages/read-package.ts';
import {
  cargoBody,
  formBoundary,
  formOf,
  npmAttachment,
  npmDocument,
  npmManifest,
  publishedArchive,
  pypiFields,
} from '../../support/publications.ts';

const tools: PublicationTools = {
  digestOf: (algorithm, octets) => `${algorithm}-${createHash(algorithm).update(octets).digest('base64')}`,
  octetsOfBase64: (text) =>
    Buffer.from(text, 'base64').toString('base64') === text ? Buffer.from(text, 'base64') : undefined,
  unpackedStart: (octets) => {
    try {
      return gunzipSync(octets, { finishFlush: constants.Z_SYNC_FLUSH });
    } catch {
      return undefined;
    }
  },
};
const sha = (algorithm: 'sha256' | 'sha512', octets: Uint8Array = publishedArchive): string =>
  tools.digestOf(algorithm, octets);

interface Sent {
  readonly registry: 'npm' | 'pypi' | 'cargo' | 'oci';
  readonly method?: string;
  readonly path: string;
  readonly type?: string;
  readonly body: string | Uint8Array | Readonly<Record<string, unknown>>;
}

function read({ registry, method = 'PUT', path, type = 'application/json', body }: Sent): unknown {
  const asked = readerOf(registry)({ method, path, query: '' });
  assert.ok(!(asked instanceof UnreadablePackage), path);
  assert.equal(asked.bodySays, true, path);
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const headers = new HeaderList([['content-type', type]]);
  const found = readPublication(registry, { asked, headers, octets: Buffer.from(text) }, tools);
  return found instanceof UnreadablePackage ? found.reason : found;
}

describe('npm', () => {
  const npm = (body: Sent['body'], path = '/@acme%2ftool'): unknown => read({ registry: 'npm', path, body });
  const document = (changed: Readonly<Record<string, unknown>> = {}) =>
    npmDocument('@acme/tool', '1.2.3', changed);
  const base = '@acme/tool-1.2.3';

  test('a document with one version and its archive publishes that version', () => {
    const published = { operation: 'publish', name: '@acme/tool', version: '1.2.3', digest: sha('sha512') };
    assert.deepEqual(npm(document()), published);
    const attested = { [`${base}.tgz`]: npmAttachment(), [`${base}.sigstore`]: { data: '{}' } };
    assert.deepEqual(npm(document({ _attachments: attested })), published);
  });

  test('a document without an archive replaces what is told of the package', () => {
    assert.deepEqual(npm(document({ _attachments: undefined })), {
      operation: 'deprecate',
      name: '@acme/tool',
    });
    assert.deepEqual(npm(document({ _attachments: {} })), { operation: 'deprecate', name: '@acme/tool' });
    const revised = read({
      registry: 'npm',
      path: '/@acme%2ftool/-rev/3-abc',
      body: document({ _attachments: {} }),
    });
    assert.deepEqual(revised, { operation: 'unpublish', name: '@acme/tool' });
  });

  const version = npmManifest('@acme/tool', '1.2.3');
  for (const [what, changed, reason] of [
    ['another _id', { _id: 'other' }, /another package in "_id"/],
    ['another name', { name: 'other' }, /another package in "name"/],
    ['no name', { name: undefined }, /another package in "name"/],
    ['a name in other letters beside it', { NAME: 'other' }, /some parsers take for "name"/],
    ['two versions', { versions: { '1.2.3': version, '1.2.4': version } }, /does not have one version/],
    ['no version', { versions: {} }, /does not have one version/],
    ['a version that is none', { versions: { latest: version } }, /names no version/],
    [
      'another name of its version',
      { versions: { '1.2.3': npmManifest('x', '1.2.3') } },
      /"name" of its version/,
    ],
    [
      'another version within its version',
      { versions: { '1.2.3': npmManifest('@acme/tool', '1.2.4') } },
      /another version in its version/,
    ],
    [
      'another _id of its version',
      { versions: { '1.2.3': { ...version, _id: 'x@1.2.3' } } },
      /another "_id" in its version/,
    ],
    ['a tag of another version', { 'dist-tags': { latest: '1.0.0' } }, /moves a tag/],
    [
      'an archive of another version',
      { _attachments: { 'x-1.2.3.tgz': npmAttachment() } },
      /not of its version/,
    ],
    [
      'a second archive',
      { _attachments: { [`${base}.tgz`]: npmAttachment(), 'x-1.0.0.tgz': npmAttachment() } },
      /the attachment "x-1\.0\.0\.tgz"/,
    ],
    [
      'an archive that is not base64 for all',
      { _attachments: { [`${base}.tgz`]: npmAttachment({ data: 'YW4gYXJjaGl2ZQ' }) } },
      /decoders of base64/,
    ],
    [
      'an archive of another length',
      { _attachments: { [`${base}.tgz`]: npmAttachment({ length: 3 }) } },
      /another length/,
    ],
    [
      'another archive than it promises',
      { _attachments: { [`${base}.tgz`]: npmAttachment({ data: 'AAAA', length: 3 }) } },
      /promises another archive/,
    ],
    ...['integrity', 'shasum'].map(
      (member) =>
        [
          `another archive than its ${member}`,
          { versions: { '1.2.3': { ...version, dist: { [member]: `sha512-${'A'.repeat(86)}==` } } } },
          /promises another archive/,
        ] as const,
    ),
  ] as const)
    test(`${what} is not read`, () => assert.match(String(npm(document(changed))), reason));

  test('a member that stands twice, another type, and what is no JSON are not read', () => {
    const text = JSON.stringify(document());
    assert.match(String(npm(`{"name":"other",${text.slice(1)}`)), /"name" a second time/);
    const typed = read({ registry: 'npm', path: '/@acme%2ftool', type: 'text/plain', body: document() });
    assert.match(String(typed), /not one of JSON/);
    assert.match(String(npm('{}}')), /has a body that/);
    assert.match(String(npm('[]')), /an object as its document/);
  });
});

describe('PyPI', () => {
  const fields = pypiFields('Acme.Tool', '1.0', 'acme_tool-1.0-py3-none-any.whl');
  const upload = (
    body: Uint8Array | string,
    type = `multipart/form-data; boundary=${formBoundary}`,
  ): unknown => read({ registry: 'pypi', method: 'POST', path: '/legacy/', type, body });
  const changed = (name: string, value: string) =>
    formOf(fields.map((one) => (one.name === name ? { ...one, value } : one)));

  test('a form with a file publishes that file', () => {
    assert.deepEqual(upload(formOf(fields)), {
      operation: 'publish',
      name: 'acme-tool',
      version: '1.0',
      file: 'acme_tool-1.0-py3-none-any.whl',
      digest: sha('sha256'),
    });
  });

  for (const [what, body, reason] of [
    ['a second name', formOf([...fields, { name: 'name', value: 'other' }]), /the field "name" twice/],
    ['a second file', formOf([...fields, { name: 'content', value: 'x', filename: 'x' }]), /"content" twice/],
    [
      'a name in other letters',
      formOf([...fields, { name: 'Name', value: 'other' }]),
      /some servers take for "name"/,
    ],
    [
      'a digest with a dash',
      formOf([...fields, { name: 'sha256-digest', value: 'x' }]),
      /some servers take for "sha256_digest"/,
    ],
    [
      'a name of a member',
      formOf([...fields, { name: 'name[0]', value: 'x' }]),
      /head servers read in different/,
    ],
    ['another file', formOf([...fields, { name: 'wheel', value: 'x', filename: 'x' }]), /the file "wheel"/],
    [
      'a name as a file',
      formOf([...fields.slice(0, 2), { name: 'name', value: 'x', filename: 'x' }]),
      /of another kind/,
    ],
    ['another action', changed(':action', 'remove_pkg'), /something else/],
    ['another name than its file', changed('name', 'other'), /another name or version/],
    ['another version than its file', changed('version', '1.1'), /another name or version/],
    ['another file than its digest', changed('content', 'x'), /another file than its field/],
    ['no file', formOf(fields.slice(0, -1)), /says no package/],
  ] as const)
    test(`${what} is not read`, () => assert.match(String(upload(body)), reason));

  test('a file that can be read as two packages, and a body that is no form, are not read', () => {
    const twofold = fields.map((one) =>
      one.name === 'content' ? { ...one, filename: 'foo-1.0-1.tar.gz' } : one,
    );
    assert.match(String(upload(formOf(twofold))), /says no package, or two/);
    assert.match(String(upload('{}', 'application/json')), /not a form/);
    assert.match(String(upload(Buffer.concat([formOf(fields), formOf(fields)]))), /different places/);
  });
});

describe('crates.io', () => {
  const put = (body: Uint8Array): unknown => read({ registry: 'cargo', path: '/api/v1/crates/new', body });
  const metadata = { name: 'Acme_Tool', vers: '1.2.3' };

  test('metadata and an archive publish that version', () => {
    const body = cargoBody(metadata, 'Acme_Tool-1.2.3');
    const crate = body.subarray(8 + JSON.stringify(metadata).length);
    assert.deepEqual(put(body), {
      operation: 'publish',
      name: 'acme-tool',
      version: '1.2.3',
      digest: sha('sha256', crate),
    });
  });

  for (const [what, body, reason] of [
    ['an archive of another crate', cargoBody(metadata, 'other-1.2.3'), /files are of another name/],
    ['an archive of another version', cargoBody(metadata, 'Acme_Tool-1.2.4'), /files are of another name/],
    ['a longer archive than there is', cargoBody(metadata, 'Acme_Tool-1.2.3', { more: 1 }), /of the length/],
    ['octets behind its archive', cargoBody(metadata, 'Acme_Tool-1.2.3', { more: -1 }), /of the length/],
    ['nothing', Buffer.alloc(3), /of the length/],
    ['two names', cargoBody('{"name":"a","name":"b","vers":"1.0.0"}', 'a-1.0.0'), /"name" a second time/],
    [
      'a name in other letters',
      cargoBody('{"name":"a","Name":"b","vers":"1.0.0"}', 'a-1.0.0'),
      /names no crate/,
    ],
    ['no version', cargoBody({ name: 'a' }, 'a-1.0.0'), /names no version/],
  ] as const)
    test(`${what} is not read`, () => assert.match(String(put(body)), reason));
});

describe('OCI', () => {
  const manifest = '{"schemaVersion":2}';
  const digest = sha('sha256', Buffer.from(manifest));
  const hex = Buffer.from(digest.slice('sha256-'.length), 'base64').toString('hex');
  const put = (reference: string): unknown =>
    read({ registry: 'oci', path: `/v2/acme/app/manifests/${reference}`, body: manifest });

  test('a manifest is what its address says, by its tag or its digest', () => {
    assert.deepEqual(put('v1'), { operation: 'publish', name: 'acme/app', version: 'v1', digest });
    const named = put(`sha256:${hex}`);
    assert.deepEqual(named, { operation: 'publish', name: 'acme/app', version: `sha256:${hex}`, digest });
    assert.match(String(put(`sha256:${'0'.repeat(64)}`)), /not what its address says/);
    assert.match(String(put(`md5:${'0'.repeat(32)}`)), /not what its address says/);
  });
});
