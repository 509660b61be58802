import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { streamReserveBytes as reserve } from '../../src/protocol/flow-window.ts';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import { HeldOctets } from '../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { TunnelConnection } from '../../src/protocol/tunnel-connection.ts';
import { alone, Conversation, drainEvents, someFields } from './conversation.ts';

const MiB = 1024 * 1024;
const { windowBytesInitial, windowBytesMax, connectionWindowBytes } = defaultLimits;
const block = new Uint8Array(windowBytesMax);

/** Sends all that the credit of the stream allows. */
function fill(sender: TunnelConnection, id: number): number {
  let total = 0;
  for (let taken = sender.sendData(id, block); taken > 0; taken = sender.sendData(id, block)) total += taken;
  return total;
}

/** Both ends on a path of 20 ms, which the agent has measured. */
function distantConversation(): Conversation {
  const talk = new Conversation();
  talk.agent.ping(talk.nowMs);
  talk.nowMs += 10;
  talk.toGateway();
  talk.nowMs += 10;
  talk.toAgent();
  return talk;
}

function dataBytes(events: readonly { readonly type: string }[], streamId?: number): number {
  let total = 0;
  for (const event of events as readonly { type: string; streamId?: number; data?: Uint8Array }[]) {
    if (event.data !== undefined && (streamId === undefined || event.streamId === streamId))
      total += event.data.length;
  }
  return total;
}

describe('credit', () => {
  test('lets the first bytes behind an open fill the reserve, and the initial window once the peer has seen it', () => {
    const talk = new Conversation();
    const id = talk.agent.openStream(someFields);
    assert.equal(fill(talk.agent, id), reserve);
    talk.settle();
    assert.equal(fill(talk.agent, id), windowBytesInitial - reserve);
  });

  test('is there for a whole initial window of the response when the gateway sees the open', () => {
    const talk = new Conversation();
    const id = talk.agent.openStream(someFields);
    talk.toGateway();
    assert.equal(fill(talk.gateway, id), windowBytesInitial);
  });

  test('comes back when the sink has drained, never on receipt', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    assert.equal(fill(talk.gateway, id), windowBytesInitial);
    talk.settle();
    assert.equal(fill(talk.gateway, id), 0);
    talk.agent.consumed(id, windowBytesInitial / 2 - 1, 1);
    talk.settle();
    assert.equal(fill(talk.gateway, id), 0);
    talk.agent.consumed(id, 1, 1);
    assert.deepEqual(talk.toGateway(), [{ type: 'writable', streamId: id }]);
    assert.equal(fill(talk.gateway, id), windowBytesInitial / 2);
  });

  test('makes writable only for who was told to wait, once', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.gateway.sendData(id, block.subarray(0, windowBytesInitial));
    talk.settle();
    talk.agent.consumed(id, windowBytesInitial, 1);
    assert.deepEqual(talk.toGateway(), []);
    fill(talk.gateway, id);
    talk.settle();
    talk.agent.consumed(id, windowBytesInitial / 2, 1);
    talk.agent.consumed(id, windowBytesInitial / 2, 1);
    assert.equal(talk.toGateway().length, 1);
  });

  test('is copied when it is taken: what was given may change at once', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    const data = new Uint8Array(100_000).fill(1);
    assert.equal(talk.agent.sendData(id, data), data.length);
    data.fill(2);
    const seen = talk.toGateway().flatMap((event) => (event.type === 'data' ? [event.data] : []));
    assert.equal(
      seen.reduce((sum, { length }) => sum + length, 0),
      data.length,
    );
    assert.ok(seen.every((part) => part.every((octet) => octet === 1)));
  });

  test('that was overrun ends the tunnel', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    fill(talk.agent, id);
    talk.settle();
    talk.gateway.receive(
      encodeFrame({ type: 'data', streamId: id, data: Uint8Array.of(0) }).subarray(0, 8),
      0,
    );
    talk.gateway.receive(Uint8Array.of(0), 0);
    const [event] = drainEvents(talk.gateway);
    assert.ok(event?.type === 'failed' && event.error.code === 'flow_control');
  });

  test('of the connection bounds what is on the link over all streams, and comes back on receipt', () => {
    const talk = new Conversation({ windowBytesInitial: reserve, connectionWindowBytes: MiB });
    const ids = Array.from({ length: 20 }, () => talk.openStream());
    const sent = ids.map((id) => fill(talk.gateway, id));
    assert.equal(
      sent.reduce((sum, bytes) => sum + bytes, 0),
      MiB,
    );
    assert.deepEqual(sent.slice(15), [reserve, 0, 0, 0, 0]);
    talk.toAgent();
    // Told once, and of no stream: what arrived was not drained by anybody.
    assert.deepEqual(talk.toGateway(), [{ type: 'linkWritable' }]);
    assert.equal(fill(talk.gateway, ids[16]!), reserve);
    assert.equal(fill(talk.gateway, ids[0]!), 0);
  });

  test('of the connection that comes byte by byte is told while there was none, and looks at no stream', () => {
    const gateway = alone('gateway');
    const ids = Array.from({ length: 4000 }, (_, n) => n + 1);
    gateway.hear(ids.map((streamId) => ({ type: 'open', streamId, fields: someFields })));
    gateway.said();
    for (const id of ids) fill(gateway.connection, id);
    assert.equal(gateway.connection.linkCreditBytes, 0);
    const grants = Array.from({ length: 5000 }, () => ({ type: 'window', streamId: 0, bytes: 1 }) as const);
    assert.deepEqual(gateway.hear(grants), [{ type: 'linkWritable' }]);
    assert.deepEqual(gateway.hear(grants), []);
    assert.equal(gateway.connection.linkCreditBytes, 10_000);
    // The longest waiting is for the owner to know.
    assert.equal(fill(gateway.connection, 4000), 10_000);
  });

  test('of the connection that was overrun ends the tunnel, on streams that are over as well', () => {
    const gateway = alone('gateway', { connectionWindowBytes: 64 });
    const data = { type: 'data', streamId: 1, data: new Uint8Array(65_536) } as const;
    gateway.hear([
      { type: 'open', streamId: 1, fields: someFields },
      { type: 'reset', streamId: 1, code: 4, message: '' },
    ]);
    const events = gateway.hear(Array.from({ length: 17 }, () => data));
    assert.ok(events[0]?.type === 'failed' && events[0].error.code === 'flow_control');
    assert.match(events[0].error.message, /the connection/);
  });

  test('that a stream was given and did not use is free for others once its sender has ended', () => {
    const talk = new Conversation();
    for (let i = 0; i < 200; i++) {
      talk.gateway.end(talk.openStream());
      talk.settle();
    }
    const id = talk.agent.openStream(someFields);
    talk.toGateway();
    assert.equal(fill(talk.gateway, id), windowBytesInitial);
  });

  test('bytes of a reset stream are given back to the connection', () => {
    const talk = new Conversation();
    for (let sent = 0; sent < 2 * connectionWindowBytes;) {
      const id = talk.openStream();
      const bytes = fill(talk.gateway, id);
      assert.equal(bytes, windowBytesInitial);
      sent += bytes;
      talk.agent.reset(id, 4, 'gone before the data came');
      assert.equal(dataBytes(talk.toAgent()), 0);
      talk.settle();
    }
  });
});

describe('what waits within the reserves of all streams', () => {
  const limits = { ...defaultLimits, unreadOctetsPerSessionMax: 4 * reserve };
  const bounds = { perSession: 'unreadOctetsPerSessionMax', all: 'unreadOctetsMax' } as const;

  test('has a bound: the stream that brings more ends on both sides, and others go on once it was read', () => {
    const held = new HeldOctets(limits, bounds);
    const talk = new Conversation(limits, held.counted('one'));
    const ids = Array.from({ length: 6 }, () => talk.agent.openStream(someFields));
    for (const id of ids) assert.equal(fill(talk.agent, id), reserve);
    const events = talk.toGateway();
    const ended = events.filter((event) => event.type === 'reset').map(({ streamId }) => streamId);
    assert.deepEqual(ended, ids.slice(4));
    assert.ok(held.ofSession('one') <= limits.unreadOctetsPerSessionMax);
    const told = talk.toAgent().filter((event) => event.type === 'reset');
    assert.deepEqual(
      told.map(({ streamId, message }) => [streamId, message.includes('unreadOctetsPerSessionMax')]),
      ids.slice(4).map((id) => [id, true]),
    );
    for (const id of ids.slice(0, 4)) talk.gateway.consumed(id, reserve, talk.nowMs);
    assert.equal(held.ofSession('one'), 0);
    talk.settle();
    assert.ok(fill(talk.agent, ids[0] ?? 0) > 0);
    assert.equal(talk.toGateway().filter((event) => event.type === 'reset').length, 0);
  });

  test('is given back with the streams and with the tunnel, however they end', () => {
    const held = new HeldOctets(limits, bounds);
    const talk = new Conversation(limits, held.counted('one'));
    const ids = Array.from({ length: 3 }, () => talk.agent.openStream(someFields));
    for (const id of ids) fill(talk.agent, id);
    talk.toGateway();
    assert.equal(held.ofSession('one'), 3 * reserve);
    talk.gateway.reset(ids[0] ?? 0, 4, 'gone');
    assert.equal(held.ofSession('one'), 2 * reserve);
    talk.agent.reset(ids[1] ?? 0, 4, 'gone');
    talk.toGateway();
    assert.equal(held.ofSession('one'), reserve);
    talk.gateway.handleTimeout(talk.gateway.deadlineMs ?? Infinity);
    assert.equal(held.ofSession('one'), 0);
  });
});

describe('the window', () => {
  test('grows to 16 MiB on a path of 20 ms, so that a download is not capped, and stays at 1 MiB for a slow reader', () => {
    for (const [readerMs, expected] of [
      [0, windowBytesMax],
      [100, windowBytesInitial],
    ] as const) {
      const talk = distantConversation();
      const id = talk.openStream();
      let inFlight = 0;
      for (let trip = 0; trip < 12; trip++) {
        inFlight = fill(talk.gateway, id);
        talk.nowMs += 10;
        const received = dataBytes(talk.toAgent(), id);
        talk.nowMs += readerMs;
        talk.agent.consumed(id, received, talk.nowMs);
        talk.nowMs += 10;
        talk.toGateway();
      }
      assert.equal(inFlight, expected, `reader of ${readerMs} ms`);
    }
  });
});

describe('a stalled stream', () => {
  /** Opens streams on which the gateway has sent all that it may and nothing is ever read. */
  function stall(talk: Conversation, count: number): number {
    let held = 0;
    for (let i = 0; i < count; i++) {
      const id = talk.openStream();
      for (let sent = fill(talk.gateway, id); sent > 0; sent = fill(talk.gateway, id)) {
        held += sent;
        talk.settle();
      }
    }
    return held;
  }

  test('does not take the connection from another: with 200 of them a lively one moves at full speed', () => {
    const talk = distantConversation();
    stall(talk, 200);
    const id = talk.openStream();
    let moved = 0;
    const started = talk.nowMs;
    while (moved < 64 * MiB) {
      const sent = fill(talk.gateway, id);
      assert.ok(sent > 0, `stuck after ${moved} bytes`);
      talk.nowMs += 10;
      talk.agent.consumed(id, dataBytes(talk.toAgent(), id), talk.nowMs);
      talk.nowMs += 10;
      talk.toGateway();
      moved += sent;
    }
    // 64 MiB in windows that grow from 64 KiB to a quarter of what is free; alone it would be 9 round trips.
    const roundTrips = (talk.nowMs - started) / 20;
    assert.ok(roundTrips <= 20, `${roundTrips} round trips`);
  });

  test('does not delay a small response by a single round trip, even with the most streams that there may be', () => {
    const talk = distantConversation();
    stall(talk, defaultLimits.streamsMax - 1);
    const id = talk.openStream();
    for (let i = 0; i < 20; i++) {
      assert.equal(talk.gateway.sendData(id, block.subarray(0, 1000)), 1000);
      assert.equal(dataBytes(talk.toAgent(), id), 1000);
      talk.agent.consumed(id, 1000, talk.nowMs);
      talk.settle();
    }
  });

  test('holds memory within the stated bound, however many there are', () => {
    const talk = distantConversation();
    const held = stall(talk, 1000);
    assert.ok(held <= connectionWindowBytes + 1000 * reserve, `${held} bytes are held`);
  });

  test('that was fast before does not block others either, when all stop at once', () => {
    const talk = distantConversation();
    const ids = Array.from({ length: 100 }, () => talk.openStream());
    for (let trip = 0; trip < 10; trip++) {
      for (const id of ids) fill(talk.gateway, id);
      talk.nowMs += 10;
      const events = talk.toAgent();
      for (const id of ids) talk.agent.consumed(id, dataBytes(events, id), talk.nowMs);
      talk.nowMs += 10;
      talk.toGateway();
    }
    let held = 0;
    for (let sent = 1; sent > 0;) {
      sent = ids.reduce((sum, id) => sum + fill(talk.gateway, id), 0);
      held += dataBytes(talk.settle().agent);
    }
    assert.ok(held <= connectionWindowBytes + ids.length * reserve, `${held} bytes are held`);
    const lively = talk.openStream();
    assert.ok(fill(talk.gateway, lively) >= reserve);
  });

  test('leaves the pool whole when it is reset', () => {
    const talk = distantConversation();
    const ids = Array.from({ length: 100 }, () => {
      const id = talk.openStream();
      fill(talk.gateway, id);
      talk.settle();
      return id;
    });
    for (const id of ids) talk.agent.reset(id, 4, 'enough');
    talk.settle();
    const id = talk.agent.openStream(someFields);
    talk.toGateway();
    assert.equal(fill(talk.gateway, id), windowBytesInitial);
  });
});

describe('random schedules', () => {
  const step = fc.record(
    {
      act: fc.constantFrom(
        'open',
        'send',
        'send',
        'send',
        'consume',
        'consume',
        'carry',
        'carry',
        'end',
        'reset',
      ),
      side: fc.constantFrom('agent', 'gateway'),
      id: fc.integer({ min: 1, max: 6 }),
      bytes: fc.integer({ min: 1, max: 300_000 }),
    },
    { noNullPrototype: true },
  );
  type Side = 'agent' | 'gateway';

  test('never lose, reorder or invent a byte, never exceed the window, and never stick', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
        const small = {
          windowBytesInitial: 100_000,
          windowBytesMax: 400_000,
          connectionWindowBytes: 700_000,
          streamsMax: 6,
        };
        const talk = new Conversation(small);
        const held = { agent: new Map<number, number>(), gateway: new Map<number, number>() };
        const sent = new Map<string, number>();
        const received = new Map<string, number>();
        const wasReset = new Set<number>();
        const add = (map: Map<string, number>, key: string, bytes: number) =>
          map.set(key, (map.get(key) ?? 0) + bytes);
        const carry = (from: Side): void => {
          const to: Side = from === 'agent' ? 'gateway' : 'agent';
          talk.nowMs += 1;
          for (const event of from === 'agent' ? talk.toGateway() : talk.toAgent()) {
            if (event.type === 'failed') throw event.error;
            if (event.type === 'reset') wasReset.add(event.streamId);
            if (event.type !== 'data') continue;
            held[to].set(event.streamId, (held[to].get(event.streamId) ?? 0) + event.data.length);
            add(received, `${to} ${event.streamId}`, event.data.length);
          }
          const total = [...held[to]].reduce((sum, [id, bytes]) => sum + (wasReset.has(id) ? 0 : bytes), 0);
          assert.ok(total <= 700_000 + 6 * reserve, `${total} bytes are held`);
        };
        for (const { act, side, id, bytes } of steps) {
          const connection = talk[side];
          const state = connection.streamState(id);
          if (act === 'open' && talk.agent.streamCount < 6)
            talk.agent.openStream({ authority: 'a.test:1', mode: 'raw' });
          if (act === 'send' && (state === 'open' || state === 'half-closed-remote')) {
            add(
              sent,
              `${side === 'agent' ? 'gateway' : 'agent'} ${id}`,
              connection.sendData(id, block.subarray(0, bytes)),
            );
          }
          if (act === 'consume') {
            const count = Math.min(bytes, held[side].get(id) ?? 0);
            connection.consumed(id, count, talk.nowMs);
            held[side].set(id, (held[side].get(id) ?? 0) - count);
          }
          if (act === 'carry') carry(side);
          if (act === 'end') connection.end(id);
          if (act === 'reset' && bytes < 30_000) {
            connection.reset(id, 4, '');
            wasReset.add(id);
          }
        }
        for (let i = 0; i < 4; i++) {
          carry('agent');
          carry('gateway');
        }
        for (const [key, bytes] of sent) {
          const id = Number(key.split(' ')[1]);
          if (wasReset.has(id)) assert.ok((received.get(key) ?? 0) <= bytes, key);
          else assert.equal(received.get(key) ?? 0, bytes, key);
        }
        for (const side of ['agent', 'gateway'] as const) {
          for (const [id, bytes] of held[side]) talk[side].consumed(id, bytes, talk.nowMs);
        }
        talk.settle();
        // Once all is drained every open stream can send again.
        for (const side of ['agent', 'gateway'] as const) {
          for (let id = 1; id <= 6; id++) {
            const state = talk[side].streamState(id);
            if (state !== 'open' && state !== 'half-closed-remote') continue;
            assert.ok(
              talk[side].sendData(id, block.subarray(0, 1)) === 1,
              `${side} is stuck on stream ${id}`,
            );
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
