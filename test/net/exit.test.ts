import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { createDialer } from '../../src/net/dialer.ts';
import { directExit, proxyExit, type Exit } from '../../src/net/exit.ts';
import { fixedPlace, interfacePlace } from '../../src/net/local-place.ts';
import { ProxyChain } from '../../src/net/proxy-chain.ts';
import { createResolver } from '../../src/net/resolver.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { socksParent } from '../support/socks-parent.ts';

const limits = defaultLimits;

/** Tells each connection from where it came. */
async function mirror(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) =>
    socket.on('error', () => undefined).end(socket.remoteAddress ?? ''),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

function dialerOf(exits: readonly Exit[], exit?: Exit): ReturnType<typeof createDialer> {
  const hosts = { 'four.test': ['127.0.0.1'], 'six.test': ['::1'], 'both.test': ['::1', '127.0.0.1'] };
  const resolver = createResolver({ limits, hosts, hostsFile: false });
  return createDialer({
    resolver,
    trust: [],
    limits,
    exits: new Map(exits.map((one) => [one.name, one])),
    ...(exit === undefined ? {} : { exit }),
  });
}

const request = (host: string, port: number, exit?: string) => ({
  destination: { scheme: 'tcp', host, port } as const,
  addresses: ['127.0.0.0/8', '::1/128'],
  principalId: 'p',
  exit,
});

async function seenFrom(
  dialer: ReturnType<typeof createDialer>,
  asked: Parameters<ReturnType<typeof createDialer>['dial']>[0],
): Promise<string> {
  const { socket } = await dialer.dial(asked);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

test('connections begin at the address of the exit, and at that of the default where no exit is named', async () => {
  await using origin = await mirror();
  const office = directExit('office', fixedPlace(['127.0.0.7']));
  const usual = directExit('usual', fixedPlace(['127.0.0.8']));
  const dialer = dialerOf([office, usual], usual);
  assert.equal(await seenFrom(dialer, request('four.test', origin.port, 'office')), '127.0.0.7');
  assert.equal(await seenFrom(dialer, request('four.test', origin.port)), '127.0.0.8');
  assert.equal(await seenFrom(dialer, request('four.test', origin.port, 'direct')), '127.0.0.1');
});

test('of two families, the one that the exit has is dialled; without it nothing is', async () => {
  await using origin = await mirror();
  const dialer = dialerOf([
    directExit('four', fixedPlace(['127.0.0.7'])),
    directExit('six', fixedPlace(['2001:db8::7'])),
    directExit(
      'none',
      interfacePlace('gone0', () => ({})),
    ),
  ]);
  assert.equal(await seenFrom(dialer, request('both.test', origin.port, 'four')), '127.0.0.7');
  for (const [host, exit] of [
    ['six.test', 'four'],
    ['four.test', 'six'],
    ['four.test', 'none'],
  ] as const)
    await assert.rejects(dialer.dial(request(host, origin.port, exit)), (error: ProxyError) => {
      assert.equal(error.code, 'exit_unavailable');
      assert.match(error.operatorDetail ?? '', new RegExp(`exit ${exit}: it has no address of the family`));
      return true;
    });
});

test('an address that this machine does not have fails, and so does an exit that there is not', async () => {
  await using origin = await mirror();
  const dialer = dialerOf([directExit('lost', fixedPlace(['203.0.113.77']))]);
  await assert.rejects(dialer.dial(request('four.test', origin.port, 'lost')), {
    code: 'origin_unreachable',
  });
  for (const name of ['nowhere', '', 'constructor'])
    await assert.rejects(
      dialer.dial(request('four.test', origin.port, name)),
      { code: 'exit_unavailable' },
      name,
    );
});

test('an interface is asked at each dial, and its link-local addresses do not count', async () => {
  await using origin = await mirror();
  let address = '127.0.0.5';
  const list = () => ({ wg0: [{ address: 'fe80::1' }, { address: '169.254.3.4' }, { address }] });
  const dialer = dialerOf([directExit('vpn', interfacePlace('wg0', list))]);
  assert.equal(await seenFrom(dialer, request('both.test', origin.port, 'vpn')), '127.0.0.5');
  address = '127.0.0.6';
  assert.equal(await seenFrom(dialer, request('both.test', origin.port, 'vpn')), '127.0.0.6');
});

test('a name of the prototype is no interface', () => {
  assert.deepEqual(interfacePlace('constructor')(), {});
});

test('the guard judges first, whichever way out is named', async () => {
  await using parent = await socksParent(1);
  const chain = new ProxyChain({
    proxy: { host: '127.0.0.1', port: parent.port },
    protocol: 'socks5h',
    noProxy: [],
    limits,
  });
  const dialer = dialerOf([proxyExit('parent', chain), directExit('office', fixedPlace(['127.0.0.7']))]);
  for (const exit of ['parent', 'office', 'direct'])
    await assert.rejects(
      dialer.dial({ ...request('169.254.169.254', 80, exit), addresses: ['169.254.0.0/16'] }),
      { code: 'address_denied' },
      exit,
    );
  assert.deepEqual(parent.seen, []);
});

test('a proxy is dialled from the address of its exit, and not from one of another family', async () => {
  await using origin = await mirror();
  await using parent = await socksParent(origin.port);
  const to = (from: string, host = '127.0.0.1'): Exit => {
    const place = fixedPlace([from]);
    const proxy = { host, port: parent.port };
    return proxyExit(
      `via ${from} ${host}`,
      new ProxyChain({ proxy, protocol: 'socks5h', noProxy: [], limits, from: place }),
      place,
    );
  };
  const exits = [to('127.0.0.9'), to('127.0.0.9', 'localhost'), to('::1')];
  const dialer = dialerOf(exits);
  for (const { name } of exits.slice(0, 2)) await seenFrom(dialer, request('four.test', 80, name));
  assert.deepEqual(
    parent.seen.map(({ from }) => from),
    ['127.0.0.9', '127.0.0.9'],
  );
  await assert.rejects(dialer.dial(request('four.test', 80, 'via ::1 127.0.0.1')), {
    code: 'origin_unreachable',
  });
});

test('the next of several is tried where a proxy is not there, and not where it refuses', async () => {
  await using origin = await mirror();
  await using parent = await socksParent(origin.port);
  await using strict = await socksParent(origin.port, 'some:body');
  // Nobody listens there, and nobody is given it: a port that was free a moment ago may be another test's by now.
  const nobody = 1;
  const chainTo = (port: number): ProxyChain =>
    new ProxyChain({ proxy: { host: '127.0.0.1', port }, protocol: 'socks5h', noProxy: [], limits });
  const away = chainTo(nobody);
  const listing = (name: string, hops: Awaited<ReturnType<Exit['hops']>>): Exit => ({
    name,
    hops: () => Promise.resolve(hops),
  });
  const dialer = dialerOf([
    listing('second', [away, chainTo(parent.port)]),
    listing('direct-last', [away, 'direct']),
    listing('refused', [chainTo(strict.port), 'direct']),
    listing('all-away', [away, chainTo(nobody)]),
    listing('none', []),
  ]);
  assert.equal(await seenFrom(dialer, request('four.test', origin.port, 'second')), '127.0.0.1');
  assert.equal(parent.seen.length, 1);
  assert.equal(away.isAway(), true);
  assert.equal(away.isAway(performance.now() + limits.proxyAwayMs), false);
  assert.equal(await seenFrom(dialer, request('four.test', origin.port, 'direct-last')), '127.0.0.1');
  for (const name of ['refused', 'all-away'])
    await assert.rejects(
      dialer.dial(request('four.test', origin.port, name)),
      { code: 'origin_unreachable' },
      name,
    );
  await assert.rejects(dialer.dial(request('four.test', origin.port, 'none')), { code: 'exit_unavailable' });
});

test('what an earlier dial reached is reached again, whichever way the script chooses then', async () => {
  await using origin = await mirror();
  const changing: Exit = { name: 'changing', hops: () => Promise.resolve(['direct']) };
  const dialer = dialerOf([changing]);
  // By a proxy that was asked for an address, by one that resolved the name, and without one.
  for (const [host, address] of [
    ['127.0.0.1', '127.0.0.1 via 192.0.2.1:1080'],
    ['127.0.0.1', 'via 192.0.2.1:3128'],
    ['four.test', 'via 192.0.2.1:3128'],
    ['both.test', '127.0.0.1'],
  ] as const)
    assert.equal(
      await seenFrom(dialer, { ...request(host, origin.port, 'changing'), address }),
      '127.0.0.1',
      address,
    );
});
