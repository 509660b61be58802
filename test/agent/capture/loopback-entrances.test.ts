import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { openLoopbackEntrances } from '../../../src/agent/capture/loopback-entrances.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';

const skip = process.platform === 'linux' ? false : 'only Linux has all of 127.0.0.0/8';
const addressOf = (server: { address(): unknown }): AddressInfo => server.address() as AddressInfo;

test('the resolver has an address of its own, captured ports have all', { skip }, async () => {
  const before = resourceBaseline();
  const entrances = await openLoopbackEntrances([0], 0);
  const { form, captured, taken, relay, resolverTcp, resolverUdp } = entrances;
  assert.deepEqual([form, taken, relay], ['loopback', [], undefined]);
  assert.equal(addressOf(resolverTcp).address, '127.64.0.1');
  assert.equal(resolverUdp.address().address, '127.64.0.1');
  assert.deepEqual(
    captured.map((server) => addressOf(server).address),
    ['0.0.0.0'],
  );
  for (const socket of [...captured, resolverTcp, resolverUdp]) socket.close();
  await resourcesSettled(before);
});

test('a port that is taken is left out, but for that of the resolver', { skip }, async () => {
  const before = resourceBaseline();
  const other = createServer();
  other.listen({ host: '127.64.0.1', port: 0 });
  await once(other, 'listening');
  const { port } = addressOf(other);
  const { captured, taken, resolverTcp, resolverUdp } = await openLoopbackEntrances([port, 0], 0);
  assert.deepEqual(taken, [port]);
  assert.equal(captured.length, 1);
  for (const socket of [...captured, resolverTcp, resolverUdp]) socket.close();
  await assert.rejects(openLoopbackEntrances([0], port), {
    message: `port ${port} of 127.64.0.1 cannot be opened: another program listens there`,
  });
  other.close();
  await resourcesSettled(before);
});
