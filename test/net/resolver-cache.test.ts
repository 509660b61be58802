import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { ResolverCache, type KnownName } from '../../src/net/resolver-cache.ts';

const known = (address: string): KnownName => ({ addresses: [address], expiresMs: 0 });
const of = (principalId: string, host: string): { principalId: string; host: string } => ({
  principalId,
  host,
});

test('what one principal knows is not known to another, whatever they are called', () => {
  const cache = new ResolverCache(10);
  cache.set(of('a', 'x.test'), known('192.0.2.1'), 's');
  cache.set(of('a\0x.test', 'x.test'), known('192.0.2.2'), 's');
  assert.deepEqual(cache.get(of('a', 'x.test'))?.addresses, ['192.0.2.1']);
  assert.deepEqual(cache.get(of('a\0x.test', 'x.test'))?.addresses, ['192.0.2.2']);
  assert.equal(cache.get(of('b', 'x.test')), undefined);
});

test('of a payer the name goes that was used longest ago', () => {
  const cache = new ResolverCache(2);
  for (const host of ['a', 'b']) cache.set(of('p', host), known(host), 's');
  cache.get(of('p', 'a'));
  cache.set(of('p', 'c'), known('c'), 's');
  assert.deepEqual(
    ['a', 'b', 'c'].map((host) => cache.get(of('p', host)) !== undefined),
    [true, false, true],
  );
});

test('a bound of nothing keeps nothing', () => {
  const cache = new ResolverCache(0);
  cache.set(of('p', 'a'), known('a'), 's');
  assert.equal(cache.size, 0);
});

test('the bound holds, and who has no more than its part of it never loses a name, whatever the others do', () => {
  const max = 12;
  const payers = ['s1', 's2', 's3', 's4'];
  const part = max / payers.length;
  const step = fc.record({
    payer: fc.constantFrom(...payers),
    host: fc.integer({ min: 0, max: 40 }).map(String),
    looks: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = new ResolverCache(max);
      /** Names of those who never had more than their part. */
      const modest = new Map(payers.map((payer) => [payer, new Set<string>()]));
      for (const { payer, host, looks } of steps) {
        const name = of(payer, host);
        if (looks) cache.get(name);
        else {
          cache.set(name, known(host), payer);
          modest.get(payer)?.add(host);
          if ((modest.get(payer)?.size ?? 0) > part) modest.delete(payer);
        }
        assert.ok(cache.size <= max);
        for (const [principalId, hosts] of modest)
          for (const kept of hosts) assert.ok(cache.get(of(principalId, kept)) !== undefined);
      }
    }),
    { seed: 20_261, numRuns: 200 },
  );
});

test('a name that another session of the principal asks for again moves to its share', () => {
  const cache = new ResolverCache(3);
  for (const host of ['a', 'b', 'c']) cache.set(of('p', host), known(host), 'first');
  for (const host of ['b', 'c']) cache.set(of('p', host), known(host), 'second');
  assert.equal(cache.size, 3);
  cache.set(of('p', 'd'), known('d'), 'first');
  // Both have two then; the bound is three, and `second` came to two first.
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((host) => cache.get(of('p', host)) !== undefined),
    [true, false, true, true],
  );
});
