import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';

import { DatagramFlows } from '../../../src/gateway/datagrams/datagram-flows.ts';
import { DatagramRelay, type DatagramRelayOptions } from '../../../src/gateway/datagrams/datagram-relay.ts';
import { openDatagramSocket } from '../../../src/gateway/datagrams/datagram-socket.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

/** Sends back what comes, with a word before it. */
async function echo(): Promise<AsyncDisposable & { readonly port: number; readonly socket: Socket }> {
  const socket = createSocket('udp4');
  socket.on('message', (datagram, { port, address }) => {
    socket.send(Buffer.concat([Buffer.from('echo '), datagram]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    socket,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

const opened = ['127.0.0.0/8'];
const to = (port: number) => ({
  destination: { scheme: 'udp', host: 'a.test', port } as const,
  addresses: opened,
});

/** An end of a container: what comes is waited for. */
function container() {
  const waiting: ((text: string) => void)[] = [];
  const come: string[] = [];
  let take: (datagram: Uint8Array) => void = () => undefined;
  return {
    port: {
      send: (datagram: Uint8Array) => {
        const text = Buffer.from(datagram).toString();
        const next = waiting.shift();
        if (next === undefined) come.push(text);
        else next(text);
        return true;
      },
      onDatagram: (taker: (datagram: Uint8Array) => void) => {
        take = taker;
      },
    },
    say: (text: string) => take(new Uint8Array(Buffer.from(text))),
    next: () =>
      new Promise<string>((resolve) => {
        const text = come.shift();
        if (text === undefined) waiting.push(resolve);
        else resolve(text);
      }),
  };
}

async function relayTo(
  port: number,
  inside: ReturnType<typeof container>,
  more: Partial<DatagramRelayOptions> = {},
): Promise<DatagramRelay> {
  const socket = await openDatagramSocket({ address: '127.0.0.1', from: undefined }, to(port));
  const limits = defaultLimits;
  const flow = new DatagramFlows(limits).open('s', 0);
  return new DatagramRelay({
    socket,
    port: inside.port,
    flow,
    names: undefined,
    spendBytes: undefined,
    absence: undefined,
    limits,
    clock: () => 0,
    ...more,
  });
}

test('datagrams go to the host and back, and are counted', async () => {
  await using server = await echo();
  const inside = container();
  const relay = await relayTo(server.port, inside);
  inside.say('one');
  assert.equal(await inside.next(), 'echo one');
  inside.say('two');
  assert.equal(await inside.next(), 'echo two');
  relay.close();
  assert.equal(await relay.ended, undefined);
  assert.deepEqual(relay.counts, {
    sent: 2,
    sentBytes: 6,
    received: 2,
    receivedBytes: 16,
    dropped: 0,
    refusedNames: [],
  });
  // Behind its end nothing goes anywhere.
  inside.say('three');
  assert.equal(relay.counts.sent, 2);
});

test('what comes from another address is nobody’s: the kernel drops it', async () => {
  await using server = await echo();
  await using other = await echo();
  const inside = container();
  const relay = await relayTo(server.port, inside);
  inside.say('who am I');
  await inside.next();
  const { socket } = server;
  const { promise, resolve } = Promise.withResolvers<{ port: number }>();
  socket.once('message', (_, from) => resolve(from));
  inside.say('again');
  const { port } = await promise;
  other.socket.send('forged', port, '127.0.0.1');
  assert.equal(await inside.next(), 'echo again');
  inside.say('last');
  assert.equal(await inside.next(), 'echo last');
  relay.close();
  assert.equal(relay.counts.received, 3);
});

test('a long one is dropped, and so is one over the rate of the session', async () => {
  await using server = await echo();
  const inside = container();
  const limits = { ...defaultLimits, datagramsPerSecondMax: 3 };
  const flow = new DatagramFlows(limits).open('s', 0);
  const relay = await relayTo(server.port, inside, { flow, limits });
  inside.say('x'.repeat(defaultLimits.datagramBytesMax + 1));
  for (const text of ['one', 'two', 'three', 'four', 'five']) inside.say(text);
  assert.equal(relay.counts.sent, 3);
  assert.equal(relay.counts.dropped, 3);
  relay.close();
});

test('what cannot be paid for ends the flow, and what waits for it is bounded', async () => {
  await using server = await echo();
  const inside = container();
  const spent = new ProxyError('limit_exceeded', 'the bytes of the session are used up');
  const relay = await relayTo(server.port, inside, { spendBytes: () => Promise.reject(spent) });
  inside.say('one');
  assert.equal(await relay.ended, spent);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const slow = await relayTo(server.port, inside, { spendBytes: () => promise });
  for (let i = 0; i < defaultLimits.datagramsUnpaidMax + 5; i += 1) inside.say(`n${String(i)}`);
  resolve(undefined);
  await promise;
  await new Promise((done) => setImmediate(done));
  assert.equal(slow.counts.sent, defaultLimits.datagramsUnpaidMax);
  assert.equal(slow.counts.dropped, 5);
  slow.close();
});

test('a quiet flow ends, and each session has so many', async () => {
  await using server = await echo();
  const limits = { ...defaultLimits, datagramIdleTimeoutMs: 20, datagramFlowsPerSessionMax: 2 };
  const relay = await relayTo(server.port, container(), { limits });
  assert.equal((await relay.ended)?.code, 'timeout');
  const flows = new DatagramFlows(limits);
  const [one, two] = [flows.open('s', 0), flows.open('s', 0)];
  assert.throws(() => flows.open('s', 0), { code: 'limit_exceeded', limit: 'datagramFlowsPerSessionMax' });
  flows.open('other', 0)[Symbol.dispose]();
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  const third = flows.open('s', 0);
  assert.throws(() => flows.open('s', 0));
  two[Symbol.dispose]();
  third[Symbol.dispose]();
});

test('with names, a query about another one is told REFUSED and goes nowhere', async () => {
  await using server = await echo();
  const inside = container();
  const names = [[{ kind: 'exact', host: 'good.test', isAddress: false } as const]];
  const relay = await relayTo(server.port, inside, { names });
  inside.say('\0\u0007\u0001\0\0\u0001\0\0\0\0\0\0\u0003bad\u0004test\0\0\u0001\0\u0001');
  assert.match(await inside.next(), /bad/);
  inside.say('no query');
  assert.deepEqual(
    { ...relay.counts, receivedBytes: 0 },
    { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, dropped: 2, refusedNames: ['bad.test'] },
  );
  relay.close();
});
