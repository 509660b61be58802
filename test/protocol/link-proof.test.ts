import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { PlainMode } from '../../src/protocol/frame.ts';
import { decodeLinkFrame } from '../../src/protocol/link-frames.ts';
import { identify } from '../../src/protocol/tunnel-identity.ts';
import { LinkProver, linkProofText, LinkVerifier } from '../../src/protocol/link-proof.ts';

interface Vector {
  readonly name: string;
  readonly signer: 'agent' | 'gateway';
  readonly origin: string;
  readonly tunnelId: string;
  readonly challenge: string;
  readonly exporter: string;
  readonly modes: readonly PlainMode[];
  readonly text: string;
  readonly signature: string;
}

const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const file = JSON.parse(readFileSync(new URL('../vectors/link-proofs.json', import.meta.url), 'utf8'));

describe('vectors', () => {
  for (const vector of file.vectors as readonly Vector[]) {
    test(vector.name, () => {
      const { signer, origin, tunnelId, challenge, exporter, modes } = vector;
      const facts = { origin, tunnelId: octets(tunnelId), challenge: octets(challenge) };
      const text = linkProofText(signer, { ...facts, exporter: octets(exporter), modes });
      assert.equal(Buffer.from(text).toString('hex'), vector.text);
      const x: string = signer === 'agent' ? file.sessionKey : file.linkKey;
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
      assert.equal(verify(null, text, key, octets(vector.signature)), true);
    });
  }
});

const origin = 'https://gateway.test';
const session = generateKeyPairSync('ed25519');
const gateway = generateKeyPairSync('ed25519');
const value = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

interface Ends {
  readonly prover: LinkProver;
  readonly verifier: LinkVerifier;
}

/** Both ends of one tunnel, with what each sees of its link. */
function ends(
  options: { agentSees?: number; gatewaySees?: number; dialled?: string; challenge?: number } = {},
): Ends {
  const { agentSees = 1, gatewaySees = 1, dialled = origin, challenge = 9 } = options;
  return {
    prover: new LinkProver({
      origin: dialled,
      exporter: value(agentSees),
      sign: async (text) => sign(null, text, session.privateKey),
      verify: (text, signature) => verify(null, text, gateway.publicKey, signature),
    }),
    verifier: new LinkVerifier({
      challenge: value(challenge),
      tunnelId: new Uint8Array(16),
      exporter: value(gatewaySees),
      isOwnOrigin: (one) => one === origin,
      verify: (text, signature) => verify(null, text, session.publicKey, signature),
      sign: (text) => sign(null, text, gateway.privateKey),
    }),
  };
}

async function agree({ prover, verifier }: Ends): Promise<void> {
  prover.conclude(verifier.receive(await prover.prove(verifier.challenge)));
}

test('both ends of one TLS connection agree on the modes, and on none before', async () => {
  const both = ends();
  assert.deepEqual([both.prover.modes, both.verifier.allows('http1')], [[], false]);
  await agree(both);
  assert.equal(both.prover.state, 'proven');
  assert.deepEqual(both.prover.modes, ['http1', 'http2']);
  assert.deepEqual([both.verifier.allows('http1'), both.verifier.allows('http2')], [true, true]);
});

test('two TLS connections agree on nothing, at either end', async () => {
  const both = ends({ agentSees: 1, gatewaySees: 2 });
  await agree(both);
  // The reply is about another value than the agent's, so that it cannot say a word about this link.
  assert.deepEqual([both.prover.state, both.prover.modes], ['forged', []]);
  assert.equal(both.verifier.allows('http1'), false);
});

test('an origin that is none of the gateway is no proof', async () => {
  const both = ends({ dialled: 'https://elsewhere.test' });
  await agree(both);
  assert.deepEqual([both.prover.state, both.prover.modes], ['refused', []]);
  assert.equal(both.verifier.allows('http1'), false);
});

test('a reply that is changed, or from another tunnel, switches no mode on', async () => {
  const both = ends();
  const reply = both.verifier.receive(await both.prover.prove(both.verifier.challenge));
  const refusing = ends({ dialled: 'https://elsewhere.test' });
  const refusal = refusing.verifier.receive(await refusing.prover.prove(refusing.verifier.challenge));
  const earlier = ends({ challenge: 8 });
  const kept = earlier.verifier.receive(await earlier.prover.prove(earlier.verifier.challenge));
  for (const [forged, dialled] of [
    [{ ...reply, modes: ['http1'] as const }, origin],
    [{ ...refusal, modes: reply.modes }, 'https://elsewhere.test'],
    [kept, origin],
    // What the agent signed itself is no reply.
    [{ ...reply, signature: (await ends().prover.prove(ends().verifier.challenge)).signature }, origin],
  ] as const) {
    const { prover, verifier } = ends({ dialled });
    await prover.prove(verifier.challenge);
    prover.conclude(forged);
    assert.deepEqual([prover.state, prover.modes], ['forged', []]);
  }
});

test('a proof that is kept and sent again, or changed, is none', async () => {
  const earlier = ends({ challenge: 8 });
  const kept = await earlier.prover.prove(earlier.verifier.challenge);
  const { verifier } = ends();
  assert.deepEqual(verifier.receive(kept).modes, []);
  assert.equal(verifier.allows('http1'), false);
  const fresh = ends();
  const proof = await fresh.prover.prove(fresh.verifier.challenge);
  assert.deepEqual(fresh.verifier.receive({ ...proof, modes: ['http1'] }).modes, []);
});

test('who identifies itself agrees on modes with the same signature, where both ends see one TLS connection', async () => {
  const sign64 = async (text: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(sign(null, text, session.privateKey));
  for (const [gatewaySees, exporter, modes, state] of [
    [1, value(1), ['http1', 'http2'], 'proven'],
    [1, value(1), ['http2'], 'proven'],
    [2, value(1), ['http1', 'http2'], 'forged'],
    // A word of the gateway's value that the agent does not have.
    [1, new Uint8Array(), ['http1', 'http2'], 'refused'],
  ] as const) {
    const { prover, verifier } = ends({ gatewaySees });
    const identity = await identify(verifier.challenge, { origin, exporter, modes, sign: sign64 });
    prover.challenged(verifier.challenge);
    prover.conclude(verifier.identified(identity));
    assert.equal(prover.state, state);
    for (const mode of ['http1', 'http2'] as const) {
      const isAgreed = state === 'proven' && (modes as readonly string[]).includes(mode);
      assert.equal(verifier.allows(mode), isAgreed);
      assert.equal(prover.modes.includes(mode), isAgreed);
    }
    const proof = await ends().prover.prove(verifier.challenge);
    assert.throws(() => verifier.receive(proof), { code: 'frame_unexpected' });
  }
});

test('each frame comes once and in its order, or ends the tunnel', async () => {
  const unexpected = { name: 'ProxyError', code: 'frame_unexpected' };
  const both = ends();
  const proof = await both.prover.prove(both.verifier.challenge);
  await assert.rejects(both.prover.prove(both.verifier.challenge), unexpected);
  const reply = both.verifier.receive(proof);
  assert.throws(() => both.verifier.receive(proof), unexpected);
  assert.throws(() => ends().verifier.receive(both.verifier.challenge), unexpected);
  assert.throws(() => ends().prover.conclude(reply), unexpected);
  both.prover.conclude(reply);
  assert.throws(() => both.prover.conclude(reply), unexpected);
});

test('what a frame says stays what it was when the bytes that it was read from are used again', () => {
  for (const type of ['challenge', 'prove', 'agree'] as const) {
    const text = type === 'prove' ? '\0https://a' : '';
    const bytes = Buffer.concat([Buffer.alloc(64, 7), Buffer.from(text)]);
    const frame = decodeLinkFrame(type, bytes);
    const before = structuredClone(frame);
    bytes.fill(9);
    assert.deepEqual(frame, before);
  }
});
