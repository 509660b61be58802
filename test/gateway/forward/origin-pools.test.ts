import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeaderList } from '../../../src/http/header-list.ts';
import { OriginPools, originKeyOf, originKeyText } from '../../../src/gateway/forward/origin-pools.ts';
import type { OriginKey } from '../../../src/gateway/forward/origin-pools.ts';

const key: OriginKey = {
  destination: { scheme: 'https', host: 'example.com', port: 443 },
  principalId: 'issuer|alice',
  sessionId: 'first',
  addresses: [],
  credentials: ['token'],
  isKeptAfterBody: false,
};

test('nothing is shared where session, destination, networks, credentials or TLS identity differ', () => {
  const others: OriginKey[] = [
    key,
    { ...key, principalId: 'issuer|bob' },
    { ...key, sessionId: 'second' },
    { ...key, credentials: [] },
    { ...key, credentials: ['other'] },
    { ...key, credentials: ['token', 'other'] },
    { ...key, isKeptAfterBody: true },
    { ...key, destination: { ...key.destination, port: 8443 } },
    { ...key, destination: { ...key.destination, scheme: 'http' } },
    { ...key, destination: { ...key.destination, host: 'example.org' } },
    { ...key, addresses: ['10.0.0.0/8'] },
    { ...key, tls: { ca: ['x'] } },
    { ...key, tls: { ca: ['y'] } },
    { ...key, via: '' },
    { ...key, via: '-' },
    { ...key, via: '1.1 proxy' },
  ];
  assert.equal(new Set(others.map(originKeyText)).size, others.length);
});

test('no two keys have one text, whatever stands in them', () => {
  const text = fc
    .array(fc.constantFrom('', '1', ':', ',', '-', '0,', '1:a', 'a', '2:', ' ', 'kept', '\n'), {
      maxLength: 3,
    })
    .map((pieces) => pieces.join(''));
  const keys = fc.record({
    principalId: text,
    sessionId: text,
    addresses: fc.array(text, { maxLength: 3 }),
    credentials: fc.array(text, { maxLength: 3 }),
    isKeptAfterBody: fc.boolean(),
    via: fc.option(text, { nil: undefined }),
  });
  const byText = new Map<string, string>();
  const property = fc.property(keys, (differs) => {
    const one: OriginKey = { ...key, ...differs };
    const said = JSON.stringify(one);
    assert.equal(byText.get(originKeyText(one)) ?? said, said);
    byText.set(originKeyText(one), said);
  });
  fc.assert(property, { numRuns: 5000, seed: 20261127 });
});

test('the same key gets the same pool, and every pool is closed at the end', () => {
  const closed: number[] = [];
  let opened = 0;
  const pools = new OriginPools<number>(
    () => (opened += 1),
    (pool) => closed.push(pool),
  );
  const first = pools.use(key);
  const second = pools.use(key);
  assert.equal(first.pool, second.pool);
  assert.notEqual(pools.use({ ...key, principalId: 'issuer|bob' }).pool, first.pool);
  pools[Symbol.dispose]();
  assert.deepEqual(closed, [1, 2]);
});

test('the number of pools is bounded and a pool in use is never the one that goes', () => {
  const closed = new Set<string>();
  const pools = new OriginPools<string>(
    ({ principalId }) => principalId,
    (pool) => closed.add(pool),
  );
  pools.use({ ...key, principalId: 'busy' });
  for (let i = 0; i < 20_000; i += 1) pools.use({ ...key, principalId: `p${String(i)}` }).release();
  assert.ok(pools.size <= 16_384);
  assert.equal(closed.has('busy'), false);
  assert.ok(closed.has('p0'));
  pools[Symbol.dispose]();
});

test('with every pool in use the next one is refused, and one that is given back makes room', () => {
  const limits = { originPoolsMax: 3, originPoolsPerPrincipalMax: 2, originPoolsPerSessionMin: 0 };
  const pools = new OriginPools<string>(
    ({ principalId }) => principalId,
    () => undefined,
    limits,
  );
  const at = (principalId: string, port: number): OriginKey => ({
    ...key,
    principalId,
    destination: { ...key.destination, port },
  });
  const first = pools.use(at('a', 1));
  pools.use(at('a', 2));
  // Its own share is used up, what it has goes on, and others are not concerned.
  assert.throws(() => pools.use(at('a', 3)), { code: 'limit_exceeded', limit: 'originPoolsPerPrincipalMax' });
  const again = pools.use(at('a', 1));
  pools.use(at('b', 1));
  assert.throws(() => pools.use(at('c', 1)), { code: 'limit_exceeded', limit: 'originPoolsMax' });
  assert.equal(pools.size, 3);
  first.release();
  assert.throws(() => pools.use(at('c', 1)), { limit: 'originPoolsMax' });
  again.release();
  again.release();
  pools.use(at('c', 1));
  assert.equal(pools.size, 3);
  assert.throws(() => pools.use(at('a', 3)), { limit: 'originPoolsMax' });
  pools[Symbol.dispose]();
});

test('a session with all destinations of its principal leaves another one of the same its few', () => {
  const limits = { originPoolsMax: 100, originPoolsPerPrincipalMax: 4, originPoolsPerSessionMin: 2 };
  const pools = new OriginPools<string>(
    ({ sessionId }) => sessionId,
    () => undefined,
    limits,
  );
  const at = (sessionId: string, port: number): OriginKey => ({
    ...key,
    sessionId,
    destination: { ...key.destination, port },
  });
  for (let port = 1; port <= 4; port += 1) pools.use(at('greedy', port));
  const refusal = { code: 'limit_exceeded', limit: 'originPoolsPerPrincipalMax' };
  assert.throws(() => pools.use(at('greedy', 5)), refusal);
  const first = pools.use(at('other', 1));
  pools.use(at('other', 2));
  assert.throws(() => pools.use(at('other', 3)), refusal);
  first.release();
  pools.use(at('other', 3));
  pools[Symbol.dispose]();
});

test('the key of a request holds neither its fields, which may be a credential, nor its signal', () => {
  const destination = { scheme: 'https', host: 'origin.test', port: 443 } as const;
  const key = originKeyOf({
    head: {
      method: 'GET',
      destination,
      path: '/',
      query: '',
      headers: new HeaderList([['authorization', 'Bearer secret']]),
      httpVersion: '1.1',
    },
    body: undefined,
    bodyLength: undefined,
    principalId: 'p',
    sessionId: 's',
    addresses: ['10.0.0.0/8'],
    credentials: ['b', 'a'],
    signal: new AbortController().signal,
  });
  assert.deepEqual(key, {
    destination,
    principalId: 'p',
    sessionId: 's',
    addresses: ['10.0.0.0/8'],
    // In whatever order a rule names them.
    credentials: ['a', 'b'],
    isKeptAfterBody: false,
    tls: undefined,
    via: undefined,
    exit: undefined,
  });
});
