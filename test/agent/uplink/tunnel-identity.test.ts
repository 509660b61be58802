// What a gateway may say at the start of a tunnel before the agent says whose it is.

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { identifyLink, type IdentifiedLink } from '../../../src/agent/uplink/tunnel-identity.ts';
import { MessageFrames } from '../../../src/net/message-frames.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { Frame } from '../../../src/protocol/frame.ts';
import { encodeFrame } from '../../../src/protocol/frame-codec.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { checkIdentity } from '../../../src/protocol/tunnel-identity.ts';
import { destroySockets, Recorder, webSocketPair, type WebSocketPair } from '../../net/websocket-pair.ts';

afterEach(destroySockets);

const origin = 'https://gateway.test';
const session = generateKeyPairSync('ed25519');
const challenge: Frame = {
  type: 'challenge',
  challenge: new Uint8Array(32).fill(3),
  tunnelId: new Uint8Array(24).fill(4),
};

function identified(
  { client }: WebSocketPair,
  changes: {
    readonly limits?: Partial<Limits>;
    readonly signal?: AbortSignal;
    readonly sign?: () => Promise<never>;
  } = {},
): Promise<IdentifiedLink> {
  return identifyLink({
    webSocket: client,
    agent: {
      origin,
      exporter: undefined,
      modes: [],
      sign: changes.sign ?? (async (text) => new Uint8Array(sign(null, text, session.privateKey))),
    },
    limits: { ...defaultLimits, ...changes.limits },
    signal: changes.signal,
  });
}

test('the agent says whose the tunnel is, and gets what comes behind that', async () => {
  const pair = await webSocketPair();
  const atGateway = new Recorder();
  pair.server.start(atGateway);
  pair.server.sendBinary([encodeFrame(challenge)]);
  const { begin, challenge: taken } = await identified(pair);
  assert.deepEqual(taken, challenge);
  const atAgent = new Recorder();
  begin(atAgent);
  pair.server.sendBinary([encodeFrame({ type: 'ping', nonce: 7 })]);
  pair.client.sendBinary([encodeFrame({ type: 'ping', nonce: 8 })]);
  await pair.client.close(1000);
  await atGateway.closed;
  const [first, second] = atGateway.messages;
  const frames = new MessageFrames(defaultLimits);
  frames.push(first ?? assert.fail('nothing came'));
  const [identity] = frames.take();
  assert.ok(identity?.type === 'identify' && taken.type === 'challenge');
  checkIdentity(taken, identity, {
    isOwnOrigin: (one) => one === origin,
    verify: (text, signature) => verify(null, text, session.publicKey, signature),
  });
  assert.deepEqual(second, Buffer.from(encodeFrame({ type: 'ping', nonce: 8 })));
  assert.deepEqual(atAgent.messages, [Buffer.from(encodeFrame({ type: 'ping', nonce: 7 }))]);
});

for (const [what, frames, code] of [
  ['a gateway that does not challenge', [{ type: 'ping', nonce: 1 }], 'frame_unexpected'],
  ['a challenge with more behind it', [challenge, { type: 'ping', nonce: 1 }], 'frame_unexpected'],
  ['nothing', [], 'frame_unexpected'],
  [
    'a gateway that is going',
    [
      {
        type: 'goaway',
        lastStreamId: 0,
        code: new ProxyError('shutting_down', '').wireCode,
        message: 'it ends',
      },
    ],
    'shutting_down',
  ],
] as const satisfies readonly (readonly [string, readonly Frame[], string])[])
  test(`${what} gets no signature`, async () => {
    const pair = await webSocketPair();
    const atGateway = new Recorder();
    pair.server.start(atGateway);
    pair.server.sendBinary(frames.map((frame) => encodeFrame(frame)));
    await assert.rejects(identified(pair), { code });
    assert.deepEqual(atGateway.messages, []);
  });

test('a second challenge is a fault, and so is a connection that ends', async () => {
  const pair = await webSocketPair();
  const atGateway = new Recorder();
  pair.server.start(atGateway);
  for (let i = 0; i < 2; i += 1) pair.server.sendBinary([encodeFrame(challenge)]);
  const key = { sign: () => new Promise<never>(() => undefined) };
  await assert.rejects(identified(pair, key), { code: 'frame_unexpected' });
  assert.deepEqual(atGateway.messages, []);
  const ended = await webSocketPair();
  ended.serverSocket.destroy();
  await assert.rejects(identified(ended), { code: 'tunnel_lost' });
});

test('the agent waits for no longer than a handshake, nor for one that nobody wants any more', async () => {
  await assert.rejects(identified(await webSocketPair(), { limits: { handshakeTimeoutMs: 20 } }), {
    code: 'timeout',
  });
  await assert.rejects(identified(await webSocketPair(), { signal: AbortSignal.abort() }), {
    code: 'cancelled',
  });
});
