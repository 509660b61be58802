import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import {
  type GatewayRelay,
  type GatewayRelayOptions,
  startUpstreamProxyRelay,
} from '../../src/agent/start-relay.ts';
import { encodeRefusal } from '../../src/http/response-writer.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { tunnelPath } from '../../src/protocol/session-messages.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { MemoryLogger, quickLimits } from './support/enrolled.ts';
import { FakeGateway } from './support/fake-gateway.ts';
import { RelayClient } from './support/relay-fixture.ts';

const tokenText = 'header.payload.signature';

interface Setting extends AsyncDisposable {
  readonly fake: FakeGateway;
  readonly logger: MemoryLogger;
  start(changes?: Partial<GatewayRelayOptions>): Promise<GatewayRelay>;
}

async function setting(): Promise<Setting> {
  const fake = await FakeGateway.start();
  const logger = new MemoryLogger();
  return {
    fake,
    logger,
    start: (changes = {}) =>
      startUpstreamProxyRelay({
        gatewayUrl: fake.url,
        gatewayCa: fake.authority.caPem,
        token: tokenText,
        environment: {},
        limits: quickLimits,
        logger,
        ...changes,
      }),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

describe('a relay with a session of its own', () => {
  test('works by a gateway URL and a token, carries each connection, and ends its session', async () => {
    const baseline = resourceBaseline();
    {
      await using scene = await setting();
      const relay = await scene.start({ sessionId: 'build-17' });
      const { session } = scene.fake;
      assert.deepEqual([relay.sessionId, session.state, session.token], [session.id, 'committed', tokenText]);
      assert.equal(session.posture.nondumpable, true);
      assert.deepEqual(relay.posture, session.posture);
      const clients = await Promise.all(
        ['one', 'two', 'three'].map(async (word) => {
          const client = new RelayClient(relay.port);
          await client.tunnelTo(`${word}.test:443`, word);
          await client.received(word);
          return client;
        }),
      );
      assert.equal(relay.connectionCount, 3);
      for (const { socket } of clients) socket.destroy();
      await relay.close();
      await relay.close();
      assert.equal(await relay.ended, undefined);
      assert.equal(session.state, 'ended');
      // By turns: enrolment, proof, commit, the connections, the end; no tunnel of the other protocol.
      assert.deepEqual(scene.fake.requests, [
        'enrol',
        'tunnel',
        'commit',
        'tunnel',
        'tunnel',
        'tunnel',
        'end',
      ]);
      assert.deepEqual(scene.fake.links, []);
      assert.doesNotMatch(scene.logger.lines.join('\n'), new RegExp(tokenText));
    }
    await resourcesSettled(baseline);
  });

  test('works by the URL of the WebSocket as well', async () => {
    await using scene = await setting();
    const wsUrl = `${scene.fake.url.replace('https:', 'wss:')}${tunnelPath}`;
    const { gatewayUrl: _, ...options } = { gatewayUrl: undefined, wsUrl };
    await using relay = await startUpstreamProxyRelay({
      ...options,
      gatewayCa: scene.fake.authority.caPem,
      token: tokenText,
      environment: {},
      logger: scene.logger,
    });
    const client = new RelayClient(relay.port);
    await client.tunnelTo('origin.test:443', 'ping');
    await client.received('ping');
    client.socket.destroy();
  });

  test('clears a token of bytes once the session is committed, and not where the start fails before', async () => {
    await using scene = await setting();
    const token = Buffer.from(tokenText);
    for (const [request, code] of [
      ['enrol', 'limit_exceeded'],
      ['tunnel', 'websocket_refused'],
    ] as const) {
      scene.fake.failNext(request, { kind: 'refuse', code: 'limit_exceeded' });
      await assert.rejects(scene.start({ token }), { code });
      assert.equal(token.toString(), tokenText);
    }
    await using relay = await scene.start({ token });
    assert.ok(relay.port > 0);
    assert.deepEqual(token, Buffer.alloc(tokenText.length));
  });

  test('gives its client the refusal of a destination as it is, and 503 for a gateway that is away', async () => {
    await using scene = await setting();
    await using relay = await scene.start();
    scene.fake.onChunks = (connection: Duplex) =>
      void once(connection, 'data').then(() =>
        connection.end(encodeRefusal(new ProxyError('loop_detected', 'through here before'), 508)),
      );
    const refused = new RelayClient(relay.port);
    refused.socket.write('CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
    await refused.received('through here before');
    assert.match(refused.text, /^HTTP\/1\.1 508 [\s\S]*X-Deny-Reason: loop_detected\r\n/);
    assert.equal(await refused.ending(), 'end');
    refused.socket.destroy();
    await scene.fake.stop();
    const lost = new RelayClient(relay.port);
    lost.socket.write('CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
    await lost.received('gateway_unreachable');
    assert.match(lost.text, /^HTTP\/1\.1 503 /);
    lost.socket.destroy();
  });

  test('resets its client where the far end breaks, and ends it where that ends', async () => {
    await using scene = await setting();
    await using relay = await scene.start();
    for (const [how, ending] of [
      ['destroy', 'ECONNRESET'],
      ['end', 'end'],
    ] as const) {
      scene.fake.onChunks = (connection: Duplex) =>
        void once(connection, 'data').then(() => {
          connection.write('HTTP/1.1 200 OK\r\n\r\nhalf', () => setImmediate(() => connection[how]()));
        });
      const client = new RelayClient(relay.port);
      await client.tunnelTo('origin.test:443');
      assert.equal(await client.ending(), ending);
      client.socket.destroy();
    }
  });

  test('says when its session ended for good, and refuses from then on', async () => {
    await using scene = await setting();
    await using relay = await scene.start();
    scene.fake.session.state = 'revoked';
    const client = new RelayClient(relay.port);
    client.socket.write('CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
    await client.received('session_revoked');
    assert.match(client.text, /^HTTP\/1\.1 503 /);
    assert.match((await relay.ended)?.message ?? '', /session_revoked/);
    client.socket.destroy();
  });
});

describe('a start of a relay that fails', () => {
  test('names what is wrong with its options before it asks anybody', async () => {
    await using scene = await setting();
    const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
      [{ gatewayURL: 'x' }, /no option "gatewayURL"; did you mean gatewayUrl\?/],
      [{ tokenFile: '/run/token' }, /no option "tokenFile"/],
      [{ token: 7 }, /token must be a text or bytes/],
      [{ token: undefined }, /token is missing/],
      [{ wsUrl: 'wss://gateway.test/v1/code/upstreamproxy/ws' }, /name the gateway once/],
      [{ gatewayUrl: undefined }, /name the gateway once/],
      [{ gatewayUrl: undefined, wsUrl: 'wss://gateway.test/other' }, /must be wss:\/\/host/],
      [{ gatewayUrl: undefined, wsUrl: 'https://gateway.test/v1/code/upstreamproxy/ws' }, /must be wss:/],
      [{ gatewayUrl: undefined, wsUrl: 'ws://gateway.test/v1/code/upstreamproxy/ws' }, /only over https/],
      [{ sessionId: 'two words' }, /sessionId must be/],
      [{ sessionId: 'a\r\nb' }, /sessionId must be/],
      [{ sessionId: '' }, /sessionId must be/],
      [{ port: 70_000 }, /port must be/],
    ];
    for (const [changes, message] of cases)
      await assert.rejects(scene.start(changes), { code: 'config_invalid', message }, String(message));
    await assert.rejects(
      startUpstreamProxyRelay({ tunnel: {} as never, gatewayUrl: scene.fake.url } as never),
      { code: 'config_invalid', message: /with a tunnel: there is no option "gatewayUrl"/ },
    );
    assert.deepEqual(scene.fake.requests, []);
  });

  test('leaves nothing behind, and the token to the next start', async () => {
    const baseline = resourceBaseline();
    {
      await using scene = await setting();
      const fails: readonly (readonly [code: string, changes: Partial<GatewayRelayOptions>])[] = [
        ['gateway_untrusted', { gatewayCa: createTestAuthority().caPem }],
        ['token_malformed', { token: 'two words' }],
        ['token_unreadable', { token: 'x'.repeat(17_000) }],
        ['hardening_failed', { environment: { LD_PRELOAD: '/tmp/x.so' } }],
        ['relay_port_in_use', { port: scene.fake.port }],
        ['usage', { host: '0.0.0.0' }],
        ['cancelled', { signal: AbortSignal.abort() }],
      ];
      for (const [code, changes] of fails) await assert.rejects(scene.start(changes), { code }, code);
      assert.ok(!scene.fake.requests.includes('commit') && !scene.fake.requests.includes('end'));
      await using relay = await scene.start();
      assert.equal(scene.fake.session.state, 'committed');
      assert.ok(relay.port > 0);
    }
    await resourcesSettled(baseline);
  });
});
