import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  checkClaim,
  checkConfirmation,
  claimResume,
  confirmResume,
  type ResumeAttempt,
  resumeText,
} from '../../src/protocol/resume-proof.ts';

interface Vector {
  readonly name: string;
  readonly side: 'agent' | 'gateway';
  readonly epoch: number;
  readonly receivedBytes: string;
  readonly text: string;
  readonly mac: string;
}

const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const file = JSON.parse(readFileSync(new URL('../vectors/resume-proofs.json', import.meta.url), 'utf8'));
const macBy =
  (secret: Uint8Array) =>
  (text: Uint8Array): Uint8Array =>
    createHmac('sha256', secret).update(text).digest();

describe('vectors', () => {
  for (const { name, side, epoch, receivedBytes, text, mac } of file.vectors as readonly Vector[]) {
    test(name, () => {
      const attempt = { tunnelId: octets(file.tunnelId), challenge: octets(file.challenge), epoch };
      const made = resumeText(side, attempt, BigInt(receivedBytes));
      assert.equal(Buffer.from(made).toString('hex'), text);
      assert.equal(Buffer.from(macBy(octets(file.secret))(made)).toString('hex'), mac);
    });
  }
});

describe('a claim to a tunnel', () => {
  const key = generateKeyPairSync('ed25519');
  const secret = new Uint8Array(32).fill(7);
  const attempt: ResumeAttempt = {
    tunnelId: new Uint8Array(32).fill(1),
    challenge: new Uint8Array(32).fill(2),
    epoch: 3,
  };
  const agent = {
    sign: async (text: Uint8Array) => new Uint8Array(sign(null, text, key.privateKey)),
    mac: macBy(secret),
  };
  const gateway = {
    verify: (text: Uint8Array, signature: Uint8Array) => verify(null, text, key.publicKey, signature),
    mac: macBy(secret),
  };
  const refused = { code: 'resume_refused' };

  test('says how much the agent has', async () => {
    assert.equal(checkClaim(attempt, await claimResume(attempt, 12_345, agent), gateway), 12_345);
  });

  test('is worth nothing for another attempt, challenge, tunnel or count', async () => {
    const claim = await claimResume(attempt, 12_345, agent);
    const others: readonly ResumeAttempt[] = [
      { ...attempt, epoch: 4 },
      { ...attempt, challenge: new Uint8Array(32).fill(9) },
      { ...attempt, tunnelId: new Uint8Array(32).fill(9) },
    ];
    for (const other of others) assert.throws(() => checkClaim(other, claim, gateway), refused);
    assert.throws(() => checkClaim(attempt, { ...claim, receivedBytes: 12_346n }, gateway), refused);
  });

  test('needs both proofs, each octet of them', async () => {
    const claim = await claimResume(attempt, 1, agent);
    for (const length of [0, 32, 64]) {
      const proof = claim.proof.subarray(0, length);
      assert.throws(() => checkClaim(attempt, { ...claim, proof }, gateway), refused);
    }
    for (let at = 0; at < claim.proof.length; at += 1) {
      const proof = Uint8Array.from(claim.proof);
      proof[at]! ^= 1;
      assert.throws(() => checkClaim(attempt, { ...claim, proof }, gateway), refused);
    }
  });

  test('is confirmed by whoever knows the secret, for this attempt and count', () => {
    const mac = macBy(secret);
    const confirmation = confirmResume(attempt, 99, mac);
    assert.equal(checkConfirmation(attempt, confirmation, mac), 99);
    assert.throws(() => checkConfirmation({ ...attempt, epoch: 4 }, confirmation, mac), refused);
    assert.throws(() => checkConfirmation(attempt, { ...confirmation, receivedBytes: 98n }, mac), refused);
    assert.throws(() => checkConfirmation(attempt, confirmation, macBy(new Uint8Array(32))), refused);
    assert.throws(
      () => checkConfirmation(attempt, { ...confirmation, proof: new Uint8Array() }, mac),
      refused,
    );
  });
});
