import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../src/protocol/frame.ts';
import { encodeFrame, isOfLink } from '../../src/protocol/frame-codec.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { TunnelConnection } from '../../src/protocol/tunnel-connection.ts';
import type { TunnelRole } from '../../src/protocol/tunnel-options.ts';
import { drainEvents, outputOf, parseFrames } from './conversation.ts';

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function end(role: TunnelRole, { agreesOnDatagrams = true, isResumable = false } = {}): TunnelConnection {
  return new TunnelConnection({ role, limits: defaultLimits, nowMs: 0, agreesOnDatagrams, isResumable });
}

function carry(from: TunnelConnection, to: TunnelConnection): readonly string[] {
  for (const part of outputOf(from)) to.receive(part, 0);
  to.endOfMessage();
  return drainEvents(to).map((event) =>
    event.type === 'datagram' ? `datagram ${Buffer.from(event.data).toString()}` : event.type,
  );
}

const hear = (connection: TunnelConnection, frame: Frame): readonly string[] => {
  connection.receive(encodeFrame(frame), 0);
  return drainEvents(connection).map(({ type }) => type);
};

test('datagrams go both ways beside a stream, without credit', () => {
  const [agent, gateway] = [end('agent'), end('gateway')];
  const id = agent.openStream({ authority: 'a.test:53', mode: 'udp' });
  assert.deepEqual(carry(agent, gateway), ['open']);
  gateway.accept(id);
  assert.equal(gateway.output.pushDatagram(id, octets('one')), true);
  assert.equal(gateway.output.pushDatagram(id, octets('')), true);
  assert.deepEqual(carry(gateway, agent), ['accepted', 'datagram one', 'datagram ']);
  const before = agent.linkCreditBytes;
  assert.equal(agent.output.pushDatagram(id, octets('two')), true);
  assert.equal(agent.linkCreditBytes, before);
  assert.deepEqual(carry(agent, gateway), ['datagram two']);
});

test('what was not agreed is a fault of the peer', () => {
  for (const role of ['agent', 'gateway'] as const)
    assert.deepEqual(
      hear(end(role, { agreesOnDatagrams: false }), { type: 'datagram', streamId: 1, data: octets('x') }),
      ['failed'],
    );
});

test('one of a stream that is not open is dropped, before its open and after its end', () => {
  const gateway = end('gateway');
  const datagram = { type: 'datagram', streamId: 1, data: octets('x') } as const;
  assert.deepEqual(hear(gateway, datagram), []);
  assert.deepEqual(
    hear(gateway, { type: 'open', streamId: 1, fields: { authority: 'a.test:53', mode: 'udp' } }),
    ['open'],
  );
  assert.deepEqual(hear(gateway, datagram), ['datagram']);
  assert.deepEqual(hear(gateway, { type: 'reset', streamId: 1, code: 4, message: '' }), ['reset']);
  assert.deepEqual(hear(gateway, datagram), []);
});

test('it is never counted and never sent again: without a link, and on the next one, it is dropped', () => {
  assert.equal(isOfLink('datagram'), true);
  const agent = end('agent', { isResumable: true });
  const gateway = end('gateway', { isResumable: true });
  const id = agent.openStream({ authority: 'a.test:53', mode: 'udp' });
  const [first] = parseFrames(outputOf(agent));
  assert.equal(first?.type, 'open');
  agent.output.pushDatagram(id, octets('lost'));
  agent.detach();
  assert.equal(agent.output.pushDatagram(id, octets('nobody is there')), false);
  // The gateway had nothing: all that is counted comes again, and nothing else.
  agent.attach(0, 0);
  assert.deepEqual(carry(agent, gateway), ['open']);
  assert.equal(agent.output.pushDatagram(id, octets('again')), true);
  const counted = gateway.receivedBytes;
  assert.deepEqual(carry(agent, gateway), ['datagram again']);
  assert.equal(gateway.receivedBytes, counted);
});

test('with too much that waits, or too long, it is dropped, and the tunnel lives', () => {
  for (const isResumable of [false, true]) {
    const agent = end('agent', { isResumable });
    const id = agent.openStream({ authority: 'a.test:53', mode: 'udp' });
    const { datagramQueueBytesMax, controlFrameBytesMax } = defaultLimits;
    assert.equal(agent.output.pushDatagram(id, new Uint8Array(controlFrameBytesMax + 1)), false);
    let taken = 0;
    while (agent.output.pushDatagram(id, new Uint8Array(1_000))) taken += 1;
    assert.ok(taken * 1_008 > datagramQueueBytesMax - 2_000 && taken * 1_008 < datagramQueueBytesMax + 2_000);
    assert.ok(agent.outputBytes < datagramQueueBytesMax + 10_000);
    assert.deepEqual(drainEvents(agent), []);
    outputOf(agent);
    assert.equal(agent.output.pushDatagram(id, new Uint8Array(1_000)), true);
  }
});
