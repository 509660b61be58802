import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { createDialer } from '../../src/net/dialer.ts';
import type { Dialer } from '../../src/net/dialer.ts';
import { ProxyChain } from '../../src/net/proxy-chain.ts';
import type { ProxyChainOptions } from '../../src/net/proxy-chain.ts';
import { createResolver } from '../../src/net/resolver.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { Secret } from '../../src/protocol/secret.ts';
import { httpsOrigin } from '../support/origin.ts';
import { socksParent } from '../support/socks-parent.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();
const limits = defaultLimits;

function through(
  port: number,
  more: Partial<ProxyChainOptions> = {},
  hosts: Readonly<Record<string, readonly string[]>> = {},
): Dialer {
  const proxy = { host: '127.0.0.1', port };
  const chain = new ProxyChain({ proxy, protocol: 'socks5h', noProxy: [], limits, ...more });
  const resolver = createResolver({ limits, hosts, hostsFile: false });
  return createDialer({ resolver, trust: [authority.caPem], limits, chain });
}

const request = (host: string, addresses: readonly string[] = []) => ({
  destination: { scheme: 'https', host, port: 443 } as const,
  addresses,
  principalId: 'p',
  alpn: ['http/1.1'],
});

/** Says these octets to each greeting, and ends. */
async function says(octets: readonly number[]): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.end(Uint8Array.from(octets)));
  });
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

test('socks5h asks the proxy for the name, with a log-in, and the origin is verified through it', async () => {
  await using origin = await httpsOrigin({ authority });
  await using parent = await socksParent(origin.port, 'gateway:word');
  const dialer = through(parent.port, { credentials: () => Promise.resolve(new Secret('gateway:word')) });
  const { socket, address } = await dialer.dial(request('only-the-proxy-knows.test'));
  socket.destroy();
  assert.equal(address, `via 127.0.0.1:${parent.port}`);
  assert.deepEqual(parent.seen, [
    { target: 'only-the-proxy-knows.test:443', login: 'gateway:word', from: '127.0.0.1' },
  ]);
});

test('socks5 asks the proxy for an address that was checked, never for a name', async () => {
  await using origin = await httpsOrigin({ authority });
  await using parent = await socksParent(origin.port);
  const hosts = { 'intra.test': ['10.1.2.3'], 'mixed.test': ['203.0.113.9', '169.254.169.254'] };
  const dialer = through(parent.port, { protocol: 'socks5' }, hosts);
  for (const name of ['intra.test', 'mixed.test'])
    await assert.rejects(dialer.dial(request(name)), { code: 'address_denied' }, name);
  assert.deepEqual(parent.seen, []);
  const { socket, address } = await dialer.dial(request('intra.test', ['10.0.0.0/8']));
  socket.destroy();
  assert.equal(address, `10.1.2.3 via 127.0.0.1:${parent.port}`);
  // The way back to the same address, as a second connection of a protocol asks for it.
  const again = await dialer.dial({ ...request('intra.test', ['10.0.0.0/8']), address });
  again.socket.destroy();
  assert.deepEqual(
    parent.seen.map(({ target }) => target),
    ['10.1.2.3:443', '10.1.2.3:443'],
  );
});

test('literals and names that mean metadata anywhere are judged before a socks5h proxy is asked', async () => {
  await using parent = await socksParent(1);
  const dialer = through(parent.port);
  for (const host of ['169.254.169.254', '::ffff:169.254.169.254', 'metadata.google.internal', 'localhost'])
    await assert.rejects(dialer.dial(request(host, ['169.254.0.0/16'])), { code: 'address_denied' }, host);
  assert.deepEqual(parent.seen, []);
});

test('a wrong password is told, and neither of both is in what is told', async () => {
  await using parent = await socksParent(1, 'gateway:word');
  const dialer = through(parent.port, { credentials: () => Promise.resolve(new Secret('gateway:w0rd')) });
  await assert.rejects(dialer.dial(request('allowed.test')), (error: Error) => {
    assert.match(
      error.message,
      /the proxy on the way to allowed\.test does not accept the gateway's credentials/,
    );
    assert.doesNotMatch(`${error.message}${String(error.cause)}`, /w0rd/);
    return true;
  });
});

test('what is no SOCKS5, or not what was asked for, ends the connection', async () => {
  for (const [octets, message] of [
    [[0x48, 0x54], /did not respond with SOCKS5/],
    [[5, 0xff], /wants a name and a password/],
    [[5, 2], /was not offered/],
    [[5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0], /does not allow this destination \(2\)/],
    [[5, 0, 5, 99, 0, 1, 0, 0, 0, 0, 0, 0], /refused the connection \(99\)/],
    [[5, 0, 4, 0, 0, 1], /did not respond with SOCKS5/],
    [[5, 0, 5, 0, 1, 1, 0, 0, 0, 0, 0, 0], /did not respond with SOCKS5/],
    [[5, 0, 5, 0, 0, 2, 0, 0, 0, 0, 0, 0], /did not respond with SOCKS5/],
    [[5, 0, 5, 0, 0, 3, 200, 1, 2], /cannot be reached/],
    [[5], /cannot be reached/],
  ] as const) {
    await using proxy = await says(octets);
    await assert.rejects(
      through(proxy.port).dial(request('allowed.test')),
      { code: 'origin_unreachable', message },
      octets.join(' '),
    );
  }
});

test('octets behind the reply belong to the origin', async () => {
  await using proxy = await says([5, 0, 5, 0, 0, 3, 2, 65, 66, 0, 1, 104, 105]);
  const { socket } = await through(proxy.port).dial({
    ...request('allowed.test'),
    destination: { scheme: 'tcp', host: 'allowed.test', port: 22 },
  });
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'hi');
});

test('a proxy that says nothing is a timeout', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const short = { ...defaultLimits, connectTimeoutMs: 50 };
  await assert.rejects(through(port, { limits: short }).dial(request('allowed.test')), { code: 'timeout' });
  server.close();
});
