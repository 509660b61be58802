import assert from 'node:assert/strict';
import test from 'node:test';

import { checkOriginCertificate } from '../../src/net/origin-certificate.ts';

const isFor = (host: string, subjectaltname?: string): boolean =>
  checkOriginCertificate(host, { subjectaltname }) === undefined;

test('a name has to stand in the certificate, in any letter case', () => {
  assert.ok(isFor('api.example.com', 'DNS:example.com, DNS:API.example.com'));
  assert.ok(!isFor('api.example.com', 'DNS:example.com'));
  assert.ok(!isFor('example.com', 'DNS:api.example.com'));
});

test('without a subject alternative name nothing matches: the common name does not count', () => {
  const withCommonName = { subject: { CN: 'example.com' }, subjectaltname: undefined };
  assert.equal(checkOriginCertificate('example.com', withCommonName)?.code, 'origin_untrusted');
  assert.ok(!isFor('example.com', ''));
  assert.ok(!isFor('example.com', 'email:example.com, URI:https://example.com'));
});

test('a wildcard stands for exactly one whole label', () => {
  assert.ok(isFor('api.example.com', 'DNS:*.example.com'));
  assert.ok(!isFor('example.com', 'DNS:*.example.com'));
  assert.ok(!isFor('a.b.example.com', 'DNS:*.example.com'));
  for (const pattern of [
    'api*.example.com',
    'a*i.example.com',
    '*pi.example.com',
    'api.*.com',
    '*.*.com',
    '*',
    '*.',
    '**.example.com',
  ]) {
    assert.ok(!isFor('api.example.com', `DNS:${pattern}`), pattern);
  }
});

test('a wildcard on a public suffix matches nothing', () => {
  assert.ok(!isFor('example.com', 'DNS:*.com'));
  assert.ok(!isFor('example.co.uk', 'DNS:*.co.uk'));
  assert.ok(!isFor('example.com.au', 'DNS:*.com.au'));
  assert.ok(!isFor('example.ne.jp', 'DNS:*.ne.jp'));
  assert.ok(isFor('pages.example.io', 'DNS:*.example.io'));
  assert.ok(isFor('a.example.co.uk', 'DNS:*.example.co.uk'));
});

test('an address matches an address entry in any spelling, and never a name or a wildcard', () => {
  assert.ok(isFor('192.0.2.1', 'DNS:example.com, IP Address:192.0.2.1'));
  assert.ok(isFor('2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'));
  assert.ok(!isFor('192.0.2.1', 'DNS:192.0.2.1'));
  assert.ok(!isFor('192.0.2.1', 'DNS:*.0.2.1'));
  assert.ok(!isFor('192.0.2.1', 'IP Address:192.0.2.2'));
  assert.ok(!isFor('a.example.com', 'IP Address:192.0.2.1'));
});

test('a quoted value is one entry, whatever stands inside it', () => {
  assert.ok(!isFor('evil.test', 'DNS:"x, DNS:evil.test", DNS:other.test'));
  assert.ok(!isFor('evil.test', String.raw`DNS:"x\", DNS:evil.test", DNS:other.test`));
  assert.ok(isFor('other.test', 'DNS:"x, DNS:evil.test", DNS:other.test'));
  assert.ok(!isFor('evil.test', 'DNS:"evil.test\\u0000.other.test"'));
});

test('the refusal names the host, and the names of the certificate only to the operator', () => {
  const error = checkOriginCertificate('api.example.com', { subjectaltname: 'DNS:internal.corp.test' });
  assert.match(error?.message ?? '', /api\.example\.com/);
  assert.doesNotMatch(error?.message ?? '', /internal/);
  assert.match(String(error?.cause), /internal\.corp\.test/);
});
