// @azure/identity in the jail, unchanged and with nothing set up: it finds a managed identity, and its requests reach the service with a token that
// the gateway has by a federated credential. Faithful server: test/gateway/credentials/support/entra-service.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { clientId, openEntraService, scope, tenant } from '../gateway/credentials/support/entra-service.ts';
import { containerMs, inContainer, missing } from './support/container.ts';
import { openEchoOrigin } from './support/echo-origin.ts';

const skip = missing();
const host = 'my-team.vault.azure.net';
const placeholder = 'upstreamproxy-placeholder-key-vault';

const programOf = (port: number): string => `
const { DefaultAzureCredential, ManagedIdentityCredential } = load('@azure/identity');
const given = [];
for (const credential of [new ManagedIdentityCredential(), new DefaultAzureCredential()])
  given.push((await credential.getToken('${scope}')).token);
const { IDENTITY_ENDPOINT, IDENTITY_HEADER } = process.env;
delete process.env.IDENTITY_ENDPOINT;
delete process.env.IDENTITY_HEADER;
given.push((await new ManagedIdentityCredential().getToken('${scope}')).token);
Object.assign(process.env, { IDENTITY_ENDPOINT, IDENTITY_HEADER });
for (const token of given) {
  const signature = Buffer.from(token.split('.')[2], 'base64url').toString();
  console.log('token for', JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).aud, signature);
  const response = await fetch('https://${host}:${port}/secrets/build/1', { headers: { authorization: 'Bearer ' + token } });
  console.log(response.status, await response.text());
}
`;

test(
  '@azure/identity finds the managed identity of the gateway, by both of its endpoints',
  { skip, timeout: containerMs },
  async () => {
    await using entra = await openEntraService();
    await using origin = await openEchoOrigin(
      host,
      (authorization) => entra.scopeOf(authorization.replace('Bearer ', '')) === scope,
    );
    const assertion = await entra.assertion();
    await using container = await inContainer({
      files: { 'ca.pem': authority.caPem, assertion },
      hosts: { [host]: '127.0.0.1', localhost: '127.0.0.1' },
      trust: { own: { file: 'ca.pem' } },
      credentials: {
        'key-vault': {
          kind: 'azure',
          tenant,
          clientId,
          scope,
          authorityUrl: entra.url,
          ca: 'ca.pem',
          source: { file: 'assertion' },
          emulate: 'managed-identity',
        },
      },
      rules: [
        {
          name: 'one-secret',
          hosts: host,
          ports: origin.port,
          addresses: '127.0.0.1/32',
          methods: ['GET'],
          paths: ['/secrets/build/**'],
          inject: 'key-vault',
          trust: 'own',
        },
      ],
      program: programOf(origin.port),
    });
    const { out, err } = container;
    const lines = out.split('\n').filter((line) => line !== '');
    assert.equal(lines.length, 6, `${out}${err}`);
    for (const line of [0, 2, 4]) {
      assert.equal(lines[line], `token for https://vault.azure.net ${placeholder}`);
      assert.match(lines[line + 1] ?? '', /^200 /);
    }
    assert.equal(origin.seen.length, 3);
    assert.equal(entra.calls.length, 1);
    container.assertWithout([...entra.tokens, assertion], placeholder);
  },
);
