import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { secretFindings } from '../../../src/cli/gateway/secret-findings.ts';
import { type GatewayConfig, parseGatewayConfig } from '../../../src/gateway/config/config.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const reference = new URL('../../../docs/reference/certificates.md', import.meta.url);

function parse(text: string): GatewayConfig | readonly string[] {
  const result = parseGatewayConfig({ file: 'g', text }, '/etc/gateway');
  return 'problems' in result ? result.problems.map(formatProblem) : result.config;
}

function signedBy(kind: string): GatewayConfig['certificateAuthority']['signedBy'] {
  const config = parse(`certificateAuthority: { signedBy: { certificates: root.pem, ${kind} } }`);
  if (!('certificateAuthority' in config)) assert.fail(config.join('\n'));
  return config.certificateAuthority.signedBy;
}

const server = 'address: https://vault.example.com, auth: { tokenSource: { file: token } }';
const reached = {
  address: 'https://vault.example.com',
  auth: { tokenSource: { file: '/etc/gateway/token' } },
};

test('what signs the authority of a gateway is one of five, with what it needs', () => {
  const common = { certificates: '/etc/gateway/root.pem', lifetimeMs: 86_400_000 };
  assert.deepEqual(signedBy(`vaultPki: { ${server} }`), {
    ...common,
    parent: { kind: 'vaultPki', server: reached, mount: 'pki', issuer: 'default' },
  });
  assert.deepEqual(signedBy(`vaultTransit: { ${server}, key: root, mount: a/b }, lifetimeSeconds: 3600`), {
    ...common,
    lifetimeMs: 3_600_000,
    parent: { kind: 'vaultTransit', server: reached, mount: 'a/b', key: 'root' },
  });
  const keys = 'accessKeyId: { env: ID }, secretAccessKey: { env: KEY }';
  assert.deepEqual(signedBy(`awsKms: { region: eu-west-1, keyId: alias/root, ${keys} }`)?.parent, {
    kind: 'awsKms',
    region: 'eu-west-1',
    keyId: 'alias/root',
    endpoint: 'https://kms.eu-west-1.amazonaws.com',
    accessKeyId: { env: 'ID' },
    secretAccessKey: { env: 'KEY' },
  });
  const key = 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1';
  assert.deepEqual(signedBy(`googleKms: { key: ${key}, accessToken: { file: token } }`)?.parent, {
    kind: 'googleKms',
    key,
    endpoint: 'https://cloudkms.googleapis.com',
    accessToken: { file: '/etc/gateway/token' },
  });
  assert.deepEqual(signedBy('pkcs11: { module: m.so, token: t, key: k, pin: { file: pin } }')?.parent, {
    kind: 'pkcs11',
    module: '/etc/gateway/m.so',
    token: 't',
    key: 'k',
    pin: { file: '/etc/gateway/pin' },
  });
});

test('what does not fit is told: none, two, a path in a mount, a key version that is none, what goes with a file', () => {
  const two = `vaultPki: { ${server} }, pkcs11: { module: m, token: t, key: k, pin: { file: p } }`;
  const told: readonly (readonly [string, RegExp])[] = [
    [
      'signedBy: { certificates: root.pem }',
      /write exactly one of vaultPki, vaultTransit, awsKms, googleKms and pkcs11/,
    ],
    [`signedBy: { certificates: root.pem, ${two} }`, /write exactly one of/],
    [
      `signedBy: { certificates: root.pem, vaultPki: { ${server}, mount: ../sys } }`,
      /write where it is mounted/,
    ],
    [`signedBy: { certificates: root.pem, vaultTransit: { ${server}, key: .. } }`, /write a name of letters/],
    [
      'signedBy: { certificates: r, googleKms: { key: k, accessToken: { file: t } } }',
      /the version of a key/,
    ],
    [
      `passphrase: { file: p }, signedBy: { certificates: r, vaultPki: { ${server} } }`,
      /the key of the authority is in no file/,
    ],
    ['separateProcess: false', /write separateProcess: true, or leave it away/],
  ];
  for (const [text, pattern] of told) {
    const problems = parse(`certificateAuthority: { ${text} }`);
    assert.match(Array.isArray(problems) ? problems.join('\n') : 'it is taken', pattern);
  }
});

test('the blocks of the reference are configurations, and a check finds secrets that are not there', async () => {
  const blocks = [...readFileSync(reference, 'utf8').matchAll(/```yaml\n(certificateAuthority:[^]*?)```/g)];
  assert.ok(blocks.length >= 4);
  for (const [, text = ''] of blocks) assert.ok('certificateAuthority' in parse(text), text);
  const config = parse(`certificateAuthority: { signedBy: { certificates: r, vaultPki: { ${server} } } }`);
  if (!('certificateAuthority' in config)) assert.fail(config.join('\n'));
  const [finding] = await secretFindings(config, {});
  assert.deepEqual(finding?.at, ['certificateAuthority', 'signedBy', 'vaultPki', 'auth', 'tokenSource']);
});
