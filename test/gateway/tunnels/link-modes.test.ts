import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { LinkModes } from '../../../src/gateway/tunnels/link-modes.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { BlindHosts } from '../../../src/protocol/blind-hosts.ts';
import { encodeFrame, FrameParser } from '../../../src/protocol/frame-codec.ts';
import type { LinkFrame, PlainMode } from '../../../src/protocol/frame.ts';
import type { Policy } from '../../../src/policy/decision.ts';
import { linkProofText } from '../../../src/protocol/link-proof.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { compilePolicy, testPrincipal } from '../support/request-path.ts';

const origin = 'https://gateway.test';
const exporter = new Uint8Array(32).fill(7);
const session = generateKeyPairSync('ed25519');
const { x = '' } = session.publicKey.export({ format: 'jwk' });
const principal = testPrincipal('one');
const anyPolicy = compilePolicy('rules: [{ name: any, hosts: any.test }]');

interface Agreed {
  readonly modes: LinkModes;
  readonly sent: LinkFrame[];
  prove(modes: readonly PlainMode[]): void;
}

function agreeing(hosts: readonly string[], changes: { controlFrameBytesMax?: number } = {}): Agreed {
  const sent: LinkFrame[] = [];
  const policy: Policy = {
    version: 'v',
    blindHosts: () => hosts,
    sshHosts: () => [],
    injected: () => new Set(),
    revokesTokens: false,
    signing: () => undefined,
    decide: anyPolicy.decide.bind(anyPolicy),
    capturePorts: () => [],
    rulesFor: () => ({ rules: [], notShown: 0, isBounded: false, mayBeObserved: false }),
    changesBetween: () => false,
  };
  const modes = new LinkModes({
    principal,
    key: { kty: 'OKP', crv: 'Ed25519', x },
    exporter,
    publicOrigins: [origin],
    signingKey: createSigningKey(),
    policy: () => policy,
    send: (frame) => sent.push(frame),
    limits: { ...defaultLimits, ...changes },
  });
  const [first] = sent;
  assert.ok(first?.type === 'challenge');
  const { challenge, tunnelId } = first;
  return {
    modes,
    sent,
    prove: (wanted) => {
      const text = linkProofText('agent', { origin, tunnelId, challenge, exporter, modes: wanted });
      modes.receive({
        type: 'prove',
        signature: sign(null, text, session.privateKey),
        modes: wanted,
        origin,
      });
    },
  };
}

const typesOf = (frames: readonly LinkFrame[]): readonly string[] => frames.map(({ type }) => type);

describe('whoever agreed to modes is told the hosts next', () => {
  for (const [wanted, expected] of [
    [
      ['http1', 'http2'],
      ['challenge', 'agree', 'hosts'],
    ],
    [['http1'], ['challenge', 'agree', 'hosts']],
    [['http2'], ['challenge', 'agree', 'hosts']],
    [[], ['challenge', 'agree']],
  ] as const)
    test(wanted.length === 0 ? 'and who agreed to none is not' : wanted.join(' and '), () => {
      const { modes, sent, prove } = agreeing(['passed.test:443']);
      modes.policyChanged();
      assert.deepEqual(typesOf(sent), ['challenge']);
      prove(wanted);
      assert.deepEqual(typesOf(sent), expected);
      for (const mode of ['http1', 'http2'] as const)
        assert.equal(modes.allows(mode), (wanted as readonly string[]).includes(mode));
      // Nothing new is nothing to tell.
      modes.policyChanged();
      assert.deepEqual(typesOf(sent), expected);
    });
});

test('the list of hosts is one that every agent takes, whatever frames this gateway takes', () => {
  const many = Array.from({ length: 1000 }, (_, i) => `host-${i}.passed.test:443`);
  for (const controlFrameBytesMax of [100, 8 * 1024, 64 * 1024])
    for (const count of [1, 3, 300, 1000]) {
      const { sent, prove } = agreeing(many.slice(0, count), { controlFrameBytesMax });
      prove(['http1']);
      const hosts = sent.at(-1);
      assert.ok(hosts?.type === 'hosts');
      const parser = new FrameParser(defaultLimits);
      parser.push(encodeFrame(hosts));
      const read = parser.next();
      assert.deepEqual(read, hosts);
      assert.ok(hosts.text.length <= controlFrameBytesMax);
      // What does not fit is everything, and never less than what is passed on.
      const blind = new BlindHosts(hosts.text);
      for (const host of many.slice(0, count)) assert.equal(blind.covers(host), true);
    }
});
