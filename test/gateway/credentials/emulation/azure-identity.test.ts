import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';

import {
  azureIdentity,
  azureIdentityPath,
} from '../../../../src/gateway/credentials/emulation/azure-identity.ts';
import type { EmulatedResponse } from '../../../../src/gateway/credentials/emulation/emulations.ts';

const placeholder = 'upstreamproxy-placeholder-vault';
const ownHost = 'upstreamproxy.invalid';
const nowMs = Date.UTC(2026, 10, 28);
const emulation = azureIdentity({ tenant: 't', clientId: 'c', placeholder, ownHost });

const asked = (
  host: string,
  path: string,
  query: string,
  fields: Readonly<Record<string, string>>,
): EmulatedResponse | undefined =>
  emulation.respond({ method: 'GET', host, path, query, field: (name) => fields[name], body: '', nowMs });
const resource = 'resource=https%3A%2F%2Fvault.azure.net';
const application = (query: string, header: string) =>
  asked(ownHost, azureIdentityPath, query, { 'x-identity-header': header });
const instance = (fields: Readonly<Record<string, string>>, query = `api-version=2018-02-01&${resource}`) =>
  asked('169.254.169.254', '/metadata/identity/oauth2/token', query, fields);

test('both endpoints give a look-alike for the resource that is asked for', () => {
  for (const response of [
    application(`api-version=2019-08-01&${resource}`, placeholder),
    instance({ metadata: 'true' }),
  ]) {
    assert.equal(response?.status, 200);
    const given = JSON.parse(response.text) as Record<string, string>;
    assert.equal(given['expires_on'], String(nowMs / 1000 + 3599));
    assert.equal(given['resource'], 'https://vault.azure.net');
    const token = given['access_token'] ?? '';
    assert.equal(decodeJwt(token).aud, 'https://vault.azure.net');
    assert.equal(Buffer.from(token.split('.')[2] ?? '', 'base64url').toString(), placeholder);
  }
});

test('without the headers that the real ones want there is nothing', () => {
  assert.equal(application(`api-version=2019-08-01&${resource}`, '')?.status, 401);
  assert.equal(application(`api-version=2017-09-01&${resource}`, placeholder)?.status, 400);
  assert.equal(application('api-version=2019-08-01', placeholder)?.status, 400);
  assert.equal(instance({})?.status, 400);
  assert.equal(instance({ metadata: 'true', 'x-forwarded-for': '1.2.3.4' })?.status, 400);
});

test('each path is at its own host', () => {
  assert.equal(asked('169.254.169.254', azureIdentityPath, '', {}), undefined);
  assert.equal(asked(ownHost, '/metadata/identity/oauth2/token', '', {}), undefined);
});
