import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { CredentialSet } from '../../../../src/gateway/credentials/credential-set.ts';
import { GoogleTokens } from '../../../../src/gateway/credentials/minted/google-tokens.ts';
import type { GoogleTokensOptions } from '../../../../src/gateway/credentials/minted/google-tokens.ts';
import { TokenService } from '../../../../src/gateway/credentials/minted/token-service.ts';
import type { CredentialSource } from '../../../../src/gateway/credentials/sources/credential-source.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { authority, openCredentialScene } from '../support/credential-scene.ts';
import { openGoogleServices } from '../support/google-services.ts';
import type { GoogleServices } from '../support/google-services.ts';

const scopes = ['https://www.googleapis.com/auth/devstorage.read_only'];
const robot = 'robot@my-project.iam.gserviceaccount.com';
const endpointsOf = ({ url }: GoogleServices) => ({
  token: `${url}/token`,
  sts: `${url}/v1/token`,
  iamCredentials: url,
});
const subjectTokenType = 'urn:ietf:params:oauth:token-type:jwt';
const sourceOf = (text: string): CredentialSource => ({ read: () => Promise.resolve(new Secret(text)) });

async function mint(
  google: GoogleServices,
  proof: string,
  change: Partial<GoogleTokensOptions> = {},
): Promise<{ readonly token: string; readonly lifetimeMs: number }> {
  await using services = openTestServices([authority.caPem]);
  const service = new TokenService({ name: 'it', context: { environment: {}, fetch: services.fetch } });
  const tokens = new GoogleTokens({
    service,
    endpoints: endpointsOf(google),
    proof: sourceOf(proof),
    scopes,
    lifetimeSeconds: 1800,
    ...change,
  });
  const { value, lifetimeMs } = await tokens.mint(Date.now());
  return { token: value.reveal(), lifetimeMs };
}

test('the key of a service account buys a token for the scopes, at the endpoint of the configuration alone', async () => {
  await using google = await openGoogleServices();
  const { token, lifetimeMs } = await mint(google, google.keyFile);
  assert.deepEqual(google.grant(token), { account: google.email, scopes });
  assert.equal(lifetimeMs, 3_600_000);
  assert.deepEqual(
    google.calls.map(({ path }) => path),
    ['/token'],
  );
});

test('a token of another issuer buys one of the pool, and that one a token of the account', async () => {
  await using google = await openGoogleServices({ impersonates: robot });
  const workloadIdentity = { audience: google.poolAudience, subjectTokenType };
  const proof = await google.subjectToken();
  const alone = await mint(google, proof, { workloadIdentity });
  assert.deepEqual(google.grant(alone.token)?.scopes, scopes);
  const { token, lifetimeMs } = await mint(google, proof, { workloadIdentity, account: robot });
  assert.deepEqual(google.grant(token), { account: robot, scopes });
  // By the service's clock, in whole seconds.
  assert.ok(lifetimeMs > 1_700_000 && lifetimeMs <= 1_801_000, `${lifetimeMs} ms`);
});

test('the key of one account impersonates another', async () => {
  await using google = await openGoogleServices({ impersonates: robot });
  const { token } = await mint(google, google.keyFile, { account: robot });
  assert.deepEqual(google.grant(token), { account: robot, scopes });
});

test('an ID token is for its audience, of the account itself and of one that is impersonated', async () => {
  await using google = await openGoogleServices({ impersonates: robot });
  const idTokenAudience = 'https://service.example.com';
  const own = await mint(google, google.keyFile, { idTokenAudience });
  assert.deepEqual(google.grant(own.token), { account: google.email, scopes: [idTokenAudience] });
  const lent = await mint(google, google.keyFile, { idTokenAudience, account: robot });
  assert.deepEqual(google.grant(lent.token), { account: robot, scopes: [idTokenAudience] });
});

describe('what is refused is told by the word of the service alone', () => {
  const cases = {
    'a proof for another audience': [
      /refused the token of the identity pool \(status 400, invalid_grant\)$/,
      'other',
    ],
    'a proof that has ended': [/status 400, invalid_grant/, 'ended'],
    'an account that may not be impersonated': [
      /refused a token of robot@.* \(status 403, PERMISSION_DENIED\)$/,
      'denied',
    ],
    'no key file': [/the source has no key file of a service account, as JSON/, 'no-key'],
  } as const;
  for (const [name, [expected, which]] of Object.entries(cases)) {
    test(name, async () => {
      await using google = await openGoogleServices();
      const workloadIdentity = { audience: google.poolAudience, subjectTokenType };
      const proof = await google.subjectToken({
        ...(which === 'other' ? { audience: 'https://other.example.com' } : {}),
        ...(which === 'ended' ? { seconds: -600 } : {}),
      });
      const change = which === 'no-key' ? {} : { workloadIdentity, account: robot };
      await assert.rejects(mint(google, proof, change), (error: Error) => {
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /it says more/);
        assert.ok(!error.message.includes(proof));
        return true;
      });
    });
  }
});

test('one token serves many requests, is had anew once the origin refuses it, and comes back in nothing', async () => {
  await using google = await openGoogleServices();
  let refused = '';
  await using scene = await openCredentialScene({
    credential: {
      kind: 'google',
      scopes,
      lifetimeSeconds: 3600,
      endpoints: endpointsOf(google),
      source: { env: 'GOOGLE_KEY' },
    },
    environment: { GOOGLE_KEY: google.keyFile },
    status: ({ headers }) => (headers.authorization === refused ? 401 : 200),
  });
  await Promise.all([1, 2, 3].map(() => scene.get('/in/a', 'Authorization: Bearer placeholder')));
  assert.equal(google.calls.length, 1);
  const [first = ''] = google.tokens;
  assert.equal(scene.seen[0]?.headers.authorization, `Bearer ${first}`);
  refused = `Bearer ${first}`;
  assert.equal((await scene.get('/in/a')).status, 401);
  assert.equal((await scene.get('/in/a')).status, 200);
  assert.equal(google.calls.length, 2);
  for (const token of google.tokens) scene.assertKept(token);
});

test('an ID token of a pool alone is no configuration', () => {
  const config = {
    kind: 'google',
    scopes,
    lifetimeSeconds: 3600,
    endpoints: { token: 'https://a.test', sts: 'https://a.test', iamCredentials: 'https://a.test' },
    source: { env: 'TOKEN' },
    workloadIdentity: { audience: '//iam.googleapis.com/x', subjectTokenType },
    idTokenAudience: 'https://service.example.com',
  } as const;
  const environment = { TOKEN: 'a.b.c' };
  assert.throws(
    () => new CredentialSet({ it: config }, environment),
    /a pool gives no ID tokens; write account/,
  );
  assert.doesNotThrow(() => new CredentialSet({ it: { ...config, account: robot } }, environment));
});
