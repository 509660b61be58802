import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProxyProtocol, readProxyProtocol } from '../../src/net/proxy-protocol.ts';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** A head as a balancer writes it. */
const head = (command: number, family: number, body: string): Buffer => {
  const bytes = Buffer.from(body, 'hex');
  return Buffer.concat([
    signature,
    Buffer.of(0x20 | command, family, bytes.length >> 8, bytes.length & 255),
    bytes,
  ]);
};
const ipv4 = head(1, 0x11, 'c00002070a0000011f9001bb');
const ipv6 = head(1, 0x21, '20010db80000000000000000000000090'.repeat(32) + '1f9001bb030004aabbccdd');

for (const [what, bytes, address] of [
  ['IPv4', ipv4, '192.0.2.7'],
  ['IPv6 with an extension behind it', ipv6, '2001:db8::9'],
  ['a connection of the balancer itself', head(0, 0, ''), undefined],
  ['a Unix socket', head(1, 0x31, '00'.repeat(216)), undefined],
] as const) {
  test(`the source of ${what}`, () => {
    assert.deepEqual(parseProxyProtocol(Buffer.concat([bytes, Buffer.from('behind')])), {
      state: 'complete',
      bytes: bytes.length,
      address,
    });
    for (let end = 0; end < bytes.length; end++)
      assert.equal(parseProxyProtocol(bytes.subarray(0, end)).state, 'incomplete');
  });
}

for (const [what, bytes] of [
  ['TLS', Buffer.of(0x16, 3, 1)],
  ['version 1', Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\n')],
  ['version 3', Buffer.concat([signature, Buffer.of(0x31, 0x11, 0, 12)])],
  ['an unknown command', Buffer.concat([signature, Buffer.of(0x22, 0x11, 0, 12)])],
  ['addresses that are cut', head(1, 0x21, '20010db8')],
  ['an endless one', Buffer.concat([signature, Buffer.of(0x21, 0x11, 0xff, 0xff)])],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => parseProxyProtocol(bytes), { code: 'request_malformed' });
  });
}

test('no bytes make it do anything but read or refuse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, isSigned) => {
      const given = isSigned ? Buffer.concat([signature, bytes]) : bytes;
      try {
        parseProxyProtocol(given);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'request_malformed');
      }
    }),
    { seed: 20261126, numRuns: 2000 },
  );
});

async function withPair(use: (client: Socket, served: Socket) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [served] = (await once(server, 'connection')) as [Socket];
  for (const socket of [client, served]) socket.on('error', () => undefined);
  try {
    await use(client, served);
  } finally {
    client.destroy();
    served.destroy();
    server.close();
  }
}

test('a head in pieces is read from a socket, and what follows is still there', async () => {
  await withPair(async (client, served) => {
    const address = readProxyProtocol(served, 5000);
    for (const byte of ipv6) {
      client.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.write('behind');
    assert.equal(await address, '2001:db8::9');
    const [rest] = (await once(served, 'data')) as [Buffer];
    assert.equal(String(rest), 'behind');
  });
});

test('a head that does not come has a deadline, and an end before it is told', async () => {
  await withPair(async (_client, served) => {
    await assert.rejects(readProxyProtocol(served, 20), { code: 'timeout' });
  });
  await withPair(async (client, served) => {
    client.end(ipv4.subarray(0, 10));
    await assert.rejects(readProxyProtocol(served, 5000), { code: 'cancelled' });
  });
});
