import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { checkCertificates, encodePem, pemContents, splitPemCertificates } from '../../src/pki/pem.ts';
import { ProxyError } from '../../src/protocol/error.ts';

const nowMs = Date.now();
const authority = createEphemeralAuthority(nowMs);
const first = authority.certificatesPem;
const second = createEphemeralAuthority(nowMs).certificatesPem;

const refusal = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.code, 'ca_invalid');
  assert.match(error.message, message);
  return true;
};

describe('certificates in PEM', () => {
  test('blocks are split in order, comments and blank lines between them are allowed', () => {
    const text = `# first\n\n${first}\r\n# second\n${second}\n`;
    assert.deepEqual(splitPemCertificates(text), [first, second]);
  });

  test('the line width and the line ends of the text do not matter', () => {
    const base64 = first.replace(/-----[^-]+-----|\n/g, '');
    const odd = `-----BEGIN CERTIFICATE-----\r\n${base64.replace(/.{1,76}/g, '$&\r\n')}-----END CERTIFICATE-----`;
    assert.deepEqual(splitPemCertificates(odd), [first]);
  });

  test('a block gives its DER and DER gives the block', () => {
    assert.equal(encodePem('CERTIFICATE', pemContents(first)), first);
  });

  test('authorities are accepted and given once each', () => {
    assert.deepEqual(checkCertificates(first + second + first), [first, second]);
  });

  for (const [name, text, message] of [
    ['an HTML page', '<!DOCTYPE html><html><body>Sign in</body></html>', /HTML page: is the address/],
    ['an HTML page around a certificate', `<html>\n${first}</html>`, /HTML page/],
    ['JSON', '{"error":"not found"}', /found JSON/],
    ['nothing', '', /is empty/],
    ['white space', ' \n\n', /is empty/],
    ['text before the block', `hello\n${first}`, /other text/],
    ['text behind the block', `${first}hello`, /other text/],
    ['a private key', `${first}${encodePem('PRIVATE KEY', new Uint8Array(9))}`, /private key/],
    ['an EC private key', encodePem('EC PRIVATE KEY', new Uint8Array(9)), /private key/],
    ['another kind of block', encodePem('X509 CRL', new Uint8Array(9)), /not a certificate/],
    ['a block without its end', first.slice(0, -30), /cut off/],
    ['a block of other characters', first.replace('MII', '*II'), /cut off or not base64/],
    ['base64 that is not canonical', first.replace(/\n-----END/, 'A\n-----END'), /not valid base64/],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.throws(() => checkCertificates(text), refusal(message));
    });
  }

  test('a block that is no certificate is refused by its number', () => {
    const block = encodePem('CERTIFICATE', Buffer.from('hello, this is not ASN.1 at all'));
    assert.throws(() => checkCertificates(first + block), refusal(/certificate 2 is not an X\.509/));
  });

  test('bytes behind the certificate in its block are refused', () => {
    const block = encodePem('CERTIFICATE', Buffer.concat([pemContents(first), Buffer.from('extra')]));
    assert.throws(() => checkCertificates(block), refusal(/certificate 1 is not an X\.509/));
  });

  test('a leaf is refused: it is no authority', () => {
    const leaf = authority.issue('api.example.com', nowMs).certificatePem;
    assert.throws(() => checkCertificates(first + leaf), refusal(/certificate 2 .*CA:TRUE/));
  });

  test('the text itself is never in the message', () => {
    const secret = 'c2VjcmV0LXNlY3JldA==';
    for (const text of [
      `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
      `x ${secret}`,
    ]) {
      assert.throws(
        () => checkCertificates(text),
        (error: Error) => !error.message.includes(secret),
      );
    }
  });
});
