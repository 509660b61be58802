// What is made of attestations that a registry sends: each that does not hold lets nothing through.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { PackageProvenance } from '../../../src/gateway/packages/package-provenance.ts';
import { SigstoreVerifier } from '../../../src/gateway/packages/sigstore-verifier.ts';
import type { Provenance } from '../../../src/policy/package-provenance.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import {
  actionsIssuer,
  type Bundle,
  npmAttestations,
  pypiProvenance,
  type SigningOptions,
  sigstoreSigner,
  type Statement,
} from '../../support/sigstore-signer.ts';

const signer = sigstoreSigner();
const verifier = await SigstoreVerifier.open(signer.root, 'trusted_root.json');
const archive = Buffer.from('what is in the archive');
const hex = (algorithm: string): string => createHash(algorithm).update(archive).digest('hex');
const about = { registry: 'npm', name: '@acme/lib', version: '1.0.0' } as const;
const statement: Statement = {
  subject: [{ name: 'pkg:npm/%40acme/lib@1.0.0', digest: { sha512: hex('sha512') } }],
  predicateType: 'https://slsa.dev/provenance/v1',
};

const newProvenance = (clock = Date.now): PackageProvenance =>
  new PackageProvenance(verifier, defaultLimits, clock);
const told = async (...bundles: readonly unknown[]): Promise<Provenance> =>
  await newProvenance().verified(Buffer.from(npmAttestations(...bundles)), about);
const why = async (...bundles: readonly unknown[]): Promise<string> => {
  const provenance = await told(...bundles);
  return provenance.kind === 'none' ? provenance.why : provenance.kind;
};

const by = {
  repository: 'https://github.com/acme/lib',
  issuer: actionsIssuer,
  digest: `sha512-${Buffer.from(hex('sha512'), 'hex').toString('base64')}`,
};

test('an attestation by a workflow says from where it was built, and what', async () => {
  assert.deepEqual(await told(signer.attest(statement)), { kind: 'verified', by: [by] });
});

test('one of PyPI is read of the parts that its registry sends', async () => {
  const file = 'acme_lib-1.0-py3-none-any.whl';
  const pypi = { registry: 'pypi', name: 'acme-lib', version: '1.0', file } as const;
  const of = (name: string): Bundle =>
    signer.attest({
      subject: [{ name, digest: { sha256: hex('sha256') } }],
      predicateType: 'https://docs.pypi.org/attestations/publish/v1',
    });
  const verified = async (name: string): Promise<string> =>
    (await newProvenance().verified(Buffer.from(pypiProvenance(of(name))), pypi)).kind;
  assert.equal(await verified(file), 'verified');
  assert.equal(await verified('Acme.Lib-1.0-py3-none-any.whl'), 'verified');
  for (const other of ['acme_lib-1.1-py3-none-any.whl', 'acme_lib-1.0-cp312-none-any.whl', 'other', ''])
    assert.equal(await verified(other), 'none', other);
});

for (const [what, changed] of [
  ['another package', { subject: [{ ...statement.subject[0]!, name: 'pkg:npm/%40acme/other@1.0.0' }] }],
  ['another version', { subject: [{ ...statement.subject[0]!, name: 'pkg:npm/%40acme/lib@1.0.1' }] }],
  ['two packages', { subject: [statement.subject[0]!, statement.subject[0]!] }],
  ['nothing', { subject: [] }],
  ['a digest of another kind', { subject: [{ ...statement.subject[0]!, digest: { sha1: hex('sha1') } }] }],
  ['how it was tested', { predicateType: 'https://in-toto.io/attestation/test-result/v0.1' }],
  ['something that is no statement', { _type: 'https://example.com/' }],
] as const)
  test(`an attestation of ${what} is none of the version`, async () => {
    const bundle = signer.attest({ ...statement, ...changed });
    assert.equal(await why(bundle), 'has no attestation of how it was built');
  });

const other = sigstoreSigner();
for (const [what, bundle, expected] of [
  ['of another authority', other.attest(statement), /certificate that did not hold/],
  [
    'whose certificate ended before it was logged',
    signed({ certificateFromMs: Date.now() - 7_200_000 }),
    /did not hold/,
  ],
  [
    'whose certificate began after it was logged',
    signed({ certificateFromMs: Date.now() + 3_600_000 }),
    /did not hold/,
  ],
  ['that is in no log', signed({ isLogged: false }), /no log says when/],
  ['whose certificate names no repository', signed({ repository: undefined }), /names no repository/],
] as const)
  test(`an attestation ${what} lets nothing through`, async () => {
    assert.match(await why(bundle), expected);
  });

function signed(options: SigningOptions): Bundle {
  return signer.attest(statement, options);
}

test('an attestation that was changed lets nothing through, whichever part of it', async () => {
  const bundle = signer.attest(statement);
  const elsewhere = other.attest(statement);
  const { verificationMaterial: material, dsseEnvelope: envelope } = bundle;
  const [entry] = material.tlogEntries;
  const late = { ...entry, integratedTime: String(Math.floor(Date.now() / 1000) + 5) };
  const changed = Buffer.from(envelope.payload, 'base64')
    .toString()
    .replace('"predicate":{}', '"predicate":{"x":1}');
  const inMaterial = (one: object): object => ({ ...bundle, verificationMaterial: { ...material, ...one } });
  const inEnvelope = (one: object): object => ({ ...bundle, dsseEnvelope: { ...envelope, ...one } });
  for (const one of [
    inEnvelope({ payload: Buffer.from(changed).toString('base64') }),
    inEnvelope({ signatures: elsewhere.dsseEnvelope.signatures }),
    inEnvelope({ signatures: [...envelope.signatures, ...envelope.signatures] }),
    inMaterial({ certificate: elsewhere.verificationMaterial.certificate }),
    inMaterial({ certificate: signer.attest(statement).verificationMaterial.certificate }),
    inMaterial({ tlogEntries: elsewhere.verificationMaterial.tlogEntries }),
    inMaterial({ tlogEntries: signer.attest(statement).verificationMaterial.tlogEntries }),
    inMaterial({ tlogEntries: [late] }),
    inMaterial({ tlogEntries: [{ ...entry, inclusionPromise: undefined }] }),
    inMaterial({ tlogEntries: [entry, entry] }),
    inMaterial({ publicKey: { hint: 'x' }, certificate: undefined }),
  ])
    assert.equal((await told(one)).kind, 'none', JSON.stringify(one).slice(0, 300));
});

test('what is no bundle, or would take room of its own choice, is none', async () => {
  const bundle = signer.attest(statement);
  const { verificationMaterial: material } = bundle;
  const [entry] = material.tlogEntries;
  const many = (count: number): object => ({
    ...bundle,
    verificationMaterial: { ...material, tlogEntries: Array.from({ length: count }, () => entry) },
  });
  const long = { certificate: { rawBytes: { length: 2_000_000_000 } } };
  const hashes = {
    inclusionProof: { ...entry!.inclusionProof, hashes: Array.from({ length: 65 }, () => '') },
  };
  for (const one of [
    null,
    [],
    'x',
    {},
    many(5),
    { ...bundle, verificationMaterial: { ...material, ...long } },
    { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payload: { length: 2_000_000 } } },
    { ...bundle, verificationMaterial: { ...material, tlogEntries: [{ ...entry, ...hashes }] } },
  ])
    assert.equal(await why(one), 'has an attestation that cannot be read');
  assert.match(
    await why(...Array.from({ length: 17 }, () => bundle)),
    /more than 16 attestations \(packageAttestationsMax\)/,
  );
});

test('one that holds counts beside one that does not', async () => {
  assert.equal((await told(other.attest(statement), signer.attest(statement))).kind, 'verified');
});

test('a root of trust without an authority, without a log, or that is none, ends the start', async () => {
  const root = JSON.parse(signer.root) as object;
  for (const one of [
    '',
    '[]',
    '{}',
    { ...root, tlogs: [] },
    { ...root, certificateAuthorities: [] },
    { ...root, mediaType: 'x' },
  ])
    await assert.rejects(
      SigstoreVerifier.open(typeof one === 'string' ? one : JSON.stringify(one), 'trusted_root.json'),
      { code: 'config_invalid' },
    );
});

test('what holds is asked for once, and again after its time; what does not, sooner', async () => {
  let nowMs = 0;
  const provenance = newProvenance(() => nowMs);
  let asked = 0;
  const ask = (one: Provenance) => async (): Promise<Provenance> => {
    asked += 1;
    return await Promise.resolve(one);
  };
  const holds: Provenance = { kind: 'verified', by: [by] };
  await Promise.all([provenance.of('a', ask(holds)), provenance.of('a', ask(holds))]);
  await provenance.of('a', ask(holds));
  assert.equal(asked, 1);
  nowMs = defaultLimits.packageProvenanceAgainMs;
  await provenance.of('a', ask(holds));
  assert.equal(asked, 2);
  await provenance.of('b', ask({ kind: 'none', why: 'x' }));
  nowMs += defaultLimits.publishTimesAgainMs;
  await provenance.of('b', ask({ kind: 'none', why: 'x' }));
  assert.equal(asked, 4);
});

test('who waits for another asks for itself where that one was told nothing', async () => {
  const provenance = newProvenance();
  const failing = provenance.of('a', async () => await Promise.reject(new Error('gone')));
  const waiting = provenance.of('a', async () => await Promise.resolve({ kind: 'verified', by: [by] }));
  await assert.rejects(failing);
  assert.equal((await waiting)?.kind, 'verified');
});

test('no more is remembered than there is room for', async () => {
  const provenance = newProvenance();
  const { packageProvenanceMax: max } = defaultLimits;
  for (let i = 0; i <= max; i++)
    await provenance.of(String(i), async () => await Promise.resolve({ kind: 'none', why: 'x' }));
  assert.equal(provenance.size, max);
});
