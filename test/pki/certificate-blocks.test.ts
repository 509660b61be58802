import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { certificateBlocks } from '../../src/pki/certificate-blocks.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const expression =
  /-----BEGIN (?:CERTIFICATE-----[^-]+-----END CERTIFICATE|X509 CERTIFICATE-----[^-]+-----END X509 CERTIFICATE)-----/g;
const pieces = [
  '-----BEGIN CERTIFICATE-----',
  '-----END CERTIFICATE-----',
  '-----BEGIN X509 CERTIFICATE-----',
  '-----END X509 CERTIFICATE-----',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN ',
  'MIIB\n',
  'text ',
  '-',
  '\n',
];

test('the blocks are those that an expression finds, whatever stands around them', () => {
  let found = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), (parts) => {
      const text = parts.join('');
      const expected = text.match(expression) ?? [];
      found += expected.length;
      assert.deepEqual(certificateBlocks(text), expected);
    }),
    { seed: 12, numRuns: 20_000 },
  );
  assert.ok(found > 500, `${found} blocks were there to be found`);
});

test('each certificate of a bundle is one block', () => {
  const [one, other] = [createTestAuthority().caPem.trim(), createTestAuthority().caPem.trim()];
  assert.deepEqual(certificateBlocks(`# the first\n${one}\r\n\r\n${other}\n`), [one, other]);
});
