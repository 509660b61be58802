// A rule with `provenance`: what is fetched, and what its client sees where nobody attests it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { PackageProvenance } from '../../../src/gateway/packages/package-provenance.ts';
import { SigstoreVerifier } from '../../../src/gateway/packages/sigstore-verifier.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import {
  actionsIssuer,
  npmAttestations,
  pypiProvenance,
  sigstoreSigner,
  type SigningOptions,
} from '../../support/sigstore-signer.ts';
import { openRegistryScene, type RegistryScene, serving } from '../support/registry-scene.ts';

const signer = sigstoreSigner();
const provenance = new PackageProvenance(
  await SigstoreVerifier.open(signer.root, 'trusted_root.json'),
  defaultLimits,
  Date.now,
);
const [archive, other] = [Buffer.from('what is in the archive'), Buffer.from('what is in another one!')];
const hex = (algorithm: string, octets = archive): string =>
  createHash(algorithm).update(octets).digest('hex');
const integrity = (octets: Uint8Array = archive): string =>
  `sha512-${createHash('sha512').update(octets).digest('base64')}`;
const tarball = '/@acme/lib/-/lib-1.0.0.tgz';
const attestations = '/-/npm/v1/attestations/@acme%2Flib@1.0.0';

const attest = (octets = archive, options: SigningOptions = {}, name = 'pkg:npm/%40acme/lib@1.0.0'): string =>
  npmAttestations(
    signer.attest(
      {
        subject: [{ name, digest: { sha512: hex('sha512', octets) } }],
        predicateType: 'https://slsa.dev/provenance/v1',
      },
      options,
    ),
  );

async function npm(
  rule: string,
  files: Readonly<Record<string, string | Uint8Array | number>>,
): Promise<RegistryScene> {
  return await openRegistryScene(
    `registry: npm, provenance: ${rule}`,
    serving({ [tarball]: archive, ...files }),
    {
      provenance: new PackageProvenance(
        await SigstoreVerifier.open(signer.root, 'trusted_root.json'),
        defaultLimits,
        Date.now,
      ),
    },
  );
}

test('an archive comes that somebody attests, and the gateway asks for that once', async () => {
  await using scene = await npm('required', { [attestations]: attest() });
  for (let i = 0; i < 2; i++) assert.equal((await scene.get(tarball)).isWhole, true);
  assert.deepEqual(scene.asked, [attestations, tarball, tarball]);
  const [event] = await scene.path.events(2);
  assert.equal(event?.package?.digest, integrity());
});

test('the whole of another archive than the attested one comes to nobody, and raises an alarm', async () => {
  await using scene = await npm('required', { [attestations]: attest(), [tarball]: other });
  assert.equal((await scene.get(tarball)).isWhole, false);
  const alarm = (await scene.path.events(2)).find(({ kind }) => kind === 'alarm');
  assert.equal(alarm?.action, 'package_altered');
});

test('what the registry promises has to be what is attested', async () => {
  const packument = (octets: Uint8Array): string =>
    JSON.stringify({
      name: '@acme/lib',
      'dist-tags': { latest: '1.0.0' },
      versions: {
        '1.0.0': {
          name: '@acme/lib',
          version: '1.0.0',
          dist: { integrity: integrity(octets), attestations: {} },
        },
      },
    });
  await using scene = await npm('required, integrity: asked', {
    [attestations]: attest(),
    '/@acme%2Flib': packument(other),
    [tarball]: other,
  });
  const { status, body } = await scene.get(tarball);
  assert.equal(status, 403);
  assert.match(body.toString(), /another archive than the registry promises/);
  assert.ok(!scene.asked.includes(tarball));
  await using same = await npm('required, integrity: asked', {
    [attestations]: attest(),
    '/@acme%2Flib': packument(archive),
  });
  assert.equal((await same.get(tarball)).isWhole, true);
});

for (const [what, files, expected] of [
  ['has none', {}, /has no attestations/],
  ['is in trouble', { [attestations]: 503 }, /attestations, perhaps, that the registry did not send/],
  ['sends a page', { [attestations]: '<html>' }, /of which the list is not JSON/],
  [
    'sends those of another package',
    { [attestations]: attest(archive, {}, 'pkg:npm/other@1.0.0') },
    /no attestation of how/,
  ],
  ['sends one that no log has', { [attestations]: attest(archive, { isLogged: false }) }, /no log says when/],
  [
    'sends one of a certificate that had ended',
    { [attestations]: attest(archive, { certificateFromMs: Date.now() - 7_200_000 }) },
    /did not hold then/,
  ],
] as const)
  test(`where the registry ${what}, the archive is refused with the reason`, async () => {
    await using scene = await npm('required', files);
    const { status, body } = await scene.get(tarball);
    assert.equal(status, 403);
    assert.match(body.toString(), expected);
    assert.ok(!scene.asked.includes(tarball));
  });

test('a rule says from which repositories, and who has to say so', async () => {
  for (const [rule, isAllowed] of [
    ['{ repository: https://github.com/acme/lib }', true],
    ['{ repository: "https://github.com/acme/*" }', true],
    ['{ repository: "https://github.com/**" }', true],
    ['{ repository: [https://github.com/acme/other, https://github.com/acme/li] }', false],
    ['{ repository: "https://github.com/*" }', false],
    [`{ issuer: "${actionsIssuer}" }`, true],
    ['{ issuer: "https://gitlab.com" }', false],
    [`{ issuer: "${actionsIssuer}", repository: "https://github.com/evil/*" }`, false],
  ] as const) {
    await using scene = await npm(rule, { [attestations]: attest() });
    const { status, body } = await scene.get(tarball);
    assert.equal(status, isAllowed ? 200 : 403, rule);
    if (!isAllowed)
      assert.match(body.toString(), /was built from https:\/\/github\.com\/acme\/lib, as https:\/\/token/);
  }
});

test('without a root of trust nothing comes', async () => {
  await using scene = await openRegistryScene(
    'registry: npm, provenance: required',
    serving({ [tarball]: archive, [attestations]: attest() }),
  );
  const { status, body } = await scene.get(tarball);
  assert.equal(status, 403);
  assert.match(body.toString(), /no root of trust \(packageTrust\.sigstore\)/);
  assert.deepEqual(scene.asked, []);
});

test('lists come without versions that name no attestations, and others are asked about one by one', async () => {
  const versions = {
    '1.0.0': {
      name: '@acme/lib',
      version: '1.0.0',
      dist: { attestations: { url: 'https://registry.test/' } },
    },
    '1.1.0': { name: '@acme/lib', version: '1.1.0', dist: { attestations: null } },
    '1.2.0': { name: '@acme/lib', version: '1.2.0', dist: {} },
    '1.2.1': { name: '@acme/lib', version: '1.2.1', dist: { integrity: {}, attestations: [] } },
    '1.3.0': { name: '@acme/lib', version: '1.3.0', attestations: {}, dist: { x: { attestations: {} } } },
  };
  const packument = JSON.stringify({ name: '@acme/lib', 'dist-tags': { latest: '1.3.0' }, versions });
  await using scene = await openRegistryScene(
    'registry: npm, provenance: required',
    (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(packument),
    { provenance },
  );
  const told = JSON.parse((await scene.get('/@acme%2Flib')).body.toString()) as {
    readonly versions: object;
    readonly 'dist-tags': object;
  };
  assert.deepEqual(Object.keys(told.versions), ['1.0.0']);
  assert.deepEqual(told['dist-tags'], { latest: '1.0.0' });
  assert.equal((await scene.get('/@acme/lib/latest')).status, 403);
});

test('files of PyPI are marked that nobody attests, and come where somebody does', async () => {
  const [file, young] = ['lib-1.0-py3-none-any.whl', 'lib-1.1-py3-none-any.whl'];
  const of = (name: string, more: object): object => ({
    filename: name,
    url: `/files/${name}`,
    hashes: { sha256: hex('sha256') },
    ...more,
  });
  const index = {
    name: 'lib',
    files: [of(file, { provenance: 'https://registry.test/' }), of(young, { provenance: null })],
  };
  const bundle = signer.attest({
    subject: [{ name: file, digest: { sha256: hex('sha256') } }],
    predicateType: 'https://docs.pypi.org/attestations/publish/v1',
  });
  const asked = `/integrity/lib/1.0/${file}/provenance`;
  const types: string[] = [];
  const files: Readonly<Record<string, string | Buffer>> = {
    '/simple/lib/': JSON.stringify(index),
    [asked]: pypiProvenance(bundle),
    [`/files/${file}`]: archive,
    [`/files/${file}.metadata`]: 'Metadata-Version: 2.1',
    [`/files/${young}`]: archive,
  };
  await using scene = await openRegistryScene(
    'registry: pypi, provenance: required',
    ({ url = '', headers }, response) => {
      if (url === asked) types.push(headers.accept ?? '');
      const body = files[url];
      const type =
        url === '/simple/lib/' ? 'application/vnd.pypi.simple.v1+json' : 'application/octet-stream';
      const length = Buffer.from(body ?? '').length;
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': type, 'content-length': length });
      response.end(body);
    },
    { provenance },
  );
  const list = await scene.get('/simple/lib/', ['Accept: application/vnd.pypi.simple.v1+json']);
  const told = JSON.parse(list.body.toString()) as {
    readonly files: readonly { readonly yanked?: string }[];
  };
  assert.deepEqual(
    told.files.map(({ yanked }) => yanked),
    [undefined, 'upstreamproxy: it has no provenance'],
  );
  assert.equal((await scene.get(`/files/${file}`)).isWhole, true);
  assert.equal((await scene.get(`/files/${file}.metadata`)).isWhole, true);
  assert.equal((await scene.get(`/files/${young}`)).status, 403);
  assert.deepEqual(types, ['application/vnd.pypi.integrity.v1+json']);
});
