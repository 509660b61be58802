import assert from 'node:assert/strict';
import { test } from 'node:test';

import { awsEmulation } from '../../../../src/gateway/credentials/emulation/aws-emulation.ts';

const nowMs = Date.parse('2026-11-28T10:00:00Z');
const emulation = awsEmulation(
  { placeholder: 'placeholder-of-keys', region: 'eu-central-1' },
  'upstreamproxy.invalid',
);

function ask(host: string, path: string, { method = 'GET', ttl }: { method?: string; ttl?: string } = {}) {
  const field = (name: string): string | undefined =>
    name === 'x-aws-ec2-metadata-token-ttl-seconds' ? ttl : undefined;
  return emulation.respond({ method, host, path, query: '', field, body: '', nowMs });
}

const keys = {
  AccessKeyId: 'placeholder-of-keys',
  SecretAccessKey: 'placeholder-of-keys',
  Token: 'placeholder-of-keys',
  LastUpdated: '2026-11-28T10:00:00Z',
  Expiration: '2026-11-28T22:00:00Z',
};

test('containers find placeholders with an end, at the addresses of AWS and at the own name of the gateway', () => {
  for (const [host, path] of [
    ['169.254.170.2', '/v2/credentials/0b2c'],
    ['169.254.170.23', '/v1/credentials'],
    ['upstreamproxy.invalid', '/identity/aws/credentials'],
  ] as const) {
    const response = ask(host, path);
    assert.equal(response?.status, 200);
    assert.equal(response?.type, 'application/json');
    assert.deepEqual(JSON.parse(response?.text ?? ''), keys);
    assert.equal(ask(host, path, { method: 'PUT' })?.status, 405);
  }
  assert.equal(ask('upstreamproxy.invalid', '/identity/google/token'), undefined);
  assert.deepEqual(emulation.variables, {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://upstreamproxy.invalid/identity/aws/credentials',
    AWS_REGION: 'eu-central-1',
    AWS_DEFAULT_REGION: 'eu-central-1',
  });
});

test('a machine finds the same by the metadata service, with and without its token', () => {
  const of = (path: string, asked = {}) => ask('169.254.169.254', path, asked);
  const token = of('/latest/api/token', { method: 'PUT', ttl: '21600' });
  assert.equal(token?.text, 'placeholder-of-keys');
  assert.deepEqual(token?.headers, { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' });
  assert.equal(of('/latest/api/token', { method: 'PUT' })?.status, 400);
  assert.equal(of('/latest/api/token')?.status, 405);
  assert.equal(of('/latest/meta-data/iam/security-credentials/')?.text, 'upstreamproxy');
  assert.deepEqual(JSON.parse(of('/latest/meta-data/iam/security-credentials/upstreamproxy')?.text ?? ''), {
    Code: 'Success',
    Type: 'AWS-HMAC',
    ...keys,
  });
  assert.equal(of('/latest/meta-data/placement/region')?.text, 'eu-central-1');
  for (const path of [
    '/latest/user-data',
    '/latest/meta-data/iam/security-credentials/other',
    '/',
    '/computeMetadata/v1/',
  ])
    assert.equal(of(path), undefined, path);
});
