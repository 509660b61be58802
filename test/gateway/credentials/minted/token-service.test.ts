import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { TokenService } from '../../../../src/gateway/credentials/minted/token-service.ts';
import type { ServiceFetch, ServiceRequest } from '../../../../src/gateway/forward/service-fetch.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import { withTemporaryDirectory } from '../../../support/temporary-directory.ts';

const nowMs = Date.UTC(2026, 10, 28, 10);
const url = 'https://tokens.example.com/v1/token';
const request = { method: 'POST', headers: {} } as const;

const serviceOf = (fetch: ServiceFetch, ca?: string): TokenService =>
  new TokenService({ name: 'it', ca, context: { environment: {}, fetch } });

test('what is refused names the credential, the service, its status and its words, and no cause of trouble is left out', async () => {
  const service = serviceOf(() =>
    Promise.resolve({ status: 400, text: '{"error":"invalid_grant"}', dateMs: nowMs }),
  );
  const response = await service.ask(url, request, nowMs);
  assert.deepEqual(response.json, { error: 'invalid_grant' });
  const error = service.refused(response, 'a token', 'invalid_grant');
  assert.equal(error.code, 'credential_unavailable');
  assert.equal(
    error.message,
    'credential it: tokens.example.com refused a token (status 400, invalid_grant)',
  );
});

test('a clock that differs by more than half a minute is told, with the direction', async () => {
  const at = async (skewMs: number): Promise<string> => {
    const service = serviceOf(() => Promise.resolve({ status: 401, text: '', dateMs: nowMs + skewMs }));
    const response = await service.ask(url, request, nowMs);
    assert.equal(response.serviceMs, nowMs + skewMs);
    return service.refused(response, 'a token').message;
  };
  assert.match(
    await at(301_000),
    /status 401\); its clock is 301 s ahead of the gateway's: set the gateway's clock$/,
  );
  assert.match(await at(-3_600_000), /its clock is 3600 s behind the gateway's/);
  assert.match(await at(29_000), /status 401\)$/);
});

test('a clock that differs is told once while it differs, though the service gives what is asked of it', async () => {
  let skewMs = 100_000;
  const told: string[] = [];
  const fetch: ServiceFetch = () => Promise.resolve({ status: 200, text: '{}', dateMs: nowMs + skewMs });
  const onFault = ({ message }: ProxyError): void => void told.push(message);
  const service = new TokenService({ name: 'it', context: { environment: {}, fetch, onFault } });
  const ask = () => service.ask(url, request, nowMs);
  await ask();
  await ask();
  skewMs = 1_000;
  await ask();
  skewMs = -100_000;
  await ask();
  const text = 'credential it: tokens.example.com responded; its clock is 100 s';
  assert.deepEqual(told, [
    `${text} ahead of the gateway's: set the gateway's clock`,
    `${text} behind the gateway's: set the gateway's clock`,
  ]);
});

test('a service that says no time is taken to have ours', async () => {
  const service = serviceOf(() => Promise.resolve({ status: 200, text: 'no json' }));
  const response = await service.ask(url, request, nowMs);
  assert.deepEqual([response.serviceMs, response.skewMs, response.json], [nowMs, 0, undefined]);
});

test('one that cannot be reached is named without what was sent', async () => {
  const service = serviceOf(() => Promise.reject(new Error('refused')));
  await assert.rejects(service.ask(url, { ...request, body: 'assertion=secret' }, nowMs), (error) => {
    assert.ok(error instanceof ProxyError);
    assert.equal(error.message, 'credential it: tokens.example.com cannot be reached');
    assert.doesNotMatch(String(error.cause), /secret/);
    return true;
  });
});

test('the authority of the configuration goes with each request', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, 'ca.pem');
    await writeFile(file, '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n');
    const seen: ServiceRequest[] = [];
    const service = serviceOf((_, one) => {
      seen.push(one);
      return Promise.resolve({ status: 200, text: '' });
    }, file);
    await service.ask(url, request, nowMs);
    assert.match(seen[0]?.ca?.[0] ?? '', /^-----BEGIN CERTIFICATE-----/);
  });
});
