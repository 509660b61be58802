import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { identityPlaces } from '../../../src/gateway/identity/identity-places.ts';
import { FollowedSigningKey } from '../../../src/gateway/sessions/followed-signing-key.ts';
import { ownIssuer, verifySessionToken } from '../../../src/gateway/sessions/session-token.ts';
import {
  acceptedForMsMin,
  makeNextSigningKey,
  retireSigningKey,
  switchSigningKey,
} from '../../../src/gateway/sessions/signing-key-rotation.ts';
import {
  openSigningKey,
  readSigningKeys,
  type SigningKey,
} from '../../../src/gateway/sessions/signing-key.ts';
import { issueAccessToken, verifyAccessToken } from '../../../src/gateway/sessions/session-access-token.ts';
import { issueSessionToken } from '../../../src/gateway/sessions/token-issuer.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const nowMs = Date.now();
const atOnce = { nowMs, atOnce: true };
const names = { issuer: 'upstreamproxy', audience: 'upstreamproxy' };

const sessionToken = (key: SigningKey): string =>
  issueSessionToken({ ...names, key, subject: 'a', ttlSeconds: 60, nowMs });
const accessToken = (key: SigningKey): string =>
  issueAccessToken(
    { ...names, key },
    { sessionId: 's', keyThumbprint: 't' },
    { nowMs, expiresMs: nowMs + 60_000 },
  );

/** Whether both kinds of tokens of `signer` are taken by a gateway that has `key`. */
async function takes(key: SigningKey, signer: SigningKey): Promise<boolean> {
  const settled = await Promise.allSettled([
    verifySessionToken(sessionToken(signer), {
      trust: [ownIssuer(key, names.issuer)],
      audience: names.audience,
      nowMs,
    }),
    verifyAccessToken({ ...names, key }, accessToken(signer), { nowMs, expiredForMsMax: 0 }),
  ]);
  const [session, access] = settled.map(({ status }) => status === 'fulfilled');
  assert.equal(session, access);
  for (const one of settled) if (one.status === 'rejected') assert.equal(one.reason.code, 'token_invalid');
  return session === true;
}

describe('the rotation of the signing key', () => {
  test('voids no token that is out before the old key is retired, for a gateway that runs', async () => {
    await withTemporaryDirectory(async (folder) => {
      const lines: string[] = [];
      const log = (level: string, message: string): void => void lines.push(`${level} ${message}`);
      await using running = await FollowedSigningKey.open({
        place: identityPlaces(embeddedConfig(folder)).signingKey,
        log,
      });
      const before = await openSigningKey(folder);
      const kid = await makeNextSigningKey(folder);
      assert.equal(statSync(join(folder, 'next-signing-key.pem')).mode & 0o777, 0o600);
      await running.look();
      assert.deepEqual([running.kid, await takes(running, before)], [before.kid, true]);

      await switchSigningKey(folder, atOnce);
      const next = await openSigningKey(folder);
      assert.equal(next.kid, kid);
      // The gateway has not looked since: it takes what the command signs with the next key all the same.
      assert.deepEqual([running.kid, await takes(running, next)], [before.kid, true]);
      await running.look();
      assert.deepEqual(
        [running.kid, await takes(running, next), await takes(running, before)],
        [kid, true, true],
      );
      assert.deepEqual(readdirSync(folder).sort(), ['old-signing-key.pem', 'signing-key.pem']);
      assert.match(readFileSync(join(folder, 'old-signing-key.pem'), 'utf8'), /^-----BEGIN PUBLIC KEY-----/);

      assert.equal(await retireSigningKey(folder), true);
      await running.look();
      assert.deepEqual([await takes(running, next), await takes(running, before)], [true, false]);
      assert.equal(await retireSigningKey(folder), false);

      // A key that is missing is no reason to make another one.
      renameSync(join(folder, 'signing-key.pem'), join(folder, 'elsewhere'));
      await running.look();
      await running.look();
      assert.deepEqual([running.kid, readdirSync(folder)], [kid, ['elsewhere']]);
      assert.deepEqual(
        lines.map((line) => line.split(' ')[0]),
        ['info', 'error'],
      );
    });
  });

  test('never overwrites a next key, nor the old one of another rotation', async () => {
    await withTemporaryDirectory(async (folder) => {
      await assert.rejects(makeNextSigningKey(folder), { code: 'signing_key_unusable' });
      await openSigningKey(folder);
      const kid = await makeNextSigningKey(folder);
      await assert.rejects(makeNextSigningKey(folder), /cannot be made/);
      await switchSigningKey(folder, atOnce);
      assert.equal((await readSigningKeys(folder)).kid, kid);
      await makeNextSigningKey(folder);
      await assert.rejects(switchSigningKey(folder, atOnce), /of an earlier rotation: retire it first/);
      assert.equal((await readSigningKeys(folder)).kid, kid);
    });
  });

  test('does not sign with what a gateway may not take yet, and goes on where it was cut off', async () => {
    await withTemporaryDirectory(async (folder) => {
      const before = await openSigningKey(folder);
      const kid = await makeNextSigningKey(folder);
      const next = join(folder, 'next-signing-key.pem');
      await assert.rejects(switchSigningKey(folder, { nowMs: Date.now(), atOnce: false }), /may not take/);
      const longAgo = (Date.now() - acceptedForMsMin) / 1000;
      utimesSync(next, longAgo, longAgo);
      const old = readFileSync(join(folder, 'signing-key.pem'));
      await switchSigningKey(folder, { nowMs: Date.now(), atOnce: false });
      // As it was cut off between its two writes: the public half is there, and the old key signs.
      renameSync(join(folder, 'signing-key.pem'), next);
      writeFileSync(join(folder, 'signing-key.pem'), old, { mode: 0o600 });
      const both = await readSigningKeys(folder);
      assert.deepEqual([both.kid, both.publicKeyOf(kid) === undefined], [before.kid, false]);
      await switchSigningKey(folder, atOnce);
      const after = await readSigningKeys(folder);
      assert.deepEqual([after.kid, after.publicKeyOf(before.kid) === undefined], [kid, false]);
    });
  });
});
