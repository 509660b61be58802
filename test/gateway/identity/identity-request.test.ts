import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, test } from 'node:test';
import { newIdentity, publicIdentityOfDocument } from '../../../src/gateway/identity/identity-document.ts';
import {
  installedAuthority,
  nextAuthority,
  requestedAuthority,
  retiredAuthority,
  switchedAuthority,
} from '../../../src/gateway/identity/identity-rotation.ts';
import { identityOfText, identityText } from '../../../src/gateway/identity/identity-text.ts';
import { placesOf } from '../../../src/gateway/identity/stored-identity.ts';
import { authorityRequest } from '../../../src/pki/certificate-request.ts';
import { splitPemCertificates } from '../../../src/pki/pem.ts';
import { offlineRoot } from '../../support/offline-root.ts';
import { skipWithout } from '../../support/tools.ts';

/** What was just signed is valid from the second in which it was. */
/** What is signed now is valid then, however long these tests take. */
const nowMs = Date.now() + 3_600_000;
const atOnce = { nowMs, atOnce: true, publishedForMs: 120_000 };
const skip = skipWithout('openssl');
const root = skip === false ? offlineRoot() : undefined;
after(() => root?.[Symbol.dispose]());

test('an identity in the store goes below an offline root, and is renewed there', { skip }, async () => {
  assert.ok(root !== undefined);
  let document = newIdentity(nowMs);
  // As every version goes through the store.
  const change = (step: (before: typeof document) => typeof document): void => {
    const read = identityOfText(identityText(step(document)));
    assert.ok(read !== undefined);
    document = read;
  };
  const authority = () =>
    placesOf(() => document)
      .authority('interception')
      .read(nowMs);
  const signed = (): readonly string[] => {
    const { requested } = document.authorities.interception;
    assert.ok(requested !== undefined);
    return [root.sign(authorityRequest(requested)), root.pem].flatMap(splitPemCertificates);
  };
  const { certificatesPem: before } = await authority();

  assert.throws(
    () => change(installedAuthority('interception', [root.pem], { nowMs })),
    /nothing was requested/,
  );
  change(requestedAuthority('interception', false));
  const first = signed();
  change(requestedAuthority('interception', false));
  assert.deepEqual(
    new X509Certificate(first[0] ?? '').publicKey.export({ type: 'spki', format: 'pem' }),
    new X509Certificate(signed()[0] ?? '').publicKey.export({ type: 'spki', format: 'pem' }),
  );
  change(installedAuthority('interception', first, { nowMs }));
  assert.equal((await authority()).certificatesPem, before + root.pem);
  assert.throws(
    () => change(switchedAuthority('interception', { ...atOnce, atOnce: false })),
    /running sessions may lack it/,
  );
  const shared = publicIdentityOfDocument(document).interception;
  change(switchedAuthority('interception', atOnce));
  assert.deepEqual(publicIdentityOfDocument(document).interception.toSorted(), shared.toSorted());
  assert.deepEqual(
    [(await authority()).signerPem, (await authority()).certificatesPem],
    [first[0], root.pem + before],
  );
  change(retiredAuthority('interception'));
  assert.equal((await authority()).certificatesPem, root.pem);
  assert.throws(() => change(nextAuthority('interception', nowMs)), /ca request/);

  change(requestedAuthority('interception', false));
  assert.throws(
    () => change(installedAuthority('interception', first, { nowMs })),
    /none of the certificates/,
  );
  const [renewed = ''] = signed();
  // Its root is published: it signs at once, and nobody has to hear of anything.
  change(installedAuthority('interception', [renewed], { nowMs }));
  const { signerPem, certificatesPem, issue } = await authority();
  assert.deepEqual([signerPem, certificatesPem], [renewed, root.pem]);
  const leaf = new X509Certificate(issue('a.test', nowMs).certificatePem);
  assert.ok(leaf.verify(new X509Certificate(renewed).publicKey));
  assert.deepEqual(document.authorities.interception.certificates, [renewed, root.pem]);
});
