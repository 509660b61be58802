// An issuer whose keys are served under an authority that the gateway's roots do not have: it alone is verified against that authority.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { openIssuers } from '../../../src/gateway/gateway-parts.ts';
import { verifySessionToken } from '../../../src/gateway/sessions/session-token.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { openTestServices } from '../support/service-fetch.ts';
import { audience, startMs } from '../session-fixture.ts';

test('the keys of an issuer are fetched by its own authority, which counts for no other issuer and no origin', async () => {
  await using directory = await temporaryDirectory();
  const authority = createTestAuthority();
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const server = createServer(authority.issue('localhost'), (_request, response) =>
    response.end(JSON.stringify({ keys: [jwk] })),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // What the gateway trusts is another authority.
  await using services = openTestServices([createTestAuthority().caPem]);
  try {
    // Listening on a port, not on a path.
    const jwksUrl = `https://localhost:${(server.address() as AddressInfo).port}/keys`;
    const file = join(directory.path, 'ca.pem');
    await writeFile(file, authority.caPem);
    const settings = (issuer: string, ca: readonly string[]) => ({
      issuer,
      jwksUrl,
      algorithms: ['ES256'],
      ca,
    });
    const [own, other] = ['https://own.example.com', 'https://other.example.com'] as const;
    const issuers = [settings(own, [file]), settings(other, [])];
    const trust = await openIssuers({ issuers, limits: defaultLimits }, services.fetch);
    const verify = async (issuer: string) => {
      const token = await new SignJWT()
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject('someone')
        .setJti('jti-1')
        .setIssuedAt(startMs / 1000)
        .setExpirationTime(startMs / 1000 + 600)
        .sign(privateKey);
      return verifySessionToken(token, { trust, audience, nowMs: startMs });
    };
    await assert.rejects(verify(other), { code: 'issuer_unavailable' });
    assert.equal((await verify(own)).subject, 'someone');
    await assert.rejects(verify(other), { code: 'issuer_unavailable' });
    await assert.rejects(services.fetch(jwksUrl, { method: 'GET', headers: {} }));
    await writeFile(file, 'no certificate');
    await assert.rejects(openIssuers({ issuers, limits: defaultLimits }, services.fetch));
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
