// Tokens of a key that a gateway does not know: of none of its own, or of one that is new and was not read yet.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKeysAgain } from '../../../src/gateway/open-gateway-keys.ts';
import { FollowedSigningKey, type KeysReading } from '../../../src/gateway/sessions/followed-signing-key.ts';
import { issueAccessToken, verifyAccessToken } from '../../../src/gateway/sessions/session-access-token.ts';
import { ownIssuer, verifySessionToken } from '../../../src/gateway/sessions/session-token.ts';
import {
  createSigningKey,
  type SigningKey,
  signingKeyWith,
} from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../../src/gateway/sessions/token-issuer.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const names = { issuer: 'upstreamproxy', audience: 'upstreamproxy' };
const nowMs = Date.now();

interface Place {
  /** What is there to be read. */
  keys: SigningKey;
  reading: KeysReading;
  reads: number;
  readonly key: FollowedSigningKey;
}

async function placeOf(stack: AsyncDisposableStack, reading: KeysReading): Promise<Place> {
  const place = { keys: createSigningKey(), reading, reads: 0 };
  const read = async (): Promise<SigningKey> => place.keys;
  const key = stack.use(
    await FollowedSigningKey.open({
      place: { open: read, read },
      readAgain: async () => {
        place.reads += 1;
        return place.reading;
      },
      log: () => undefined,
    }),
  );
  return Object.assign(place, { key });
}

/** What becomes of both kinds of tokens: `good`, or the code. */
async function outcome(key: SigningKey, signer: SigningKey, madeMs = nowMs): Promise<string> {
  const session = issueSessionToken({ ...names, key: signer, subject: 'a', ttlSeconds: 3600, nowMs: madeMs });
  const access = issueAccessToken(
    { ...names, key: signer },
    { sessionId: 's', keyThumbprint: 't' },
    { nowMs: madeMs, expiresMs: madeMs + 3_600_000 },
  );
  const settled = await Promise.allSettled([
    verifySessionToken(session, { trust: [ownIssuer(key, names.issuer)], audience: names.audience, nowMs }),
    verifyAccessToken({ ...names, key }, access, { nowMs, expiredForMsMax: 0 }),
  ]);
  const [one, other] = settled.map((result) =>
    result.status === 'fulfilled' ? 'good' : (result.reason as ProxyError).code,
  );
  assert.equal(one, other);
  return one ?? '';
}

test('a key that is there by now is taken with the first token that it signed', async () => {
  await using stack = new AsyncDisposableStack();
  const place = await placeOf(stack, 'current');
  const next = createSigningKey();
  place.keys = signingKeyWith(next, [place.keys.publicKey]);
  assert.equal(await outcome(place.key, next), 'good');
  assert.equal(place.key.kid, next.kid);
});

test('where all was read a key that is not there is none', async () => {
  await using stack = new AsyncDisposableStack();
  const { key } = await placeOf(stack, 'current');
  assert.equal(await outcome(key, createSigningKey()), 'token_invalid');
});

for (const reading of ['unread', 'late'] as const)
  test(`where keys are ${reading} a token of an unknown one is not refused for good`, async () => {
    await using stack = new AsyncDisposableStack();
    const place = await placeOf(stack, reading);
    const next = createSigningKey();
    assert.equal(await outcome(place.key, next), 'store_unavailable');
    // Once it is there it counts.
    place.keys = signingKeyWith(next, [place.keys.publicKey]);
    await place.key.look();
    assert.equal(await outcome(place.key, next), 'good');
  });

test('in a folder no key comes later than some minutes', async () => {
  await using stack = new AsyncDisposableStack();
  const late = await placeOf(stack, 'late');
  const unread = await placeOf(stack, 'unread');
  const before = nowMs - defaultLimits.newKeyWaitMs - 1000;
  assert.equal(await outcome(late.key, createSigningKey(), before), 'token_invalid');
  assert.equal(await outcome(unread.key, createSigningKey(), before), 'store_unavailable');
});

test('a key that was retired is none, though others may be late', async () => {
  await using stack = new AsyncDisposableStack();
  const place = await placeOf(stack, 'unread');
  const [retired, beside] = [place.keys, createSigningKey()];
  place.keys = signingKeyWith(retired, [beside.publicKey]);
  await place.key.look();
  place.keys = createSigningKey();
  await place.key.look();
  for (const key of [retired, beside]) assert.equal(await outcome(place.key, key), 'token_invalid');
  assert.equal(place.reads, 0);
});

test('tokens of strangers have the keys read once in a while, however many come', async () => {
  await using stack = new AsyncDisposableStack();
  const place = await placeOf(stack, 'current');
  const strangers = Array.from({ length: 20 }, () => createSigningKey());
  await Promise.all(strangers.map((stranger) => outcome(place.key, stranger)));
  assert.equal(place.reads, 1);
  // What was read before this token came says nothing for sure.
  assert.equal(await outcome(place.key, createSigningKey()), 'store_unavailable');
  assert.equal(place.reads, 1);
  const unknown = { iat: nowMs / 1000, nowMs };
  for (const kid of [undefined, 7, '', 'x', '../signing-key', 'A'.repeat(44)])
    assert.equal(await place.key.soughtKey({ ...unknown, kid }), undefined);
});

test('what is known behind a reading depends on where the keys are', async () => {
  const away = { sinceMs: 1 };
  const there = { sinceMs: undefined };
  const own = { kind: 'own', directory: '/a' } as const;
  const directory = { kind: 'directory', directory: '/a' } as const;
  const store = { kind: 'store', keyEncryptionKey: { file: '/a' } } as const;
  for (const [identity, isRead, outage, expected] of [
    [own, false, away, 'current'],
    [directory, true, there, 'late'],
    [store, true, there, 'current'],
    [store, true, undefined, 'current'],
    [store, false, there, 'unread'],
    [store, true, away, 'unread'],
  ] as const)
    assert.equal(await readKeysAgain({ identity }, { look: async () => isRead }, outage), expected);
});
