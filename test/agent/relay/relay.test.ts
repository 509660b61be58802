import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import { startRelay } from '../../../src/agent/relay/relay.ts';
import type { RelayTunnel } from '../../../src/agent/relay/relay-connection.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { RelayClient, relayFixture } from '../support/relay-fixture.ts';

const tunnel: RelayTunnel = {
  isUp: false,
  whenUp: () => Promise.reject(new Error('not in this test')),
  openStream: () => {
    throw new Error('not in this test');
  },
};
const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

describe('where the relay listens', () => {
  test('both loopback addresses, on one port', { skip: !hasIPv6 && 'this machine has no ::1' }, async () => {
    await using relay = await startRelay({ tunnel });
    assert.deepEqual(relay.hosts, ['127.0.0.1', '::1']);
    assert.notEqual(relay.port, 0);
  });

  test('one address, if it is named', async () => {
    await using relay = await startRelay({ tunnel, host: '127.0.0.1' });
    assert.deepEqual(relay.hosts, ['127.0.0.1']);
  });

  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.2', '']) {
    test(`never ${JSON.stringify(host)}`, async () => {
      await assert.rejects(startRelay({ tunnel, host }), {
        code: 'usage',
        message: /loopback only/,
      });
    });
  }

  test('a port that is taken is told, and nothing stays open', async () => {
    const baseline = resourceBaseline();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as AddressInfo;
    await assert.rejects(startRelay({ tunnel, port }), {
      code: 'relay_port_in_use',
      message: new RegExp(String(port)),
    });
    await new Promise((resolve) => squatter.close(resolve));
    await resourcesSettled(baseline);
  });

  test(
    'a port that is taken on ::1 alone is told too',
    { skip: !hasIPv6 && 'this machine has no ::1' },
    async () => {
      const squatter = createServer();
      await new Promise<void>((resolve) =>
        squatter.listen({ port: 0, host: '::1', ipv6Only: true }, resolve),
      );
      const { port } = squatter.address() as AddressInfo;
      await assert.rejects(startRelay({ tunnel, port }), { code: 'relay_port_in_use' });
      await new Promise((resolve) => squatter.close(resolve));
    },
  );
});

describe('closing the relay', () => {
  test('resets what is open and leaves no handle', async () => {
    const baseline = resourceBaseline();
    {
      await using fixture = await relayFixture();
      const client = new RelayClient(fixture.relay.port);
      await client.tunnelTo('a.test:443');
      const stream = await fixture.nextStream();
      assert.equal(fixture.relay.connectionCount, 1);
      const reset = new Promise((resolve) => stream.once('close', resolve));
      await fixture.relay.close();
      assert.equal(await client.ending(), 'ECONNRESET');
      await reset;
      await fixture.relay.close();
    }
    await resourcesSettled(baseline);
  });

  test('waits for open connections while it drains, and takes no new ones', async () => {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    await client.tunnelTo('a.test:443');
    const stream = await fixture.nextStream();
    const { port } = fixture.relay;
    const closed = fixture.relay.close({ drainMs: 10_000 });
    const late = new RelayClient(port);
    assert.equal(await late.ending(), 'ECONNREFUSED');
    stream.end('the rest');
    client.socket.end();
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /the rest$/);
    await closed;
  });

  test('ends the wait at its time', async () => {
    await using fixture = await relayFixture();
    const client = new RelayClient(fixture.relay.port);
    await client.tunnelTo('a.test:443');
    await fixture.relay.close({ drainMs: 30 });
    assert.equal(await client.ending(), 'ECONNRESET');
  });
});
