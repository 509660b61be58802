import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import { agreedWithin, LinkAgreement } from '../../../src/agent/uplink/link-agreement.ts';
import type { TunnelLink } from '../../../src/net/tunnel-link.ts';
import { LinkVerifier } from '../../../src/protocol/link-proof.ts';
import type { LinkFrame } from '../../../src/protocol/frame.ts';

const origin = 'https://gateway.test';
const hosts: LinkFrame = { type: 'hosts', text: 'version\npassed.test:443' };

interface Setting {
  readonly agreement: LinkAgreement;
  /** What the agent came to, each time that it told. */
  readonly told: (string | undefined)[];
  /** How often the gateway was asked for its keys. */
  asked(): number;
  /** The reply of a gateway that signs with the key. */
  reply(): Promise<LinkFrame>;
  /** The gateway's reply to the question for its keys is there. */
  learned(): Promise<void>;
}

/** An agent that knows the `known` keys, and a gateway that signs with another; `learn` is what comes of asking. */
function between(
  { signer, known, exporter = 1 }: { signer: KeyPair; known: readonly KeyPair[]; exporter?: number },
  learn: () => readonly KeyPair[],
): Setting {
  const session = generateKeyPairSync('ed25519');
  let keys = known.map(linkKey);
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const told: (string | undefined)[] = [];
  const sent = Promise.withResolvers<LinkFrame>();
  const concluded = Promise.withResolvers<void>();
  const agreement = new LinkAgreement({
    origin,
    exporter: new Uint8Array(32).fill(1),
    linkKeys: () => keys,
    learnKeys: async () => {
      asked += 1;
      await gate.promise;
      keys = learn().map(linkKey);
    },
    sign: async (text) => sign(null, text, session.privateKey),
    send: sent.resolve,
    onFault: sent.reject,
    onConcluded: (fault) => {
      told.push(fault);
      concluded.resolve();
    },
  });
  const verifier = new LinkVerifier({
    challenge: new Uint8Array(32),
    tunnelId: new Uint8Array(16),
    exporter: new Uint8Array(32).fill(exporter),
    isOwnOrigin: (one) => one === origin,
    verify: (text, signature) => verify(null, text, session.publicKey, signature),
    sign: (text) => sign(null, text, signer.privateKey),
  });
  agreement.receive(verifier.challenge);
  return {
    agreement,
    told,
    asked: () => asked,
    reply: async () => verifier.receive(await sent.promise),
    learned: async () => {
      gate.resolve();
      await concluded.promise;
    },
  };
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function linkKey({ publicKey }: KeyPair): string {
  return publicKey.export({ format: 'jwk' }).x ?? '';
}

const [before, after, stranger] = [1, 2, 3].map(() => generateKeyPairSync('ed25519')) as [
  KeyPair,
  KeyPair,
  KeyPair,
];

test('a reply by a key that the session knows is taken without asking', async () => {
  const { agreement, told, asked, reply } = between({ signer: before, known: [before] }, () => assert.fail());
  let isKnown = false;
  const known = agreement.known.then(() => (isKnown = true));
  agreement.receive(await reply());
  await agreement.judged;
  assert.equal(isKnown, false, 'of no host yet');
  agreement.receive(hosts);
  await known;
  assert.deepEqual([told, asked()], [[undefined], 0]);
  assert.deepEqual(agreement.modesFor('open.test:443'), ['http1', 'http2']);
  assert.deepEqual(agreement.modesFor('passed.test:443'), []);
});

test('a reply by another key is taken once the gateway has named that key, with the hosts that came meanwhile', async () => {
  const setting = between({ signer: after, known: [before] }, () => [after, before]);
  const { agreement, told, asked, reply, learned } = setting;
  agreement.receive(await reply());
  agreement.receive(hosts);
  assert.deepEqual([told, asked(), agreement.modesFor('open.test:443')], [[], 1, []]);
  await learned();
  assert.deepEqual([told, asked()], [[undefined], 1]);
  assert.deepEqual(agreement.modesFor('open.test:443'), ['http1', 'http2']);
  assert.deepEqual(agreement.modesFor('passed.test:443'), []);
});

for (const [name, learn] of [
  ['names no other key', () => [before]],
  ['names other keys, none of which signed it', () => [before, after]],
  [
    'cannot be asked',
    () => {
      throw new Error('unreachable');
    },
  ],
] as const)
  test(`a reply by an unknown key switches nothing on where the gateway ${name}, and the tunnel goes on`, async () => {
    const { agreement, told, asked, reply, learned } = between({ signer: stranger, known: [before] }, learn);
    const agree = await reply();
    agreement.receive(agree);
    await learned();
    await agreement.known;
    agreement.receive(hosts);
    assert.deepEqual([told.length, asked(), agreement.modesFor('open.test:443')], [1, 1, []]);
    assert.match(told[0] ?? '', /something between the two ends TLS/);
    assert.throws(() => agreement.receive(agree), { code: 'frame_unexpected' });
    assert.equal(asked(), 1);
  });

test('a gateway that sees another link is not asked for its keys: it agrees to nothing', async () => {
  const { agreement, told, asked, reply } = between({ signer: before, known: [before], exporter: 2 }, () =>
    assert.fail(),
  );
  agreement.receive(await reply());
  assert.deepEqual([told.length, asked(), agreement.modesFor('open.test:443')], [1, 0, []]);
});

test('hosts before a reply end the tunnel', () => {
  const { agreement } = between({ signer: before, known: [before] }, () => assert.fail());
  assert.throws(() => agreement.receive(hosts), { code: 'frame_unexpected' });
});

test('whoever waits for an agreement waits for the one that replaced it', async () => {
  const signer = generateKeyPairSync('ed25519');
  const old = between({ signer, known: [signer] }, () => []).agreement;
  const next = between({ signer, known: [signer] }, () => []);
  let current = old;
  // What is asked of a link here is only whether it is over.
  const link = { closed: new Promise<undefined>(() => {}) } as unknown as TunnelLink;
  let isAgreed = false;
  const waiting = agreedWithin(link, { get: () => current }, 600_000).then(() => assert.ok(isAgreed));
  current = next.agreement;
  old.replaced();
  const reply = await next.reply();
  isAgreed = true;
  current.receive(reply);
  current.receive(hosts);
  await waiting;
});
