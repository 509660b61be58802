import assert from 'node:assert/strict';
import test from 'node:test';

import { TrustContexts } from '../../src/net/trust-contexts.ts';
import { createTestAuthority } from '../support/test-authority.ts';

test('one context serves every dial with the same trust, and another trust has its own', () => {
  const authority = createTestAuthority();
  const contexts = new TrustContexts([authority.caPem]);
  const { cert, key } = authority.issue('client.test');
  assert.equal(contexts.get(), contexts.get({}));
  assert.notEqual(contexts.get(), contexts.get({ ca: [authority.caPem] }));
  assert.equal(contexts.get({ cert, key }), contexts.get({ cert, key }));
  assert.notEqual(contexts.get({ cert, key }), contexts.get());
});

test('texts that are no certificate or key are refused', () => {
  const contexts = new TrustContexts([]);
  assert.throws(() => contexts.get({ cert: 'nonsense', key: 'nonsense' }));
});

test('contexts that are not used make room for others', () => {
  const { caPem } = createTestAuthority();
  const contexts = new TrustContexts([caPem]);
  const first = contexts.get({ ca: [caPem] });
  for (let i = 0; i < 64; i++) contexts.get({ ca: [caPem, '\n'.repeat(i + 1)] });
  assert.notEqual(contexts.get({ ca: [caPem] }), first);
});
