import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Frame } from '../../src/protocol/frame.ts';
import type { TunnelEvent } from '../../src/protocol/tunnel-event.ts';
import { alone, Conversation, drainEvents, join, someFields } from './conversation.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const typesOf = (events: readonly { readonly type: string }[]): string[] => events.map(({ type }) => type);

function textOf(events: readonly TunnelEvent[]): string {
  return Buffer.from(
    join(events.map((event) => (event.type === 'data' ? event.data : new Uint8Array()))),
  ).toString();
}

describe('a conversation', () => {
  test('opens optimistically: the first bytes travel with the open', () => {
    const talk = new Conversation();
    const id = talk.agent.openStream({ authority: 'example.com:443', mode: 'tls', sni: 'example.com' });
    assert.equal(talk.agent.sendData(id, bytes('hello')), 5);
    const events = talk.toGateway();
    assert.deepEqual(typesOf(events), ['open', 'data']);
    assert.deepEqual(events[0], {
      type: 'open',
      streamId: 1,
      fields: { authority: 'example.com:443', mode: 'tls', sni: 'example.com' },
    });
    talk.gateway.accept(id);
    talk.gateway.accept(id);
    assert.deepEqual(typesOf(talk.toAgent()), ['accepted']);
  });

  test('numbers streams one by one', () => {
    const talk = new Conversation();
    assert.deepEqual(
      [1, 2, 3].map(() => talk.agent.openStream(someFields)),
      [1, 2, 3],
    );
    assert.equal(talk.agent.streamCount, 3);
  });

  for (const [how, respond] of [
    ['data', (talk: Conversation, id: number) => void talk.gateway.sendData(id, bytes('x'))],
    ['an end', (talk: Conversation, id: number) => talk.gateway.end(id)],
  ] as const) {
    test(`${how} from the gateway implies that it accepts`, () => {
      const talk = new Conversation();
      const id = talk.agent.openStream(someFields);
      talk.toGateway();
      respond(talk, id);
      talk.gateway.accept(id);
      assert.deepEqual(typesOf(talk.toAgent())[0], 'accepted');
      assert.equal(drainEvents(talk.agent).length, 0);
    });
  }

  test('a refusal ends that stream, with code and message, and nothing else', () => {
    const talk = new Conversation();
    const refused = talk.agent.openStream(someFields);
    const other = talk.agent.openStream(someFields);
    talk.agent.sendData(refused, bytes('early'));
    talk.toGateway();
    talk.gateway.refuse(refused, 63, 'no rule allows it');
    talk.gateway.accept(other);
    assert.deepEqual(talk.toAgent(), [
      { type: 'refused', streamId: refused, code: 63, message: 'no rule allows it' },
      { type: 'accepted', streamId: other },
    ]);
    assert.equal(talk.agent.streamState(refused), undefined);
    assert.equal(talk.gateway.streamState(refused), undefined);
    assert.equal(talk.agent.sendData(refused, bytes('late')), 0);
  });

  test('a refusal after the acceptance becomes a reset', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.gateway.refuse(id, 67, 'origin gone');
    assert.deepEqual(talk.toAgent(), [{ type: 'reset', streamId: id, code: 67, message: 'origin gone' }]);
  });

  test('half-closes each way on its own', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.agent.sendData(id, bytes('question'));
    talk.agent.end(id);
    talk.agent.end(id);
    assert.equal(talk.agent.streamState(id), 'half-closed-local');
    assert.deepEqual(typesOf(talk.toGateway()), ['data', 'end']);
    assert.equal(talk.gateway.streamState(id), 'half-closed-remote');
    talk.gateway.sendData(id, bytes('long response'));
    assert.equal(textOf(talk.toAgent()), 'long response');
    talk.gateway.end(id);
    talk.gateway.consumed(id, 8, 0);
    assert.equal(talk.gateway.streamState(id), undefined);
    assert.deepEqual(typesOf(talk.toAgent()), ['end']);
    assert.equal(talk.agent.streamState(id), 'closed');
    talk.agent.consumed(id, 13, 0);
    assert.equal(talk.agent.streamState(id), undefined);
  });

  test('bytes that were received before both ends count until they are drained, or given up', () => {
    const talk = new Conversation({ streamsMax: 1 });
    const id = talk.agent.openStream(someFields);
    talk.agent.sendData(id, bytes('unread'));
    talk.agent.end(id);
    talk.toGateway();
    talk.gateway.end(id);
    assert.deepEqual([talk.gateway.streamState(id), talk.gateway.streamCount], ['closed', 0]);
    talk.toAgent();
    const second = talk.agent.openStream(someFields);
    talk.toGateway();
    assert.deepEqual(typesOf(talk.toAgent()), ['refused']);
    talk.gateway.reset(id, 4, 'nobody reads it');
    assert.equal(talk.gateway.outputBytes, 0);
    assert.equal(talk.gateway.streamState(id), undefined);
    assert.equal(talk.agent.openStream(someFields), second + 1);
    assert.deepEqual(typesOf(talk.toGateway()), ['open']);
  });

  test('a reset ends both directions at once, with code and message', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.gateway.sendData(id, bytes('cut'));
    talk.gateway.reset(id, 70, 'the origin cut the response');
    talk.gateway.reset(id, 70, 'again');
    assert.equal(talk.gateway.streamState(id), undefined);
    const events = talk.toAgent();
    assert.deepEqual(typesOf(events), ['data', 'reset']);
    assert.deepEqual(events[1], {
      type: 'reset',
      streamId: id,
      code: 70,
      message: 'the origin cut the response',
    });
    assert.equal(talk.agent.streamState(id), undefined);
    assert.equal(talk.agent.sendData(id, bytes('x')), 0);
    talk.settle();
    talk.agent.consumed(id, 3, 0);
    assert.equal(talk.agent.outputBytes, 0);
  });

  test('a reset behind an end leaves the complete bytes to be drained', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.gateway.sendData(id, bytes('complete'));
    talk.gateway.end(id);
    talk.gateway.reset(id, 4, 'send no more');
    assert.deepEqual(typesOf(talk.toAgent()), ['data', 'end', 'reset']);
    assert.equal(talk.agent.streamState(id), 'closed');
    assert.equal(talk.agent.streamCount, 0);
    talk.agent.consumed(id, 8, 0);
    assert.equal(talk.agent.streamState(id), undefined);
  });

  test('frames that cross a reset are dropped without a word', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.agent.sendData(id, bytes('crossing'));
    talk.agent.end(id);
    talk.gateway.reset(id, 4, 'gone');
    assert.deepEqual(talk.toGateway(), []);
    assert.deepEqual(typesOf(talk.toAgent()), ['reset']);
    assert.notEqual(talk.gateway.deadlineMs, undefined);
  });

  test('resets that cross each other are fine', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.agent.reset(id, 4, 'a');
    talk.gateway.reset(id, 4, 'b');
    assert.deepEqual(talk.settle(), { agent: [], gateway: [] });
  });

  test('measures the round trip, from either side', () => {
    const talk = new Conversation();
    talk.agent.ping(0);
    talk.gateway.ping(0);
    talk.nowMs = 7;
    assert.deepEqual(talk.settle(), {
      agent: [{ type: 'pong', roundTripMs: 7 }],
      gateway: [{ type: 'pong', roundTripMs: 7 }],
    });
  });

  test('calls for streams that are unknown do nothing', () => {
    const { agent } = new Conversation();
    agent.accept(9);
    agent.refuse(9, 1, '');
    agent.end(9);
    agent.reset(9, 1, '');
    agent.consumed(9, 100, 0);
    assert.equal(agent.sendData(9, bytes('x')), 0);
    assert.equal(agent.outputBytes, 0);
    assert.equal(agent.streamState(9), undefined);
  });

  test('a mistake of its owner is thrown, not sent', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    assert.throws(() => talk.gateway.openStream(someFields), { code: 'internal' });
    assert.throws(() => talk.agent.consumed(id, 1, 0), { code: 'internal' });
    assert.throws(() => talk.agent.consumed(id, -1, 0), { code: 'internal' });
    talk.agent.end(id);
    assert.throws(() => talk.agent.sendData(id, bytes('x')), { code: 'internal' });
  });

  test('an open whose fields are too long is refused before it is sent and costs no stream id', () => {
    const { agent } = new Conversation();
    const authority = `${'a'.repeat(8192)}:443`;
    assert.throws(() => agent.openStream({ authority, mode: 'raw' }), { code: 'frame_too_large' });
    assert.equal(agent.outputBytes, 0);
    assert.equal(agent.openStream(someFields), 1);
  });

  test('a long message is cut to fit any control frame', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.gateway.reset(id, 1, 'ä'.repeat(100_000));
    const [event] = talk.toAgent();
    assert.ok(event?.type === 'reset' && event.message.length === 501);
  });
});

describe('the number of streams', () => {
  test('is limited at the agent before anything is sent', () => {
    const { agent } = new Conversation({ streamsMax: 2 });
    agent.openStream(someFields);
    const second = agent.openStream(someFields);
    assert.throws(() => agent.openStream(someFields), { code: 'stream_limit', message: /streamsMax/ });
    agent.reset(second, 4, '');
    assert.equal(agent.openStream(someFields), 3);
  });

  test('is limited at the gateway, which refuses that stream and no other', () => {
    const gateway = alone('gateway', { streamsMax: 2 });
    const opens = [1, 2, 3].map((streamId): Frame => ({ type: 'open', streamId, fields: someFields }));
    assert.deepEqual(typesOf(gateway.hear(opens)), ['open', 'open', 'declined']);
    const refusal = gateway.said().find(({ type }) => type === 'refuse');
    assert.ok(refusal?.type === 'refuse');
    assert.deepEqual([refusal.streamId, refusal.code], [3, 25]);
    // Bytes that the agent sent behind its open belong to nobody.
    assert.deepEqual(gateway.hear([{ type: 'data', streamId: 3, data: bytes('early') }]), []);
    gateway.hear([{ type: 'reset', streamId: 1, code: 4, message: '' }]);
    assert.deepEqual(typesOf(gateway.hear([{ type: 'open', streamId: 4, fields: someFields }])), ['open']);
  });
});

describe('goaway', () => {
  test('of the gateway: no new streams, open ones go on, unserved ones are refused', () => {
    const talk = new Conversation();
    const served = talk.openStream();
    talk.gateway.goaway(5, 'the gateway drains');
    const late = talk.agent.openStream(someFields);
    assert.deepEqual(talk.toAgent(), [
      { type: 'goaway', lastStreamId: served, code: 5, message: 'the gateway drains' },
      { type: 'refused', streamId: late, code: 5, message: 'the gateway drains' },
    ]);
    assert.throws(() => talk.agent.openStream(someFields), { code: 'shutting_down' });
    assert.deepEqual(talk.toGateway(), []);
    assert.deepEqual(talk.toAgent(), []);
    talk.agent.sendData(served, bytes('still here'));
    assert.equal(textOf(talk.toGateway()), 'still here');
  });

  test('of the agent: it opens no more and the gateway hears of it', () => {
    const talk = new Conversation();
    const id = talk.openStream();
    talk.agent.goaway(5, 'the agent drains');
    assert.throws(() => talk.agent.openStream(someFields), { code: 'shutting_down' });
    assert.deepEqual(talk.toGateway(), [
      { type: 'goaway', lastStreamId: id, code: 5, message: 'the agent drains' },
    ]);
    talk.gateway.sendData(id, bytes('rest'));
    assert.equal(textOf(talk.toAgent()), 'rest');
  });
});

describe('silence', () => {
  const limits = { pingIntervalMs: 20, pingTimeoutMs: 45 };

  test('makes the agent ping, and the response keeps both alive', () => {
    const talk = new Conversation(limits);
    for (let pings = 0; pings < 5; pings++) {
      talk.nowMs = talk.agent.deadlineMs!;
      talk.agent.handleTimeout(talk.nowMs);
      talk.gateway.handleTimeout(talk.nowMs);
      assert.deepEqual(typesOf(talk.settle().agent), ['pong']);
    }
    assert.equal(talk.nowMs, 100);
  });

  for (const role of ['agent', 'gateway'] as const) {
    test(`of the peer ends the ${role} with tunnel_lost, once`, () => {
      const { connection } = alone(role, limits);
      const id = role === 'agent' ? connection.openStream(someFields) : 0;
      for (let turns = 0; connection.deadlineMs !== undefined; turns++) {
        assert.ok(turns < 5);
        connection.handleTimeout(connection.deadlineMs);
      }
      const events = drainEvents(connection);
      assert.deepEqual(typesOf(events), ['failed']);
      assert.ok(events[0]?.type === 'failed' && events[0].error.code === 'tunnel_lost');
      assert.match(events[0].error.message, /pingTimeoutMs/);
      assert.equal(connection.streamState(id), undefined);
      connection.handleTimeout(1_000_000);
      assert.deepEqual(drainEvents(connection), []);
    });
  }
});

test('frames are none that the other side may not take, whatever this side takes', () => {
  const raised = { frameBytesMax: 1 << 20, controlFrameBytesMax: 1 << 20 };
  const { connection, hear, said } = alone('gateway', raised);
  const [open] = hear([
    { type: 'open', streamId: 1, fields: someFields },
    { type: 'window', streamId: 1, bytes: 1 << 20 },
    { type: 'window', streamId: 0, bytes: 1 << 20 },
  ]);
  assert.equal(open?.type, 'open');
  assert.equal(connection.sendData(1, new Uint8Array(1 << 19)), 1 << 19);
  // Read with the limits of a side that changed none.
  assert.equal(
    said().reduce((sum, frame) => sum + (frame.type === 'data' ? frame.data.length : 0), 0),
    1 << 19,
  );
  const agent = alone('agent', raised).connection;
  assert.throws(() => agent.openStream({ ...someFields, via: 'v'.repeat(9000) }), {
    code: 'frame_too_large',
  });
});
