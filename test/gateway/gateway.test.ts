import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { CredentialSet } from '../../src/gateway/credentials/credential-set.ts';
import { factsOf } from '../../src/gateway/session-facts.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { policyOf, principal } from '../policy/fixture.ts';

test('a session is told of no more ports than capturePortsMax of the configuration, the lowest first', () => {
  const policy = policyOf(
    'rules: [{ name: r, hosts: a.test.example, scheme: tcp, ports: [5432, 22, 6379, 8443, 443] }]',
  );
  const credentials = new CredentialSet({}, {}, () => assert.fail('nothing is fetched'), {
    limits: defaultLimits,
  });
  const ports = (capturePortsMax: number): readonly number[] =>
    factsOf(principal(), policy, {
      credentials,
      limits: { ...defaultLimits, capturePortsMax },
      signingKey: createSigningKey(),
      onFault: assert.ifError,
    }).capturePorts;
  assert.deepEqual(ports(256), [22, 5432, 6379, 8443]);
  assert.deepEqual(ports(2), [22, 5432]);
  assert.deepEqual(ports(0), []);
});
