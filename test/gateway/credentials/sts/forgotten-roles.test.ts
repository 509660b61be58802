import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import { AssumedRole } from '../../../../src/gateway/credentials/sts/assumed-role.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

/** Counts what is going to be renewed. */
class CountedRenewals extends BackgroundRenewals {
  awaited = 0;

  override after(delayMs: number, work: (passedMs: number) => Promise<void>): () => void {
    this.awaited += 1;
    const cancel = super.after(delayMs, work);
    return () => {
      this.awaited -= 1;
      cancel();
    };
  }
}

const keys = `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
  <AccessKeyId>ASIA${'0'.repeat(16)}</AccessKeyId><SecretAccessKey>wJalrXUtnFEMIK7MDENGEXAMPLEKEY</SecretAccessKey>
  <SessionToken>session</SessionToken><Expiration>2026-11-28T11:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;

test('keys of a subject that is forgotten are not renewed any more, and had anew when it asks again', async () => {
  const nowMs = Date.parse('2026-11-28T10:00:00Z');
  await using background = new CountedRenewals(defaultLimits);
  let asked = 0;
  const fetch = (): Promise<{ status: number; text: string }> => {
    asked += 1;
    return Promise.resolve({ status: 200, text: keys });
  };
  const role = new AssumedRole({
    name: 'aws',
    role: {
      arn: 'arn:aws:iam::123456789012:role/agent',
      endpoint: 'https://sts.example.com/',
      region: 'us-east-1',
      lifetimeSeconds: 3600,
    },
    caller: { token: { read: () => Promise.resolve(new Secret('aa.bb.cc')) } },
    context: { fetch, environment: {}, background },
  });
  const { assumedRolesMax } = defaultLimits;
  for (let i = 0; i <= assumedRolesMax; i += 1) await role.read(`issuer|${String(i)}`, nowMs);
  assert.equal(asked, assumedRolesMax + 1);
  assert.equal(background.awaited, assumedRolesMax);
  await role.read('issuer|1', nowMs);
  assert.equal(asked, assumedRolesMax + 1);
  await role.read('issuer|0', nowMs);
  assert.equal(asked, assumedRolesMax + 2);
  assert.equal(background.awaited, assumedRolesMax);
});
