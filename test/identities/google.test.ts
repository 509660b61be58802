// google-auth-library in the jail, unchanged and with nothing set up: it finds a metadata server, and its requests reach the API with a token that
// the gateway has by workload identity federation, or by a key. Faithful servers: test/gateway/credentials/support/google-services.ts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { openGoogleServices } from '../gateway/credentials/support/google-services.ts';
import { containerMs, inContainer, missing } from './support/container.ts';
import { openEchoOrigin } from './support/echo-origin.ts';

const skip = missing();
const robot = 'robot@my-project.iam.gserviceaccount.com';
const scope = 'https://www.googleapis.com/auth/devstorage.read_only';
const host = 'storage.googleapis.com';
const placeholder = 'upstreamproxy-placeholder-gcs';

const programOf = (port: number): string => `
const { GoogleAuth, auth } = load('google-auth-library');
const own = new GoogleAuth({ scopes: ['${scope}'] });
console.log('project', await own.getProjectId());
const client = await own.getClient();
console.log('client', client.constructor.name);
const credentials = await own.getCredentials();
console.log('email', credentials.client_email);
for (const path of ['/storage/v1/b/my-data/o', '/storage/v1/b/my-data/o/two']) {
  const { status, data } = await client.request({ url: 'https://${host}:${port}' + path });
  console.log(status, JSON.stringify(data));
}
const { token } = await client.getAccessToken();
console.log('token', token);
const idClient = await own.getIdTokenClient('https://service.example.com');
const headers = await idClient.getRequestHeaders();
console.log('identity', JSON.parse(Buffer.from(headers.get('authorization').split('.')[1], 'base64url').toString()).aud);
`;

describe(
  'google-auth-library finds the metadata server of the gateway, and has placeholders alone',
  { skip },
  () => {
    for (const way of ['workload identity and impersonation', 'the key of a service account'] as const)
      test(way, { timeout: containerMs }, async () => {
        const isPool = way !== 'the key of a service account';
        await using google = await openGoogleServices({ impersonates: robot });
        await using origin = await openEchoOrigin(
          host,
          (authorization) => google.grant(authorization.replace('Bearer ', ''))?.scopes.join() === scope,
        );
        const proof = isPool ? await google.subjectToken() : google.keyFile;
        await using container = await inContainer({
          files: { 'ca.pem': authority.caPem, proof },
          hosts: { [host]: '127.0.0.1', localhost: '127.0.0.1' },
          trust: { own: { file: 'ca.pem' } },
          credentials: {
            gcs: {
              kind: 'google',
              source: { file: 'proof' },
              scopes: [scope],
              ca: 'ca.pem',
              endpoints: {
                token: `${google.url}/token`,
                sts: `${google.url}/v1/token`,
                iamCredentials: google.url,
              },
              ...(isPool ? { workloadIdentity: { audience: google.poolAudience }, account: robot } : {}),
              emulate: { project: 'my-project', email: robot },
            },
          },
          rules: [
            {
              name: 'bucket',
              hosts: host,
              ports: origin.port,
              addresses: '127.0.0.1/32',
              methods: ['GET'],
              paths: ['/storage/v1/b/my-data/**'],
              inject: 'gcs',
              trust: 'own',
            },
          ],
          program: programOf(origin.port),
        });
        const { out, err } = container;
        assert.match(out, /^project my-project$/m, `${out}${err}`);
        assert.match(out, /^client Compute$/m);
        assert.match(out, new RegExp(`^email ${robot}$`, 'm'));
        assert.match(out, /^200 .*my-data\/o"/m);
        assert.match(out, new RegExp(`^token ${placeholder}$`, 'm'));
        assert.match(out, /^identity https:\/\/service\.example\.com$/m);
        assert.equal(origin.seen.length, 2);
        // One token for both requests: of the account alone, or of the pool and then of the account.
        assert.deepEqual(
          google.calls.map(({ path }) => path.split(':').at(-1)),
          isPool ? ['/v1/token', 'generateAccessToken'] : ['/token'],
        );
        const keyLine = google.keyFile.split('\\n')[9] ?? '';
        container.assertWithout([...google.tokens, ...(isPool ? [proof] : [keyLine])], placeholder);
      });
  },
);
