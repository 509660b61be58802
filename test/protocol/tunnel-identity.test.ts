import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { PlainMode } from '../../src/protocol/frame.ts';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import { type Challenge, type Identify, linkProofText } from '../../src/protocol/link-proof.ts';
import { checkIdentity, identify } from '../../src/protocol/tunnel-identity.ts';

interface Vector {
  readonly name: string;
  readonly origin: string;
  readonly tunnelId: string;
  readonly challenge: string;
  readonly exporter: string;
  readonly modes: readonly PlainMode[];
  readonly text: string;
  readonly signature: string;
  readonly frame: string;
}

const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const file = JSON.parse(readFileSync(new URL('../vectors/tunnel-proofs.json', import.meta.url), 'utf8'));

describe('vectors', () => {
  for (const vector of file.vectors as readonly Vector[]) {
    test(vector.name, () => {
      const { origin, modes } = vector;
      const [tunnelId, challenge] = [octets(vector.tunnelId), octets(vector.challenge)];
      const [exporter, signature] = [octets(vector.exporter), octets(vector.signature)];
      const text = linkProofText('tunnel', { origin, tunnelId, challenge, exporter, modes });
      assert.equal(Buffer.from(text).toString('hex'), vector.text);
      const frame: Identify = { type: 'identify', signature, exporter, modes, origin };
      assert.equal(Buffer.from(encodeFrame(frame)).toString('hex'), vector.frame);
      const key = createPublicKey({
        key: { kty: 'OKP', crv: 'Ed25519', x: file.sessionKey as string },
        format: 'jwk',
      });
      checkIdentity({ type: 'challenge', challenge, tunnelId }, frame, {
        isOwnOrigin: (one) => one === origin,
        verify: (signed, by) => verify(null, signed, key, by),
      });
    });
  }
});

const origin = 'https://gateway.test';
const session = generateKeyPairSync('ed25519');
const challengeOf = (fill: number, id = 1): Challenge => ({
  type: 'challenge',
  challenge: new Uint8Array(32).fill(fill),
  tunnelId: new Uint8Array(24).fill(id),
});
const exporter = new Uint8Array(32).fill(5);
const agent = {
  origin,
  exporter,
  modes: ['http1', 'http2'] as const,
  sign: async (text: Uint8Array) => new Uint8Array(sign(null, text, session.privateKey)),
};
const by = {
  isOwnOrigin: (one: string) => one === origin,
  verify: (text: Uint8Array, signature: Uint8Array) => verify(null, text, session.publicKey, signature),
};

test('an identity is good for its challenge, tunnel and origin, and for what it says', async () => {
  const challenge = challengeOf(1);
  const identity = await identify(challenge, agent);
  checkIdentity(challenge, identity, by);
  const refused = (at: Challenge, frame: Identify): void =>
    assert.throws(() => checkIdentity(at, frame, by), { code: 'proof_invalid' });
  refused(challengeOf(2), identity);
  refused(challengeOf(1, 2), identity);
  refused(challenge, { ...identity, modes: ['http1'] });
  refused(challenge, { ...identity, modes: [] });
  refused(challenge, { ...identity, exporter: new Uint8Array(32).fill(6) });
  refused(challenge, { ...identity, exporter: new Uint8Array() });
  refused(challenge, { ...identity, signature: new Uint8Array(64) });
  const elsewhere = await identify(challenge, { ...agent, origin: 'https://evil.test' });
  refused(challenge, elsewhere);
  refused(challenge, { ...elsewhere, origin });
});

test('what was signed for modes alone identifies nobody, and the other way round', async () => {
  const { challenge, tunnelId } = challengeOf(1);
  const facts = { origin, tunnelId, challenge, exporter, modes: agent.modes };
  const signature = await agent.sign(linkProofText('agent', facts));
  const identity: Identify = { type: 'identify', signature, exporter, modes: agent.modes, origin };
  assert.throws(() => checkIdentity(challengeOf(1), identity, by), { code: 'proof_invalid' });
  const proof = await identify(challengeOf(1), agent);
  assert.equal(by.verify(linkProofText('agent', facts), proof.signature), false);
});
