import assert from 'node:assert/strict';
import { test } from 'node:test';

import { askedRequest, judgedAccess } from '../../../src/gateway/policies/asked-access.ts';
import { nowMs, policyOf, principal } from '../../policy/fixture.ts';

test('where TLS passes unopened the connection is what is decided about', () => {
  const policy = policyOf(`rules:
  - { name: pass, hosts: pin.example.com, tls: passthrough }
  - { name: raw, hosts: db.example.com, scheme: tcp, ports: 5432 }
  - { name: read, hosts: api.example.com }`);
  const judged = (url: string): string => {
    const access = judgedAccess(askedRequest('GET', url), (asked) =>
      policy.decide(principal(), asked, nowMs),
    );
    return `${access.depth} ${access.destination.scheme}`;
  };
  assert.equal(judged('https://pin.example.com/x'), 'connect https');
  assert.equal(judged('https://db.example.com:5432/x'), 'connect tcp');
  assert.equal(judged('https://api.example.com/x'), 'request https');
  // To a proxy it is sent as a request.
  assert.equal(judged('http://pin.example.com/x'), 'request http');
});
