import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type LookupFunction } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { agentResolvConf } from '../../../src/agent/placements/resolv-conf.ts';
import { dialGateway, openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { openGatewayNames, readNameServers } from '../../../src/agent/uplink/gateway-names.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { nameServer, type NameServer } from '../support/name-server.ts';

const limits = defaultLimits;
const nameServers = { servers: ['127.0.0.1'], search: ['internal.test'], dots: 1 };

function find(
  lookup: LookupFunction,
  host: string,
  options: { readonly all?: boolean; readonly family?: number } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    lookup(host, options, (error, address, family) => {
      if (error !== null) reject(error);
      else resolve(family === undefined ? address : [address, family]);
    });
  });
}

const open = ({ port }: NameServer, hostsFile = '/dev/null'): ReturnType<typeof openGatewayNames> =>
  openGatewayNames({ limits, nameServers, port, hostsFile });

test('a name is found by the name servers that were given, and their search list', async () => {
  await using server = await nameServer({ 'gateway.internal.test': '192.0.2.7', 'other.test': '192.0.2.8' });
  using names = open(server);
  assert.deepEqual(await find(names.lookup, 'gateway'), ['192.0.2.7', 4]);
  assert.deepEqual(await find(names.lookup, 'Other.TEST', { all: true }), [
    { address: '192.0.2.8', family: 4 },
  ]);
  assert.deepEqual(server.asked, ['gateway.internal.test', 'other.test']);
});

test('/etc/hosts comes first, and localhost needs nobody', async () => {
  await withTemporaryDirectory(async (folder) => {
    const hosts = join(folder, 'hosts');
    writeFileSync(hosts, '192.0.2.9 gateway.test gateway\n2001:db8::9 gateway.test\n');
    await using server = await nameServer({
      'gateway.test': '192.0.2.7',
      'gateway.internal.test': '192.0.2.7',
    });
    using names = open(server, hosts);
    assert.deepEqual(await find(names.lookup, 'gateway.test', { all: true }), [
      { address: '192.0.2.9', family: 4 },
      { address: '2001:db8::9', family: 6 },
    ]);
    assert.deepEqual(await find(names.lookup, 'gateway.test', { family: 6 }), ['2001:db8::9', 6]);
    assert.deepEqual(await find(names.lookup, 'Gateway'), ['192.0.2.9', 4]);
    assert.deepEqual(await find(names.lookup, 'localhost', { family: 4 }), ['127.0.0.1', 4]);
    assert.deepEqual(server.asked, []);
  });
});

test('a name that is not there has the error that getaddrinfo has', async () => {
  await using server = await nameServer({ 'gateway.test': '192.0.2.7' });
  using names = open(server);
  await assert.rejects(find(names.lookup, 'missing.test'), { code: 'ENOTFOUND' });
  await assert.rejects(find(names.lookup, 'gateway.test', { family: 6 }), { code: 'ENOTFOUND' });
});

test('the name servers are those from before a session that still has the file', async () => {
  await withTemporaryDirectory(async (folder) => {
    const file = join(folder, 'resolv.conf');
    for (const text of [
      'nameserver 192.0.2.1\n',
      agentResolvConf('nameserver 192.0.2.1\n', '127.64.0.1', 'a'),
    ]) {
      writeFileSync(file, text);
      assert.deepEqual(readNameServers(file).servers, ['192.0.2.1']);
    }
    assert.deepEqual(readNameServers(join(folder, 'missing')).servers, ['127.0.0.1']);
  });
});

test('the gateway is dialled by them, and its certificate is still that of the name', async () => {
  await using fake = await FakeGateway.start({ certificateHost: 'gateway.test' });
  await using server = await nameServer({ 'gateway.test': '127.0.0.1', 'other.test': '127.0.0.1' });
  using names = open(server);
  const ca = fake.authority.caPem;
  const gateway = openGateway(`https://gateway.test:${fake.port}`, { ca, lookup: names.lookup });
  for (let count = 1; count <= 2; count++) (await dialGateway(gateway, limits)).destroy();
  assert.deepEqual(new Set(server.asked), new Set(['gateway.test']));
  const other = openGateway(`https://other.test:${fake.port}`, { ca, lookup: names.lookup });
  await assert.rejects(dialGateway(other, limits), { code: 'gateway_untrusted' });
  const missing = openGateway(`https://missing.test:${fake.port}`, { ca, lookup: names.lookup });
  await assert.rejects(dialGateway(missing, limits), {
    code: 'gateway_unreachable',
    message: /the name is not known/,
  });
});

test('a plain gateway on loopback is dialled by them too', async () => {
  const plain = createServer((socket) => socket.on('error', () => undefined).end());
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => new Promise<void>((resolve) => plain.close(() => resolve())));
  await using server = await nameServer({});
  using names = open(server);
  const { port } = plain.address() as AddressInfo;
  const options = { ca: '', dangerouslyAllowPlainGateway: true, lookup: names.lookup };
  (await dialGateway(openGateway(`http://localhost:${port}`, options), limits)).destroy();
  assert.deepEqual(server.asked, []);
});
