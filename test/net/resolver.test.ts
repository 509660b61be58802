import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { createResolver, type OwnedResolver, type ResolverOptions } from '../../src/net/resolver.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { startDnsServer, type DnsServer } from './dns-server.ts';

interface Setup {
  readonly limits?: Partial<Limits>;
  readonly options?: Partial<ResolverOptions>;
}

function resolverOf(dns: DnsServer, { limits = {}, options = {} }: Setup = {}): OwnedResolver {
  return createResolver({
    limits: { ...defaultLimits, ...limits },
    servers: [dns.server],
    hostsFile: false,
    ...options,
  });
}

const alice = { principalId: 'alice' };
const bob = { principalId: 'bob' };

test('a name gives the addresses of both families, asked for as it stands', async () => {
  await using dns = await startDnsServer(() => ({ ttl: 60, addresses: ['192.0.2.1', '2001:DB8::1'] }));
  assert.deepEqual((await resolverOf(dns).resolve('api.example.test', alice)).toSorted(), [
    '192.0.2.1',
    '2001:db8::1',
  ]);
  assert.deepEqual(dns.queries.toSorted(), ['A api.example.test', 'AAAA api.example.test']);
});

test('a chain of names gives the addresses at its end', async () => {
  await using dns = await startDnsServer(() => ({
    ttl: 60,
    addresses: ['10.1.2.3'],
    cname: 'redis.internal',
  }));
  assert.deepEqual(await resolverOf(dns).resolve('allowed.test', alice), ['10.1.2.3']);
});

test('a chain that turns in a circle, or never comes to an address, gives none, and does not take longer than one look-up may', async () => {
  const circle = ['b.test', 'c.test', 'loop.test', 'b.test'];
  await using dns = await startDnsServer((name) => ({
    ttl: 60,
    addresses: [],
    // A server that only ever says where to ask next.
    cname: name === 'loop.test' ? circle : Array.from({ length: 8 }, (_, i) => `n${i}.${name}`),
  }));
  using resolver = resolverOf(dns);
  await assert.rejects(resolver.resolve('loop.test', alice), { code: 'name_not_found' });
  await assert.rejects(resolver.resolve('endless.test', alice), { code: 'name_not_found' });
  // The name server follows chains, not we: one question for each family, and none about what it answered.
  assert.equal(dns.queries.length, 4);
});

test('a chain with addresses in a circle is judged like any other, and ends', async () => {
  await using dns = await startDnsServer(() => ({
    ttl: 60,
    addresses: ['192.0.2.1'],
    cname: ['b.test', 'loop.test', 'b.test'],
  }));
  // c-ares takes the addresses of the answer, whatever name they stand under.
  assert.deepEqual(await resolverOf(dns).resolve('loop.test', alice), ['192.0.2.1']);
});

test('a name that does not exist, and one without addresses, are not found', async () => {
  await using dns = await startDnsServer((name) =>
    name === 'none.test' ? 'nxdomain' : { ttl: 60, addresses: [] },
  );
  using resolver = resolverOf(dns);
  await assert.rejects(resolver.resolve('none.test', alice), {
    code: 'name_not_found',
    message: /none\.test/,
  });
  await assert.rejects(resolver.resolve('empty.test', alice), { code: 'name_not_found' });
});

test('an answer is kept as long as its TTL says, up to the limit, and a TTL of 0 for a second', async () => {
  let nowMs = 0;
  await using dns = await startDnsServer((name) => ({
    ttl: name === 'zero.test' ? 0 : 3600,
    addresses: ['192.0.2.1'],
  }));
  using resolver = resolverOf(dns, { options: { clock: () => nowMs } });
  const ask = async (name: string): Promise<number> => {
    const before = dns.queries.length;
    await resolver.resolve(name, alice);
    return dns.queries.length - before;
  };
  assert.deepEqual([await ask('long.test'), await ask('long.test')], [2, 0]);
  nowMs = defaultLimits.resolverTtlMsMax + 1;
  assert.equal(await ask('long.test'), 2);
  assert.deepEqual([await ask('zero.test'), await ask('zero.test')], [2, 0]);
  nowMs += defaultLimits.resolverTtlMsMin + 1;
  assert.deepEqual([await ask('zero.test'), await ask('zero.test')], [2, 0]);
});

test('nothing is kept where the limit says so, neither addresses nor that there are none', async () => {
  await using dns = await startDnsServer((name) =>
    name === 'none.test' ? 'nxdomain' : { ttl: 60, addresses: ['192.0.2.1'] },
  );
  using resolver = resolverOf(dns, { limits: { resolverTtlMsMax: 0 } });
  for (let i = 0; i < 2; i++) await resolver.resolve('a.test', alice);
  for (let i = 0; i < 2; i++)
    await assert.rejects(resolver.resolve('none.test', alice), { code: 'name_not_found' });
  assert.equal(dns.queries.length, 8);
});

test('that a name is not there is kept for its principal and for a moment', async () => {
  let nowMs = 0;
  const there = new Set<string>();
  await using dns = await startDnsServer((name) => {
    if (there.has(name)) return { ttl: 60, addresses: ['192.0.2.1'] };
    return name === 'empty.test' ? { ttl: 60, addresses: [] } : 'nxdomain';
  });
  using resolver = resolverOf(dns, { options: { clock: () => nowMs } });
  for (const name of ['none.test', 'empty.test']) {
    const before = dns.queries.length;
    for (let i = 0; i < 3; i++)
      await assert.rejects(resolver.resolve(name, alice), {
        code: 'name_not_found',
        message: new RegExp(name),
      });
    assert.equal(dns.queries.length - before, 2);
    await assert.rejects(resolver.resolve(name, bob), { code: 'name_not_found' });
    assert.equal(dns.queries.length - before, 4);
    there.add(name);
    nowMs += defaultLimits.resolverNegativeTtlMs + 1;
    assert.deepEqual(await resolver.resolve(name, alice), ['192.0.2.1']);
  }
});

test('a name server that is out of order, or loses one question, says nothing of the name', async () => {
  let isBroken = true;
  await using dns = await startDnsServer((name, type) => {
    if (!isBroken) return { ttl: 60, addresses: ['192.0.2.1'] };
    if (name === 'half.test' && type === 'A') return 'nxdomain';
    return name === 'half.test' ? 'silence' : 'servfail';
  });
  using resolver = resolverOf(dns, { limits: { resolveTimeoutMs: 300 } });
  await assert.rejects(resolver.resolve('broken.test', alice), { code: 'name_not_found' });
  await assert.rejects(resolver.resolve('half.test', alice), { code: 'timeout' });
  isBroken = false;
  for (const name of ['broken.test', 'half.test'])
    assert.deepEqual(await resolver.resolve(name, alice), ['192.0.2.1']);
});

test('a session that asks for many names evicts only its own, of one principal too', async () => {
  await using dns = await startDnsServer((name) =>
    name.startsWith('no') ? 'nxdomain' : { ttl: 60, addresses: ['192.0.2.1'] },
  );
  using resolver = resolverOf(dns, { limits: { resolverCacheMax: 8 } });
  const quiet = { ...alice, sessionId: 'quiet' };
  const loud = { ...alice, sessionId: 'loud' };
  for (const name of ['a.test', 'b.test']) await resolver.resolve(name, quiet);
  await resolver.resolve('c.test', bob);
  for (let i = 0; i < 20; i++) {
    await resolver.resolve(`n${i}.test`, loud);
    await assert.rejects(resolver.resolve(`no${i}.test`, loud));
  }
  const before = dns.queries.length;
  for (const name of ['a.test', 'b.test']) await resolver.resolve(name, quiet);
  await resolver.resolve('c.test', bob);
  assert.equal(dns.queries.length, before);
  // The name is its principal's, whichever session pays for it.
  await resolver.resolve('a.test', loud);
  assert.equal(dns.queries.length, before);
});

test('what one principal resolved is asked again for another', async () => {
  await using dns = await startDnsServer(() => ({ ttl: 60, addresses: ['192.0.2.1'] }));
  using resolver = resolverOf(dns);
  await resolver.resolve('a.test', alice);
  await resolver.resolve('a.test', bob);
  assert.equal(dns.queries.length, 4);
});

test('equal look-ups of one principal at the same time share one query', async () => {
  await using dns = await startDnsServer(() => ({ ttl: 0, addresses: ['192.0.2.1'] }));
  using resolver = resolverOf(dns);
  await Promise.all([1, 2, 3].map(() => resolver.resolve('a.test', alice)));
  assert.equal(dns.queries.length, 2);
});

test('stalled names of one principal meet its bound and leave the others alone', async () => {
  await using dns = await startDnsServer((name) =>
    name.startsWith('stall') ? 'silence' : { ttl: 60, addresses: ['192.0.2.1'] },
  );
  using resolver = resolverOf(dns, { limits: { lookupsPendingMax: 2, resolveTimeoutMs: 1_000 } });
  const stalled = ['stall1.test', 'stall2.test'].map((name) =>
    assert.rejects(resolver.resolve(name, alice), { code: 'timeout', message: /resolveTimeoutMs/ }),
  );
  await assert.rejects(resolver.resolve('a.test', alice), {
    code: 'limit_exceeded',
    message: /lookupsPendingMax/,
  });
  assert.deepEqual(await resolver.resolve('a.test', bob), ['192.0.2.1']);
  await Promise.all(stalled);
  assert.deepEqual(await resolver.resolve('a.test', alice), ['192.0.2.1']);
});

test('a family that stays silent does not hold up the other, and then nothing is kept', async () => {
  await using dns = await startDnsServer((_, type) =>
    type === 'AAAA' ? 'silence' : { ttl: 60, addresses: ['192.0.2.1'] },
  );
  using resolver = resolverOf(dns);
  assert.deepEqual(await resolver.resolve('a.test', alice), ['192.0.2.1']);
  const before = dns.queries.filter((query) => query.startsWith('A ')).length;
  await resolver.resolve('a.test', alice);
  assert.equal(dns.queries.filter((query) => query.startsWith('A ')).length, before + 1);
});

test('an aborted look-up ends at once and asks nothing if it was aborted before', async () => {
  await using dns = await startDnsServer(() => 'silence');
  using resolver = resolverOf(dns);
  await assert.rejects(resolver.resolve('a.test', { ...alice, signal: AbortSignal.abort() }), {
    code: 'cancelled',
  });
  assert.equal(dns.queries.length, 0);
  const abort = new AbortController();
  const pending = resolver.resolve('a.test', { ...alice, signal: abort.signal });
  const rejected = assert.rejects(pending, { code: 'cancelled' });
  setImmediate(() => {
    abort.abort();
  });
  await rejected;
});

test('queries end with the resolver, and none begins afterwards', async () => {
  const asked = Promise.withResolvers<void>();
  await using dns = await startDnsServer(() => {
    asked.resolve();
    return 'silence';
  });
  using resolver = resolverOf(dns);
  const rejected = assert.rejects(resolver.resolve('a.test', alice), { code: 'shutting_down' });
  await asked.promise;
  resolver[Symbol.dispose]();
  await rejected;
  await assert.rejects(resolver.resolve('b.test', alice), { code: 'shutting_down' });
});

test('fixed names come first and are never asked for', async () => {
  await using dns = await startDnsServer(() => 'nxdomain');
  using resolver = resolverOf(dns, { options: { hosts: { 'registry.test': ['127.0.0.1'] } } });
  assert.deepEqual(await resolver.resolve('registry.test', alice), ['127.0.0.1']);
  assert.equal(dns.queries.length, 0);
  await assert.rejects(resolver.resolve('constructor', alice), { code: 'name_not_found' });
});

test('names of the hosts file are found, in any spelling, and a change of it is seen', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hosts-'));
  t.after(() => rm(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  let nowMs = 0;
  await using dns = await startDnsServer(() => 'nxdomain');
  using resolver = resolverOf(dns, { options: { hostsFile, clock: () => nowMs } });
  await assert.rejects(resolver.resolve('a.test', alice), { code: 'name_not_found' });
  await writeFile(hostsFile, '# comment\n10.0.0.1\tA.test b.test. # c.test\n::1 a.test\nnonsense d.test\n');
  nowMs += 2000;
  assert.deepEqual(await resolver.resolve('a.test', alice), ['10.0.0.1', '::1']);
  assert.deepEqual(await resolver.resolve('b.test', alice), ['10.0.0.1']);
  for (const name of ['c.test', 'd.test'])
    await assert.rejects(resolver.resolve(name, alice), { code: 'name_not_found' });
  await rm(hostsFile);
  nowMs += 2000;
  await assert.rejects(resolver.resolve('a.test', alice), { code: 'name_not_found' });
});

test('look-ups at the same time all wait for the hosts file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hosts-'));
  t.after(() => rm(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  await writeFile(hostsFile, '10.0.0.1 a.test\n');
  await using dns = await startDnsServer(() => ({ ttl: 60, addresses: ['192.0.2.1'] }));
  using resolver = resolverOf(dns, { options: { hostsFile } });
  const found = await Promise.all([alice, bob, alice].map((whose) => resolver.resolve('a.test', whose)));
  assert.deepEqual(found, [['10.0.0.1'], ['10.0.0.1'], ['10.0.0.1']]);
  assert.deepEqual(dns.queries, []);
});

test('a hosts file that cannot be read for a moment keeps its names', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'hosts-'));
  t.after(() => rm(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  await writeFile(hostsFile, '10.0.0.1 a.test\n');
  let nowMs = 0;
  await using dns = await startDnsServer(() => 'nxdomain');
  using resolver = resolverOf(dns, { options: { hostsFile, clock: () => nowMs } });
  assert.deepEqual(await resolver.resolve('a.test', alice), ['10.0.0.1']);
  await rm(hostsFile);
  // A folder can be looked at and not be read.
  await mkdir(hostsFile);
  nowMs += 2000;
  assert.deepEqual(await resolver.resolve('a.test', alice), ['10.0.0.1']);
});

test('the names behind a name are told in order and in canonical form, and asked for once', async () => {
  await using dns = await startDnsServer(() => ({
    ttl: 60,
    addresses: ['192.0.2.1'],
    cname: ['WWW.Provider.test', 'edge_7.provider.test'],
  }));
  using resolver = resolverOf(dns);
  await resolver.resolve('a.test', alice);
  for (let i = 0; i < 2; i++)
    assert.deepEqual(await resolver.aliases('a.test', 'alice'), [
      'www.provider.test',
      'edge_7.provider.test',
    ]);
  assert.deepEqual(dns.aliasQueries, ['a.test', 'www.provider.test', 'edge_7.provider.test']);
});

test('the names behind a name end where there is none, where they turn in a circle, and after eight', async () => {
  const chains: Readonly<Record<string, readonly string[]>> = {
    'plain.test': [],
    'circle.test': ['b.test', 'circle.test'],
    'long.test': Array.from({ length: 12 }, (_, at) => `n${at}.test`),
    'odd.test': ['b.test', 'no name.test', 'c.test'],
  };
  await using dns = await startDnsServer((name) => ({
    ttl: 60,
    addresses: ['192.0.2.1'],
    cname: chains[name] ?? [],
  }));
  using resolver = resolverOf(dns, { options: { hosts: { 'fixed.test': ['192.0.2.1'] } } });
  const found: (readonly string[])[] = [];
  for (const name of ['plain.test', 'circle.test', 'long.test', 'odd.test', 'fixed.test']) {
    await resolver.resolve(name, bob);
    found.push(await resolver.aliases(name, 'bob'));
  }
  assert.deepEqual(found, [[], ['b.test'], chains['long.test']?.slice(0, 8), ['b.test'], []]);
});

test('names that stall are followed in bounded number, and an address is not kept from anybody', async () => {
  await using dns = await startDnsServer(() => ({ ttl: 60, addresses: ['192.0.2.1'] }));
  using resolver = resolverOf(dns, { limits: { lookupsPendingMax: 1 } });
  const first = resolver.aliases('a.test', 'alice');
  assert.deepEqual(await resolver.aliases('b.test', 'alice'), []);
  assert.deepEqual(await first, []);
  await resolver.aliases('c.test', 'alice');
  assert.deepEqual(dns.aliasQueries, ['a.test', 'c.test']);
});

test('the cache has a bound over all principals', async () => {
  await using dns = await startDnsServer(() => ({ ttl: 60, addresses: ['192.0.2.1'] }));
  using resolver = resolverOf(dns, { limits: { resolverCacheMax: 2 } });
  for (const name of ['a.test', 'b.test', 'c.test']) await resolver.resolve(name, alice);
  const before = dns.queries.length;
  await resolver.resolve('c.test', alice);
  assert.equal(dns.queries.length, before);
  await resolver.resolve('a.test', alice);
  assert.equal(dns.queries.length, before + 2);
});
