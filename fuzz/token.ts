// Fuzz target: session tokens and DPoP proofs as a stranger would send them, most of them nearly right.
// None that was changed is accepted, and none is refused by an error that is not ours. Options as in run-target.ts.

import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import { ProxyError } from '../src/protocol/error.ts';
import { verifyProof } from '../src/gateway/sessions/dpop-proof.ts';
import { ownIssuer, verifySessionToken } from '../src/gateway/sessions/session-token.ts';
import { createSigningKey } from '../src/gateway/sessions/signing-key.ts';
import { sessionTokenType } from '../src/gateway/sessions/token-issuer.ts';
import type { ProofStore } from '../src/store/store.ts';
import { runTarget, type Random } from './run-target.ts';

const nowMs = 1_767_225_600_000;
const nowSeconds = nowMs / 1000;
const issuer = 'https://gateway.test';
const audience = 'upstreamproxy';
const url = 'https://gateway.test/v1/code/upstreamproxy/session';
const codes = new Set(['token_malformed', 'token_invalid', 'token_expired', 'proof_invalid']);

// Fixed keys, so that a text that failed once fails again.
const signingKey = createSigningKey(keyOf(1));
const agentKey = keyOf(2);
const { kty, crv, x } = createPublicKey(agentKey).export({ format: 'jwk' });
const trust = [ownIssuer(signingKey, issuer)];
const forgetful: ProofStore = {
  remember: () => Promise.resolve('new'),
  prune: () => Promise.resolve(0),
};

const claims = {
  iss: issuer,
  aud: audience,
  sub: 's',
  jti: 'j',
  iat: nowSeconds,
  nbf: nowSeconds,
  exp: nowSeconds + 600,
};
const rightToken = signingKey.signJwt(sessionTokenType, claims);
const rightProof = signed(
  { typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty, crv, x } },
  { htm: 'POST', htu: url, iat: nowSeconds, jti: 'j' },
);

function keyOf(octet: number): KeyObject {
  // PKCS#8 of an Ed25519 key: RFC 8410 §7, then the 32 octets of the key.
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({
    key: Buffer.concat([prefix, Buffer.alloc(32, octet)]),
    format: 'der',
    type: 'pkcs8',
  });
}

function signed(header: object, payload: object): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), agentKey).toString('base64url')}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const oddities: readonly unknown[] = [
  null,
  0,
  -1,
  1e308,
  '',
  'none',
  'HS256',
  'EdDSA',
  'ES256',
  true,
  [],
  {},
  ['EdDSA'],
  { kty: 'oct', k: 'AA' },
  '../../dev/null',
  '\0',
  'x'.repeat(600),
];
const names = [
  'alg',
  'typ',
  'kid',
  'jwk',
  'crit',
  'b64',
  'iss',
  'aud',
  'sub',
  'jti',
  'iat',
  'nbf',
  'exp',
  '__proto__',
  'toJSON',
];
const characters = '.=-_+/ \n\0AZaz09"{}é';

/** One change of a text that was right. */
function mutate(random: Random, text: string): string {
  const at = random(text.length + 1);
  const character = characters[random(characters.length)] ?? '';
  switch (random(7)) {
    case 0:
      return text.slice(0, at) + character + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + character + text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(at + 1 + random(8));
    case 3:
      return text + text.slice(at);
    case 4: {
      const segments = text.split('.');
      return [segments[random(3)], segments[random(3)], segments[random(3)]].join('.');
    }
    default:
      return mutateMember(random, text);
  }
}

/** Changes one member of header or payload and leaves the signature as it was. */
function mutateMember(random: Random, text: string): string {
  const segments = text.split('.');
  const index = random(2);
  try {
    const members: unknown = JSON.parse(Buffer.from(segments[index] ?? '', 'base64url').toString());
    if (typeof members !== 'object' || members === null) return text;
    const name = names[random(names.length)] ?? 'alg';
    // Entries, because assigning `__proto__` would not make a member.
    const changed = Object.fromEntries([
      ...Object.entries(members),
      [name, oddities[random(oddities.length)]],
    ]);
    segments[index] = encode(changed);
    return segments.join('.');
  } catch {
    // An earlier change made the segment unreadable; the text is odd enough.
    return text;
  }
}

function randomText(random: Random): string {
  let text = random(2) === 0 ? rightToken : rightProof;
  for (let changes = random(4); changes > 0; changes--) text = mutate(random, text);
  return text;
}

/** Throws if a text that we did not make is accepted, or fails in another way than a refusal of ours. */
async function expectOnly(right: string, text: string, verify: () => Promise<unknown>): Promise<boolean> {
  let refusal: unknown;
  try {
    await verify();
  } catch (error) {
    refusal = error;
  }
  if (refusal === undefined) {
    if (text !== right) throw new Error('a text that was never signed was accepted');
    return true;
  }
  if (!(refusal instanceof ProxyError) || !codes.has(refusal.code)) throw refusal;
  if (text === right) throw new Error('the right text was refused', { cause: refusal });
  const { message } = refusal;
  if (text.split('.').some((part) => part.length > 12 && message.includes(part))) {
    throw new Error('the refusal repeats a part of the text');
  }
  return false;
}

await runTarget({
  name: 'token',
  generate: randomText,
  check: async (text) => {
    const isToken = await expectOnly(rightToken, text, () =>
      verifySessionToken(text, { trust, audience, nowMs }),
    );
    const isProof = await expectOnly(rightProof, text, () =>
      verifyProof({ proof: text, method: 'POST', url, nowMs }, { proofs: forgetful }),
    );
    return isToken || isProof;
  },
});
