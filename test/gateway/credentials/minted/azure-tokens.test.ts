import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AzureTokens } from '../../../../src/gateway/credentials/minted/azure-tokens.ts';
import { TokenService } from '../../../../src/gateway/credentials/minted/token-service.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { authority, openCredentialScene } from '../support/credential-scene.ts';
import { clientId, openEntraService, scope, tenant } from '../support/entra-service.ts';
import type { EntraService } from '../support/entra-service.ts';

async function mint(entra: EntraService, assertion: string, change: object = {}): Promise<string> {
  await using services = openTestServices([authority.caPem]);
  const service = new TokenService({ name: 'it', context: { environment: {}, fetch: services.fetch } });
  const tokens = new AzureTokens({
    service,
    assertion: { read: () => Promise.resolve(new Secret(assertion)) },
    authorityUrl: entra.url,
    tenant,
    clientId,
    scope,
    ...change,
  });
  return (await tokens.mint(Date.now())).value.reveal();
}

test('a token of an issuer that the application trusts buys one for the scope', async () => {
  await using entra = await openEntraService();
  const token = await mint(entra, await entra.assertion());
  assert.equal(entra.scopeOf(token), scope);
});

test('what is refused is told by the word of RFC 6749 and the number of Microsoft alone', async () => {
  await using entra = await openEntraService();
  const assertion = await entra.assertion({ audience: 'somebody-else' });
  await assert.rejects(mint(entra, assertion), (error: Error) => {
    assert.match(error.message, /refused a token \(status 401, invalid_client, AADSTS700212\)$/);
    assert.doesNotMatch(error.message, /No matching federated/);
    assert.ok(!error.message.includes(assertion));
    return true;
  });
  await assert.rejects(
    mint(entra, await entra.assertion(), { scope: 'https://other.example.com/.default' }),
    /status 400, invalid_resource, AADSTS500011/,
  );
});

test('one token serves many requests, and comes back in nothing', async () => {
  await using entra = await openEntraService();
  await using scene = await openCredentialScene({
    credential: {
      kind: 'azure',
      tenant,
      clientId,
      scope,
      authorityUrl: entra.url,
      source: { env: 'ASSERTION' },
    },
    environment: { ASSERTION: await entra.assertion() },
  });
  await Promise.all([1, 2, 3].map(() => scene.get('/in/a', 'Authorization: Bearer placeholder')));
  assert.equal(entra.calls.length, 1);
  const [token = ''] = entra.tokens;
  assert.equal(scene.seen[0]?.headers.authorization, `Bearer ${token}`);
  scene.assertKept(token);
});
