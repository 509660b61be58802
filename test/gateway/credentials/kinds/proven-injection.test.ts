// A token that is bound to a key goes with a proof for the request, and with the nonce that its origin asks for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newProofKey, ProofKey } from '../../../../src/gateway/credentials/kept/proof-key.ts';
import { provenInjection } from '../../../../src/gateway/credentials/kinds/proven-injection.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const secret = new Secret('token');
const headOf = (host: string, port = 443) =>
  ({
    method: 'POST',
    destination: { scheme: 'https', host, port },
    path: '/a/b',
    query: '?c=d',
    headers: HeaderList.of([
      ['Authorization', 'DPoP mine'],
      ['DPoP', 'mine'],
      ['Accept', '*/*'],
    ]),
    httpVersion: '1.1',
  }) as const;
const rejected: Secret<string>[] = [];
const reject = (one: Secret<string>): void => void rejected.push(one);

test('a token without a key goes as Bearer, and nothing of the client goes beside it', async () => {
  const held = () => Promise.resolve({ secret, proofKey: undefined });
  const injected = await provenInjection({ held, reject }).apply(headOf('api.test'), 0, undefined);
  assert.deepEqual(injected.head.headers.all('authorization'), ['Bearer token']);
  assert.deepEqual(injected.head.headers.all('dpop'), []);
  assert.deepEqual(injected.head.headers.all('accept'), ['*/*']);
  assert.equal(injected.onNonce, undefined);
  injected.onRejected?.(0);
  assert.deepEqual(rejected, [secret]);
});

test('a proof is for one request, with the last nonce of its origin', async () => {
  const proofKey = new ProofKey(newProofKey());
  const credential = provenInjection({ held: () => Promise.resolve({ secret, proofKey }), reject });
  const ask = async (host: string, port?: number) => {
    const injected = await credential.apply(headOf(host, port), 1_000_000, undefined);
    const { headers } = injected.head;
    assert.deepEqual(headers.all('authorization'), ['DPoP token']);
    assert.equal(headers.all('dpop').length, 1);
    const [, claims = ''] = (headers.first('dpop') ?? '').split('.');
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    return { said, onNonce: injected.onNonce };
  };
  const first = await ask('api.test');
  assert.deepEqual(
    [first.said['htm'], first.said['htu'], first.said['nonce']],
    ['POST', 'https://api.test/a/b', undefined],
  );
  assert.equal(first.onNonce?.('n1'), true);
  assert.equal(first.onNonce?.('n1'), false, 'it had it: then the token was refused');
  for (const bad of ['', 'a b', 'a"b', 'x'.repeat(513), 'é']) assert.equal(first.onNonce?.(bad), false);
  const second = await ask('api.test');
  assert.equal(second.said['nonce'], 'n1');
  assert.notEqual(second.said['jti'], first.said['jti']);
  assert.equal((await ask('api.test', 8443)).said['nonce'], undefined, 'another origin');
  for (let i = 0; i < 64; i += 1) (await ask(`h${i}.test`)).onNonce?.('n');
  assert.equal((await ask('api.test')).said['nonce'], undefined, 'the oldest made room');
});
