import assert from 'node:assert/strict';
import { X509Certificate, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  authorityCertificate,
  authorityValidity,
  commonNameOf,
  keyIdentifier,
  leafCertificate,
  leafValidity,
  publicKeyInfo,
} from '../../src/pki/certificate-profile.ts';
import type { Signer } from '../../src/pki/certificate-profile.ts';
import { ProxyError } from '../../src/protocol/error.ts';

const nowMs = Date.parse('2026-05-06T07:08:09Z');
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function signerOf(key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey): Signer {
  return {
    key,
    name: commonNameOf('test'),
    keyId: keyIdentifier(publicKeyInfo(key)),
    ...authorityValidity(nowMs),
  };
}

function leafOf(names: readonly string[], signer = signerOf()): X509Certificate {
  const spki = publicKeyInfo(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  const request = { names, spki, keyId: keyIdentifier(spki), ...leafValidity(signer, nowMs) };
  return new X509Certificate(leafCertificate(signer, request));
}

describe('the profile of a leaf', () => {
  test('has exactly the name in its SAN and an empty subject', () => {
    const leaf = leafOf(['api.example.com']);
    assert.equal(leaf.subjectAltName, 'DNS:api.example.com');
    assert.equal(leaf.subject ?? '', '');
    assert.equal(leaf.checkHost('api.example.com'), 'api.example.com');
    assert.equal(leaf.checkHost('www.api.example.com'), undefined);
    assert.equal(leaf.checkHost('example.com'), undefined);
  });

  test('has addresses as addresses', () => {
    assert.equal(leafOf(['192.0.2.7']).subjectAltName, 'IP Address:192.0.2.7');
    assert.equal(leafOf(['192.0.2.7']).checkIP('192.0.2.7'), '192.0.2.7');
    assert.equal(leafOf(['2001:db8::7']).checkIP('2001:db8::7'), '2001:db8::7');
    assert.equal(leafOf(['::ffff:192.0.2.7']).subjectAltName, 'IP Address:0:0:0:0:0:FFFF:C000:207');
    assert.equal(leafOf(['a.test', '::1']).subjectAltName, 'DNS:a.test, IP Address:0:0:0:0:0:0:0:1');
  });

  test('serves TLS servers only and is no authority', () => {
    const leaf = leafOf(['api.example.com']);
    assert.equal(leaf.ca, false);
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  });

  for (const name of [
    '',
    'API.example.com',
    'api.example.com.',
    '*.example.com',
    '.example.com',
    'a..example.com',
    '-a.example.com',
    'a-.example.com',
    'a b.example.com',
    'a\0.example.com',
    'bücher.example',
    '[::1]',
    'fe80::1%eth0',
    `${'a'.repeat(64)}.example.com`,
    `${'a.'.repeat(127)}aaaa`,
    'a.example.com\n',
  ]) {
    test(`is not made for ${JSON.stringify(name.slice(0, 40))}`, () => {
      assert.throws(
        () => leafOf([name]),
        (error: unknown) => error instanceof ProxyError && error.code === 'authority_malformed',
      );
    });
  }

  test('allows what real hosts are called', () => {
    for (const name of [
      'localhost',
      'xn--bcher-kva.example',
      '_dmarc.a_b.example.com',
      `${'a'.repeat(63)}.test`,
      '1.example',
    ]) {
      assert.equal(leafOf([name]).subjectAltName, `DNS:${name}`);
    }
  });

  test('is valid since an hour, for 30 days at most, and inside the authority', () => {
    const signer = { notBeforeMs: nowMs - dayMs, notAfterMs: nowMs + 3650 * dayMs };
    assert.deepEqual(leafValidity(signer, nowMs), {
      notBeforeMs: nowMs - hourMs,
      notAfterMs: nowMs + 30 * dayMs,
    });
    const young = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + dayMs };
    assert.deepEqual(leafValidity(young, nowMs), young);
  });

  test('has serial numbers of 128 bits that differ', () => {
    const signer = signerOf();
    const serials = new Set(Array.from({ length: 50 }, () => leafOf(['a.test'], signer).serialNumber));
    assert.equal(serials.size, 50);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
  });
});

describe('signatures', () => {
  for (const [name, key] of [
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ] as const) {
    test(`of a ${name} authority verify`, () => {
      const signer = signerOf(key);
      const root = new X509Certificate(authorityCertificate(signer));
      assert.equal(root.verify(root.publicKey), true);
      assert.equal(root.ca, true);
      const leaf = leafOf(['a.test'], signer);
      assert.equal(leaf.verify(root.publicKey), true);
      assert.equal(leaf.checkIssued(root), true);
    });
  }

  test('of kinds of keys that clients do not take are not made', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    assert.throws(
      () => authorityCertificate(signerOf(privateKey)),
      (error: unknown) => error instanceof ProxyError && error.code === 'ca_key_unusable',
    );
  });
});
