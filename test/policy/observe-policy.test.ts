import assert from 'node:assert/strict';
import { test } from 'node:test';
import { observePolicy } from '../../src/policy/observe-policy.ts';
import { access, nowMs, principal } from './fixture.ts';

test('without a policy TLS and HTTP go through opened and recorded, with no credential and no private network', () => {
  for (const text of [
    'https://a.example.com',
    'http://a.example.com:8080',
    'GET https://a.example.com/',
    'GET http://192.0.2.1/',
  ]) {
    // A connection is no request yet.
    const isRequest = text.startsWith('GET');
    assert.deepEqual(observePolicy().decide(principal(), access(text), nowMs), {
      effect: 'allow',
      rule: { name: 'observe' },
      handling: 'intercept',
      inject: [],
      addresses: [],
      limits: {},
      observed: 'default-deny',
      ...(isRequest ? { isByDestination: true } : {}),
    });
  }
});

test('raw TCP stays closed, and no port is captured', () => {
  assert.equal(observePolicy().decide(principal(), access('a.example.com:22'), nowMs).effect, 'deny');
  assert.deepEqual(observePolicy().capturePorts(principal()), []);
});
