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

/** Texts by which parts could be taken for others: digits, what stands between parts, and what stands for one that is not there. */
const piece = fc.constantFrom(
  '',
  '0',
  '1',
  '1:',
  ':',
  ',',
  '-',
  '0,',
  '1,1:a',
  'a',
  '2:a',
  ' ',
  'kept',
  '\n',
  'é',
);
const pieces = fc.array(piece, { maxLength: 3 }).map((parts) => parts.join(''));
const maybe = fc.option(pieces, { nil: undefined });
const list = fc.array(pieces, { maxLength: 3 });

const wholeKeys: fc.Arbitrary<OriginKey> = fc.record({
  destination: fc.record({
    scheme: fc.constantFrom('http', 'https', 'tcp'),
    host: fc.constantFrom('a.test', '1.test', '::1', '11.1.1.1'),
    port: fc.constantFrom(1, 11, 443, 4431),
  }),
  principalId: pieces,
  sessionId: pieces,
  addresses: list,
  credentials: list,
  isKeptAfterBody: fc.boolean(),
  tls: fc.option(fc.record({ ca: list, cert: pieces, key: pieces }, { requiredKeys: [] }), {
    nil: undefined,
  }),
  exit: maybe,
  via: maybe,
});

/** The parts of a key that are texts or lists of them, in the order in which they stand in its text. */
const parts = ['via', 'exit', 'principalId', 'sessionId', 'addresses', 'credentials'] as const;

/** What the part says, as one text of pieces, and the key with another in its place. */
function pieceMoved(
  one: OriginKey,
  from: (typeof parts)[number],
  to: (typeof parts)[number],
  at: number,
): OriginKey {
  const taken = one[from];
  const given = one[to];
  const moved = Array.isArray(taken) ? (taken as readonly string[]).at(-1) : (taken as string | undefined);
  if (moved === undefined || from === to) return one;
  const cut = at % (moved.length + 1);
  const [left, right] = [moved.slice(0, cut), moved.slice(cut)];
  const kept = Array.isArray(taken) ? [...taken.slice(0, -1), ...(cut === 0 ? [] : [left])] : left;
  const got = Array.isArray(given)
    ? [right, ...(given as readonly string[])]
    : `${right}${String(given ?? '')}`;
  return { ...one, [from]: kept, [to]: got };
}

const pairs = fc.oneof(
  // One part is another.
  fc
    .tuple(wholeKeys, wholeKeys, fc.constantFrom(...parts, 'destination', 'isKeptAfterBody', 'tls'))
    .map(([one, other, part]) => [one, { ...one, [part]: other[part as keyof OriginKey] }] as const),
  fc
    .tuple(wholeKeys, wholeKeys, fc.constantFrom('scheme', 'host', 'port'))
    .map(
      ([one, other, part]) =>
        [one, { ...one, destination: { ...one.destination, [part]: other.destination[part] } }] as const,
    ),
  // A piece of one part stands in the next one, or in any other.
  fc
    .tuple(wholeKeys, fc.nat({ max: parts.length - 1 }), fc.nat({ max: parts.length - 1 }), fc.nat())
    .map(([one, from, to, at]) => [one, pieceMoved(one, parts[from]!, parts[to]!, at)] as const),
  // A text of a list is two of it, or two are one.
  fc
    .tuple(wholeKeys, fc.constantFrom('addresses', 'credentials'), list, fc.nat())
    .map(([one, part, texts, at]) => {
      const all = texts.join('');
      const cut = at % (all.length + 1);
      return [
        { ...one, [part]: texts },
        { ...one, [part]: [all.slice(0, cut), all.slice(cut)] },
      ] as const;
    }),
  fc.tuple(wholeKeys, wholeKeys),
);

/** What two keys of one pool have in common, in words of the test: JSON leaves out what is undefined. */
const saidOf = (one: OriginKey): string =>
  JSON.stringify(
    [one, one.via === undefined, one.exit === undefined, one.tls === undefined],
    (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
        : value,
  );

test('keys of which a part differs, or a piece stands in another part, share no pool', () => {
  let opened = 0;
  let differing = 0;
  const property = fc.property(pairs, ([one, other]) => {
    const isSame = saidOf(one) === saidOf(other);
    if (!isSame) differing += 1;
    if (!isSame) assert.notEqual(originKeyText(one), originKeyText(other));
    const pools = new OriginPools<number>(
      () => (opened += 1),
      () => undefined,
    );
    // Each behind the other, since the pool that a session used last is found without its text.
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      const a = pools.use(first);
      const b = pools.use(second);
      const again = pools.use(structuredClone(first));
      assert.equal(a.pool === b.pool, isSame, `${saidOf(one)} ${saidOf(other)}`);
      assert.equal(again.pool, a.pool);
    }
    pools[Symbol.dispose]();
  });
  fc.assert(property, { numRuns: 6000, seed: 20261128 });
  assert.ok(differing > 3000, String(differing));
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
