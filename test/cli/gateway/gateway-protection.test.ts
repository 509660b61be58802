import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  forgetSecrets,
  openEnvironmentWarning,
  secretParts,
  secretSources,
} from '../../../src/cli/gateway/gateway-protection.ts';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';

test('variables that hold secrets are deleted, however deep they are named, and no others', () => {
  const environment = { A: '1', B: '2', UPSTREAMPROXY_WORKLOAD_B: '2', C: '3', PATH: '/bin' };
  forgetSecrets(environment, [
    { one: { source: { env: 'A' } } },
    { source: { env: 'B' }, file: 'C' },
    undefined,
  ]);
  assert.deepEqual(environment, { C: '3', PATH: '/bin' });
});

test('an operator is told of the variables that could be read, and not of those that hold placeholders', () => {
  const credentials = {
    one: { source: { env: 'API_TOKEN' }, placeholder: { env: 'GH_TOKEN' } },
    two: { source: { file: '/x' } },
  };
  const text = openEnvironmentWarning([credentials, { password: { env: 'PROXY_PASSWORD' } }]) ?? '';
  assert.match(text, /^API_TOKEN, PROXY_PASSWORD: .*source: \{ file/);
  assert.equal(openEnvironmentWarning([{ two: credentials.two }, undefined]), undefined);
  const environment = { GH_TOKEN: 'the operator’s own', API_TOKEN: 'secret' };
  forgetSecrets(environment, [credentials]);
  assert.deepEqual(environment, {});
});

test('telemetry, log-in and kept bodies name places of secrets too, and what the gateway makes itself is none', () => {
  const config = {
    ...embeddedConfig('/state'),
    telemetry: {
      otlp: {
        endpoint: 'https://collector.test',
        headers: { authorization: { env: 'COLLECTOR_TOKEN' } },
        ca: [],
        clientCertificate: { certificate: { file: '/pki/client.pem' }, key: { env: 'COLLECTOR_KEY' } },
        tracesSampled: 0,
        logs: false,
        metrics: false,
        metricsIntervalSeconds: 60,
        resource: { env: 'production' },
      },
      syslog: {
        host: 'siem.test',
        port: 6514,
        ca: [],
        clientCertificate: { certificate: { file: '/pki/siem.pem' }, key: { file: '/pki/siem.key' } },
        facility: 13,
        structuredDataId: 'x@1',
      },
    },
  };
  assert.deepEqual(secretSources(secretParts(config)), {
    variables: ['COLLECTOR_TOKEN', 'COLLECTOR_KEY'],
    files: ['/pki/client.pem', '/pki/siem.pem', '/pki/siem.key'],
  });
  const captured = { ...config.captured, key: { source: { env: 'BODY_KEY' } } };
  assert.ok(secretSources(secretParts({ ...config, captured })).variables.includes('BODY_KEY'));
});
