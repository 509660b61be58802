import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  authorityToBeSigned,
  authorityValidity,
  commonNameOf,
  type Issuer,
  keyIdentifier,
  leafToBeSigned,
  leafValidity,
  publicKeyInfo,
  signatureOf,
} from '../../src/pki/certificate-profile.ts';
import { checkedLeaf, type LeafBounds } from '../../src/pki/checked-leaf.ts';
import { derInteger, derSequence, readDerElement, readDerElements } from '../../src/pki/der.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { seeded } from '../support/seeded.ts';

const nowMs = Date.parse('2026-05-06T07:08:09Z');
const dayMs = 86_400_000;
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const authorityKey = newKey();
const issuerSpki = publicKeyInfo(authorityKey);
const issuer: Issuer = {
  name: commonNameOf('test'),
  keyId: keyIdentifier(issuerSpki),
  algorithm: signatureOf(authorityKey).algorithm,
  ...authorityValidity(nowMs),
};
const bounds: LeafBounds = { issuer, issuerSpki, names: [], nowMs };
const leafSpki = publicKeyInfo(newKey());

interface Asked {
  readonly names?: readonly string[];
  readonly spki?: Uint8Array;
  readonly use?: 'server' | 'peer';
  readonly from?: Issuer;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly serial?: Uint8Array;
}

function asked({
  names = ['a.test'],
  spki = leafSpki,
  from = issuer,
  serial,
  ...rest
}: Asked = {}): Uint8Array {
  const request = { names, spki, keyId: keyIdentifier(spki), ...leafValidity(issuer, nowMs), ...rest };
  return leafToBeSigned(from, request, ...(serial === undefined ? [] : [serial]));
}

function refusal(text: Uint8Array, more: Partial<LeafBounds> = {}): string {
  try {
    return `signed for ${checkedLeaf(text, { ...bounds, ...more })}`;
  } catch (error) {
    if (!(error instanceof ProxyError) || error.code !== 'signing_refused') throw error;
    return error.message.replace('the signer of the authority did not sign: ', '');
  }
}

describe('what the signer of an authority signs', () => {
  test('is a leaf for one host or address, as this program writes it', () => {
    for (const host of ['a.test', '_dmarc.a-b.test', '192.0.2.1', '2001:db8:0:0:0:0:0:1'])
      assert.equal(checkedLeaf(asked({ names: [host] }), bounds), host);
  });

  test('is never an authority, nor another issuer, key, use, number of names or serial', () => {
    const authority = authorityToBeSigned(issuer, {
      ...authorityValidity(nowMs),
      subject: issuer.name,
      spki: leafSpki,
      keyId: keyIdentifier(leafSpki),
    });
    const p384 = publicKeyInfo(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey);
    const rsa = publicKeyInfo(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    const other = 'it is not a leaf of this authority as this program writes it';
    const key = 'its key is not on P-256';
    assert.deepEqual(
      [
        refusal(authority),
        refusal(asked({ names: ['a.test', 'b.test'] })),
        refusal(asked({ use: 'peer' })),
        refusal(asked({ from: { ...issuer, name: commonNameOf('other') } })),
        refusal(asked({ from: { ...issuer, keyId: new Uint8Array(20) } })),
        refusal(asked({ from: { ...issuer, algorithm: signatureOf(newAlgorithmKey()).algorithm } })),
        refusal(asked({ spki: issuerSpki })),
        refusal(asked({ spki: p384 })),
        refusal(asked({ spki: rsa })),
        refusal(asked({ serial: Uint8Array.of(5) })),
        refusal(Buffer.alloc(3000, 0x30)),
        refusal(Buffer.from('hello')),
        refusal(new Uint8Array()),
      ],
      [
        'it is not a certificate',
        'it is not a certificate',
        other,
        other,
        other,
        other,
        'its key is that of the authority',
        key,
        key,
        'it is not a certificate',
        'it is longer than a leaf is',
        'it is not a certificate',
        'it is not a certificate',
      ],
    );
  });

  test('has the time of a leaf', () => {
    const wrong = 'its validity is not within that of its issuer and of a leaf';
    const ended = { ...bounds, issuer: { ...issuer, notAfterMs: nowMs + dayMs } };
    assert.deepEqual(
      [
        refusal(asked({ notAfterMs: nowMs + 31 * dayMs })),
        refusal(asked({ notBeforeMs: nowMs - dayMs / 2 })),
        refusal(asked({ notBeforeMs: nowMs + dayMs, notAfterMs: nowMs + dayMs })),
        refusal(asked(), ended),
        refusal(asked({ notAfterMs: nowMs + dayMs }), ended),
      ],
      [wrong, wrong, wrong, wrong, 'signed for a.test'],
    );
  });

  test('is for the names of the configuration alone', () => {
    const names = ['example.com'];
    const hosts = ['example.com', 'a.example.com', 'example.com.test', 'notexample.com', '192.0.2.1'];
    assert.deepEqual(
      hosts.map((host) => refusal(asked({ names: [host] }), { names })),
      [
        'signed for example.com',
        'signed for a.example.com',
        ...hosts.slice(2).map((host) => `${host} lies outside of certificateAuthority.names`),
      ],
    );
  });

  test('is the same octets that were read: whatever is changed in a leaf, it is refused or still a leaf', () => {
    const random = seeded(22);
    const text = asked();
    let signed = 0;
    for (let round = 0; round < 3000; round++) {
      const changed = Buffer.from(text);
      const at = Math.floor(random() * changed.length);
      changed[at] = Math.floor(random() * 256);
      const outcome = refusal(changed);
      if (!outcome.startsWith('signed for ')) continue;
      signed++;
      // A serial, a letter of the host, a digit of the time, the key with its id: what a leaf may have.
      const host = outcome.replace('signed for ', '');
      const [, serial, , , , , key] = readDerElements(readDerElement(changed, 0x30).contents);
      const again = {
        names: [host],
        serial: serial?.contents ?? Buffer.of(),
        spki: key?.whole ?? Buffer.of(),
      };
      assert.equal(again.serial.length, 16);
      assert.ok(sign('sha256', changed, authorityKey).length > 0);
      assert.equal(checkedLeaf(changed, bounds), host);
    }
    assert.ok(signed < 600, `${signed} of 3000`);
  });

  test('has nothing behind it, and no length that is not the shortest', () => {
    const text = Buffer.from(asked());
    assert.equal(refusal(Buffer.concat([text, Buffer.of(0)])), 'it is not a certificate');
    const inner = readDerElement(text, 0x30).contents;
    const long = Buffer.concat([Buffer.of(0x30, 0x83, 0, inner.length >> 8, inner.length & 0xff), inner]);
    assert.equal(refusal(long), 'it is not a certificate');
    const more = derSequence(inner, derInteger(Uint8Array.of(1)));
    assert.match(refusal(more), /^it is not a/);
  });
});

function newAlgorithmKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
}
