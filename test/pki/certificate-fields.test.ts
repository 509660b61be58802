import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { readCertificate } from '../../src/pki/certificate-fields.ts';
import { encodePem, pemContents } from '../../src/pki/pem.ts';

const nowMs = Date.parse('2026-05-06T07:08:09Z');
const authority = createEphemeralAuthority(nowMs);

describe('the fields of a certificate', () => {
  test('are those that were written', () => {
    const fields = readCertificate(pemContents(authority.certificatesPem));
    assert.equal(fields.authority, true);
    assert.equal(fields.signsCertificates, true);
    assert.deepEqual(fields.subject, fields.issuer);
    assert.equal(fields.notBeforeMs, nowMs - 86_400_000);
    assert.equal(fields.subjectKeyId?.length, 20);

    const leaf = readCertificate(pemContents(authority.issue('a.example.com', nowMs).certificatePem));
    assert.equal(leaf.authority, false);
    assert.equal(leaf.signsCertificates, false);
    assert.deepEqual(leaf.issuer, fields.subject);
  });

  test('agree with the reader of the runtime for every root that it ships', () => {
    let compared = 0;
    for (const pem of rootCertificates) {
      const theirs = new X509Certificate(pem);
      const ours = readCertificate(theirs.raw);
      assert.equal(ours.authority, theirs.ca, theirs.subject);
      assert.equal(ours.notBeforeMs, Date.parse(theirs.validFrom), theirs.subject);
      assert.equal(ours.notAfterMs, Date.parse(theirs.validTo), theirs.subject);
      assert.deepEqual(
        ours.publicKeyInfo,
        theirs.publicKey.export({ type: 'spki', format: 'der' }),
        theirs.subject,
      );
      compared++;
    }
    assert.ok(compared > 50, `only ${String(compared)} roots were compared`);
  });

  test('of a certificate cut at any place are refused', () => {
    const whole = pemContents(authority.certificatesPem);
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => readCertificate(whole.subarray(0, length)), RangeError, String(length));
    }
  });

  test('of a certificate with any octet changed give fields or a RangeError, nothing else', () => {
    const whole = pemContents(authority.issue('a.example.com', nowMs).certificatePem);
    for (let index = 0; index < whole.length; index++) {
      for (const octet of [0x00, 0x30, 0x80, 0xff]) {
        const changed = Uint8Array.from(whole);
        changed[index] = octet;
        try {
          readCertificate(changed);
        } catch (error) {
          assert.ok(
            error instanceof RangeError,
            `${String(index)}: ${String(error)} ${encodePem('CERTIFICATE', changed)}`,
          );
        }
      }
    }
  });
});
