// Authorities whose keys are in services, before services built from the published APIs: Vault's PKI and Transit, AWS KMS, Cloud KMS.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import { awsKmsParent, googleKmsParent } from '../../../src/gateway/custody/kms-parents.ts';
import type { Parent } from '../../../src/gateway/custody/parent.ts';
import { RollingCustodian } from '../../../src/gateway/custody/rolling-custodian.ts';
import { vaultPkiParent, vaultTransitParent } from '../../../src/gateway/custody/vault-parents.ts';
import { AwsKeySet } from '../../../src/gateway/credentials/sigv4/aws-keys.ts';
import type { CredentialSource } from '../../../src/gateway/credentials/sources/credential-source.ts';
import type { VaultRequest } from '../../../src/gateway/credentials/vault/vault-client.ts';
import type { ServiceFetch, ServiceResponse } from '../../../src/gateway/forward/service-fetch.ts';
import { derTag, readDerElement, readDerElements } from '../../../src/pki/der.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { pemContents } from '../../../src/pki/pem.ts';
import { Sha256 } from '../credentials/support/verifying-origin.ts';
import { type ParentRoot, parentRoot } from './support/parent-root.ts';

const nowMs = Date.now();
const root = parentRoot(nowMs);
const source = (value: string): CredentialSource => ({ read: async () => new Secret(value) });
const json = (value: unknown, status = 200): ServiceResponse => ({ status, text: JSON.stringify(value) });

/** What a custodian makes of it: the number of certificates that go along, or what is wrong. */
async function outcome(parent: Parent, names: readonly string[] = []): Promise<string> {
  await using custodian = new RollingCustodian({
    parent,
    certificates: async () => [root.pem],
    names,
    lifetimeMs: 86_400_000,
    clock: () => nowMs,
  });
  await custodian.look();
  return custodian.fault?.message ?? `signs with ${custodian.held[0]?.certificates.length} certificates`;
}

const asked = (body: unknown): Readonly<Record<string, unknown>> => {
  // Our own JSON.
  return JSON.parse(typeof body === 'string' ? body : '{}') as Readonly<Record<string, unknown>>;
};

test('a key of AWS KMS signs a digest, by a request whose signature AWS takes', async () => {
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'very secret', sessionToken: 'token' };
  const signer = new SignatureV4({
    credentials,
    region: 'eu-central-1',
    service: 'kms',
    sha256: Sha256,
    uriEscapePath: true,
  });
  let status = 200;
  const fetch: ServiceFetch = async (url, { method, headers, body }) => {
    const { authorization, ...rest } = headers;
    const { hostname, host } = new URL(url);
    const expected = await signer.sign(
      { method, protocol: 'https:', hostname, path: '/', headers: { ...rest, host }, body, query: {} },
      {
        signingDate: new Date(Math.floor(nowMs / 1000) * 1000),
        unsignableHeaders: new Set(['x-amz-content-sha256']),
      },
    );
    assert.equal(authorization, expected.headers['authorization']);
    assert.deepEqual(
      [url, headers['x-amz-target'], headers['content-type']],
      ['https://kms.eu-central-1.amazonaws.com/', 'TrentService.Sign', 'application/x-amz-json-1.1'],
    );
    const { KeyId, Message, MessageType, SigningAlgorithm } = asked(body);
    assert.deepEqual(
      [KeyId, MessageType, SigningAlgorithm],
      ['alias/root', 'DIGEST', 'RSASSA_PKCS1_V1_5_SHA_256'],
    );
    if (status !== 200) return json({ __type: 'DisabledException', message: 'key is disabled' }, status);
    const signature = root.signDigest(Buffer.from(String(Message), 'base64'));
    return json({ KeyId, SigningAlgorithm, Signature: Buffer.from(signature).toString('base64') });
  };
  const keys = new AwsKeySet('test', {
    keyId: source(credentials.accessKeyId),
    secret: source(credentials.secretAccessKey),
    token: source(credentials.sessionToken),
  });
  const parent = awsKmsParent({
    region: 'eu-central-1',
    keyId: 'alias/root',
    endpoint: 'https://kms.eu-central-1.amazonaws.com',
    keys,
    fetch,
    clock: () => nowMs,
  });
  assert.equal(await outcome(parent), 'signs with 2 certificates');
  assert.equal(await outcome(parent, ['example.com']), 'signs with 2 certificates');
  status = 400;
  assert.equal(
    await outcome(parent),
    'AWS KMS eu-central-1 (alias/root) gave no intermediate: it did not sign: status 400 DisabledException: key is disabled',
  );
});

test('a version of a key of Cloud KMS signs a digest', async () => {
  const key = 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1';
  let status = 200;
  const fetch: ServiceFetch = async (url, { headers, body }) => {
    assert.equal(url, `https://cloudkms.googleapis.com/v1/${key}:asymmetricSign`);
    assert.equal(headers['authorization'], 'Bearer ya29.token');
    if (status !== 200) return json({ error: { code: 403, message: 'Permission denied' } }, status);
    const { digest } = asked(body) as { readonly digest: { readonly sha256: string } };
    const signature = Buffer.from(root.signDigest(Buffer.from(digest.sha256, 'base64'))).toString('base64');
    return json({ signature, name: key });
  };
  const parent = googleKmsParent({
    key,
    endpoint: 'https://cloudkms.googleapis.com',
    source: source('ya29.token'),
    fetch,
    clock: () => nowMs,
  });
  assert.equal(await outcome(parent), 'signs with 2 certificates');
  status = 403;
  assert.match(await outcome(parent), /it did not sign: status 403 Permission denied$/);
});

/** A client of Vault that has logged in, before what is given. */
function vault(respond: (request: VaultRequest) => ServiceResponse) {
  return {
    host: 'vault.test:8200',
    use: () => undefined,
    ask: async (request: VaultRequest) => respond(request),
  };
}

test('a key of Vault Transit signs a digest', async () => {
  const client = vault(({ method, path, body = {} }) => {
    assert.deepEqual([method, path], ['POST', 'transit/sign/root/sha2-256']);
    const { input, ...rest } = body;
    assert.deepEqual(rest, {
      prehashed: true,
      marshaling_algorithm: 'asn1',
      signature_algorithm: 'pkcs1v15',
    });
    const signature = Buffer.from(root.signDigest(Buffer.from(String(input), 'base64'))).toString('base64');
    return json({ data: { signature: `vault:v1:${signature}`, key_version: 1 } });
  });
  const parent = vaultTransitParent(client, { mount: 'transit', key: 'root' }, () => nowMs);
  assert.equal(await outcome(parent), 'signs with 2 certificates');
  const refusing = vault(() => json({ errors: ['permission denied'] }, 403));
  assert.match(
    await outcome(vaultTransitParent(refusing, { mount: 'transit', key: 'root' }, () => nowMs)),
    /did not sign \(status 403, permission denied\)$/,
  );
});

test('the PKI of Vault signs a request, and what it gives is judged', async () => {
  const certified = pkiOf(root);
  const client = vault(certified.respond);
  const parent = vaultPkiParent(client, { mount: 'pki', issuer: 'default' }, () => nowMs);
  assert.equal(await outcome(parent), 'signs with 2 certificates');
  assert.equal(await outcome(parent, ['example.com']), 'signs with 2 certificates');
  const [, bounded] = certified.asked;
  assert.deepEqual(
    [
      bounded?.['use_csr_values'],
      bounded?.['max_path_length'],
      bounded?.['ttl'],
      bounded?.['permitted_dns_domains'],
    ],
    [true, 0, '86400s', ['example.com']],
  );
  // Another root than that of the configuration comes along: it is not published.
  const stranger = pkiOf(parentRoot(nowMs));
  const other = vaultPkiParent(vault(stranger.respond), { mount: 'pki', issuer: 'default' }, () => nowMs);
  assert.match(
    await outcome(other),
    /signed below a root that is not in certificateAuthority\.signedBy\.certificates$/,
  );
  const odd = vaultPkiParent(
    vault(() => json({ data: { certificate: 'hello' } })),
    { mount: 'pki', issuer: 'x' },
    () => nowMs,
  );
  assert.match(await outcome(odd), /its response has what is not a certificate$/);
});

test('the intermediate that Vault gives for another key is refused', async () => {
  const certified = pkiOf(root);
  const kept: ServiceResponse[] = [];
  const client = vault((request) => {
    kept.push(certified.respond(request));
    // That of the first request, each time.
    return kept[0] ?? json({}, 500);
  });
  const parent = vaultPkiParent(client, { mount: 'pki', issuer: 'default' }, () => nowMs);
  assert.equal(await outcome(parent), 'signs with 2 certificates');
  assert.match(await outcome(parent), /none of the certificates is of the key that was requested/);
});

/** As the PKI engine signs with `use_csr_values`: subject, key and extensions of the request, times of its own. */
function pkiOf(parent: ParentRoot) {
  const seen: Readonly<Record<string, unknown>>[] = [];
  const respond = ({ path, body = {} }: VaultRequest): ServiceResponse => {
    assert.equal(path, 'pki/issuer/default/sign-intermediate');
    seen.push(body);
    const [info] = readDerElements(
      readDerElement(pemContents(String(body['csr'])), derTag.sequence).contents,
    );
    const [, subject, spki, attributes] = readDerElements(info?.contents ?? Buffer.of());
    const [attribute] = readDerElements(attributes?.contents ?? Buffer.of());
    const values = readDerElements(attribute?.contents ?? Buffer.of())[1];
    const [extensions] = readDerElements(values?.contents ?? Buffer.of());
    const certificate = parent.certify({
      subject: subject?.whole ?? Buffer.of(),
      spki: spki?.whole ?? Buffer.of(),
      extensions: readDerElements(extensions?.contents ?? Buffer.of()).map(({ whole }) => whole),
      notBeforeMs: nowMs - 3_600_000,
      notAfterMs: nowMs + Number.parseInt(String(body['ttl']), 10) * 1000,
    });
    return json({
      data: { certificate, issuing_ca: parent.pem, ca_chain: [parent.pem], serial_number: '1' },
    });
  };
  return { asked: seen, respond };
}
