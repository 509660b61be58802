// An identity provider whose tokens an STS takes, the STS, an S3 that takes its keys, and what a gateway is told of them.

import { exportJWK, generateKeyPair, SignJWT } from 'jose';

import type { TestAuthority } from '../../support/test-authority.ts';
import { openS3OfSts, type S3OfSts } from './s3-of-sts.ts';
import { openStsServer, type StsRole, type StsServer } from './sts-server.ts';

export const roleArn = 'arn:aws:iam::123456789012:role/agent';
export const user = {
  accessKeyId: 'AKIDUSER00000000',
  secretAccessKey: 'the-secret-access-key-of-the-user-0001',
};

export interface AwsIdentity extends AsyncDisposable {
  readonly sts: StsServer;
  readonly s3: S3OfSts;
  /** What a cluster writes into the file of a service account. */
  token(change?: Readonly<Record<string, unknown>>): Promise<string>;
}

export interface AwsIdentityOptions {
  readonly authority: TestAuthority;
  readonly clock?: () => number;
  readonly role?: Partial<StsRole>;
}

export async function openAwsIdentity({
  authority,
  clock = Date.now,
  role = {},
}: AwsIdentityOptions): Promise<AwsIdentity> {
  await using stack = new AsyncDisposableStack();
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const issuer = 'https://oidc.example.com/cluster';
  const audience = 'sts.amazonaws.com';
  const subject = 'system:serviceaccount:agents:gateway';
  const key = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' };
  const sts = stack.use(
    await openStsServer({
      authority,
      clock,
      provider: { issuer, audience, keys: { keys: [key] } },
      users: [user],
      roles: [
        {
          arn: roleArn,
          subjects: [subject],
          callers: [user.accessKeyId],
          lifetimeSecondsMax: 43_200,
          ...role,
        },
      ],
    }),
  );
  const s3 = stack.use(await openS3OfSts({ authority, sts, clock }));
  const owned = stack.move();
  return {
    sts,
    s3,
    token: (change = {}) =>
      new SignJWT({ ...change })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(Math.floor(clock() / 1000))
        .setExpirationTime(Math.floor(clock() / 1000) + 3600)
        .sign(privateKey),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
