import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ChunkClient } from '../../../src/agent/uplink/chunk-client.ts';
import { DestinationRefused } from '../../../src/agent/uplink/destination-refused.ts';
import { encodeRefusal } from '../../../src/http/response-writer.ts';
import type { ChunkStream } from '../../../src/net/chunk-stream.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { OpenFields } from '../../../src/protocol/frame.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { type Enrolled, enrolled, eventually, quickLimits } from '../support/enrolled.ts';

const raw: OpenFields = { authority: 'origin.test:443', mode: 'raw' };
const established = 'HTTP/1.1 200 Connection established\r\n\r\n';

interface Setting extends Enrolled {
  readonly client: ChunkClient;
}

async function setting(changes: Partial<Limits> = {}): Promise<Setting> {
  const session = await enrolled();
  const client = await ChunkClient.open({ session: session.session, limits: { ...quickLimits, ...changes } });
  return {
    ...session,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await session[Symbol.asyncDispose]();
    },
  };
}

async function text(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

/** The next bytes of a connection; what follows waits. */
async function firstOf(connection: Duplex): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  connection.once('data', (chunk: Buffer) => {
    connection.pause();
    resolve(chunk.toString('latin1'));
  });
  connection.resume();
  return promise;
}

describe('a connection of the chunk protocol', () => {
  test('asks for its destination, and what comes behind the response is the first that is read', async () => {
    const baseline = resourceBaseline();
    {
      await using scene = await setting();
      const asked: string[] = [];
      scene.fake.onChunks = (connection) =>
        void firstOf(connection).then((head) => {
          asked.push(head);
          connection.end(`${established}first`);
        });
      const stream = await scene.client.openStream({ ...raw, via: '1.1 a, 1.1 b' });
      assert.equal(await text(stream), 'first');
      assert.deepEqual(asked, [
        'CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\nVia: 1.1 a, 1.1 b\r\n\r\n',
      ]);
    }
    await resourcesSettled(baseline);
  });

  test('is not asked for sooner than a gateway says that refuses for now, and waits no longer than for a tunnel', async (context) => {
    await using scene = await setting({ tunnelWaitTimeoutMs: 3000 });
    let attempts = 0;
    let retryAfterSeconds = 2;
    // What an attempt asks for first.
    scene.session.authorize = () => {
      attempts += 1;
      throw new ProxyError('store_unavailable', 'away', { retryAfterSeconds });
    };
    await assert.rejects(scene.client.openStream(raw), { code: 'store_unavailable' });
    context.mock.timers.enable({ apis: ['setTimeout'] });
    for (const tooSoonMs of [1900, 2999]) {
      retryAfterSeconds = 1_000_000;
      const before = attempts;
      const refused = assert.rejects(scene.client.openStream(raw), { code: 'store_unavailable' });
      await nextTurn();
      context.mock.timers.tick(tooSoonMs);
      await nextTurn();
      assert.equal(attempts, before);
      context.mock.timers.tick(601);
      await refused;
      assert.equal(attempts, before + 1);
    }
  });

  test('carries the conversation of a client that speaks to a proxy as it is', async () => {
    await using scene = await setting();
    scene.fake.onChunks = (connection) => void connection.pipe(connection);
    const stream = await scene.client.openStream({ authority: '', mode: 'proxy' });
    stream.write('GET http://origin.test/ HTTP/1.1\r\n\r\n');
    assert.equal(await firstOf(stream), 'GET http://origin.test/ HTTP/1.1\r\n\r\n');
    stream.destroy();
  });

  test('that the gateway refuses throws its code and its sentence', async () => {
    await using scene = await setting();
    for (const whole of [true, false]) {
      scene.fake.onChunks = (connection) =>
        void firstOf(connection).then(() => {
          const fault = new ProxyError('loop_detected', 'it came through here before');
          const response = encodeRefusal(fault, 508);
          // A refusal that is cut short still says why.
          if (whole) connection.end(response);
          else connection.end(response.slice(0, response.indexOf('\r\n\r\n') + 4));
        });
      await assert.rejects(scene.client.openStream(raw), (error: ProxyError) => {
        assert.ok(error instanceof DestinationRefused);
        assert.equal(error.code, 'loop_detected');
        if (whole) assert.equal(error.message, 'it came through here before');
        return true;
      });
    }
    assert.equal(scene.client.isUp, true);
  });

  test('whose response is none, is of another make, never ends or never comes is the fault of the gateway', async () => {
    // Only who says nothing is waited for that long, however busy the machine is.
    await using patient = await setting({ connectHeadBytesMax: 4096 });
    await using impatient = await setting({ headTimeoutMs: 50 });
    const attempts: readonly (readonly [code: string, respond: (connection: Duplex) => void])[] = [
      ['gateway_protocol', (connection) => void connection.write('SSH-2.0-x\r\n\r\n')],
      ['gateway_protocol', (connection) => void connection.end('HTTP/1.1 403 No\r\n\r\n')],
      [
        'gateway_protocol',
        (connection) => void connection.write(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(9000)}`),
      ],
      ['tunnel_lost', (connection) => void connection.end()],
      ['timeout', () => {}],
    ];
    for (const [code, respond] of attempts) {
      const scene = code === 'timeout' ? impatient : patient;
      const { promise, resolve } = Promise.withResolvers<Duplex>();
      scene.fake.onChunks = (connection) => {
        resolve(connection);
        void firstOf(connection).then(() => respond(connection));
      };
      await assert.rejects(scene.client.openStream(raw), { code }, code);
      const connection = await promise;
      connection.resume();
      await eventually(() => connection.destroyed, 'the end of the connection');
    }
  });

  test('reads on after its own end, as a client does that has sent its request', async () => {
    await using scene = await setting();
    scene.fake.onChunks = (connection) =>
      void firstOf(connection).then(async () => {
        connection.write(established);
        assert.equal(await firstOf(connection), 'request');
        connection.write('re');
        connection.end('sponse');
      });
    const stream = await scene.client.openStream(raw);
    stream.end('request');
    assert.equal(await text(stream), 'response');
  });

  test('that breaks is an error and never an end', async () => {
    await using scene = await setting();
    scene.fake.onChunks = (connection) =>
      void firstOf(connection).then(() =>
        connection.write(`${established}half`, () => setImmediate(() => connection.destroy())),
      );
    const stream = await scene.client.openStream(raw);
    await assert.rejects(text(stream), { code: 'tunnel_lost' });
    assert.equal(stream.readableEnded, false);
  });
});

describe('the client of the chunk protocol', () => {
  test('is not opened by a gateway that refuses the session or cannot be reached', async () => {
    await using session = await enrolled();
    session.fake.failNext('tunnel', { kind: 'refuse', code: 'session_revoked' });
    const open = (): Promise<ChunkClient> =>
      ChunkClient.open({ session: session.session, limits: quickLimits });
    await assert.rejects(open(), { code: 'websocket_refused', message: /session_revoked/ });
    await session.fake.stop();
    await assert.rejects(open(), { code: 'gateway_unreachable' });
  });

  test('renews an expired access token once for all who wait, and goes on', async () => {
    await using scene = await setting();
    const expired = { kind: 'refuse', code: 'token_expired' } as const;
    scene.fake.failNext('tunnel', expired, expired, expired);
    const streams = await Promise.all([1, 2, 3].map(() => scene.client.openStream(raw)));
    for (const stream of streams) {
      stream.write('hello');
      assert.equal(await firstOf(stream), 'hello');
      stream.destroy();
    }
    assert.equal(scene.fake.requests.filter((request) => request === 'renew').length, 1);
  });

  test('passes a fault of one connection on to it alone', async () => {
    await using scene = await setting();
    scene.fake.failNext('tunnel', { kind: 'reset' }, { kind: 'refuse', code: 'limit_exceeded' });
    await assert.rejects(scene.client.openStream(raw), { code: 'tunnel_lost' });
    await assert.rejects(scene.client.openStream(raw), { code: 'websocket_refused' });
    (await scene.client.openStream(raw)).destroy();
  });

  test('ends for good with its session: open connections break, and there are no more', async () => {
    await using scene = await setting();
    const stream: ChunkStream = await scene.client.openStream(raw);
    scene.fake.failNext('tunnel', { kind: 'refuse', code: 'session_revoked' });
    await assert.rejects(scene.client.openStream(raw), { code: 'websocket_refused' });
    assert.match((await scene.client.ended)?.message ?? '', /session_revoked/);
    assert.equal(stream.destroyed, true);
    assert.equal(scene.client.isUp, false);
    await assert.rejects(scene.client.whenUp(), { code: 'websocket_refused' });
    const asked = scene.fake.requests.length;
    await assert.rejects(scene.client.openStream(raw), { code: 'websocket_refused' });
    assert.equal(scene.fake.requests.length, asked, 'nobody is asked any more');
  });

  test('that is closed while connections are made leaves none', async () => {
    const baseline = resourceBaseline();
    {
      await using scene = await setting();
      scene.fake.failNext('tunnel', { kind: 'silence' });
      const opening = scene.client.openStream(raw);
      opening.catch(() => {});
      await eventually(() => scene.fake.requests.at(-1) === 'tunnel', 'the request');
      await scene.client.close();
      await assert.rejects(opening, { code: 'shutting_down' });
      assert.equal(await scene.client.ended, undefined);
      await scene.client.close();
    }
    await resourcesSettled(baseline);
  });
});

describe('the nonces of a gateway', () => {
  const connected = async ({ client }: Setting): Promise<void> => {
    const stream = await client.openStream(raw);
    stream.destroy();
  };

  test('the first is asked for by one refusal, and each connection brings the one for the next', async () => {
    await using session = await enrolled();
    const { fake } = session;
    fake.acceptsNonce = (nonce) => nonce === fake.nextNonce || nonce === 'nonce-2';
    const client = await ChunkClient.open({ session: session.session, limits: quickLimits });
    await using scene = { ...session, client, [Symbol.asyncDispose]: () => client.close() };
    assert.deepEqual(fake.nonces, ['none', 'nonce-1']);
    fake.nextNonce = 'nonce-2';
    await assert.doesNotReject(connected(scene));
    // It was given with the refusal of the one before.
    assert.deepEqual(fake.nonces.slice(2), ['nonce-1', 'nonce-2']);
    fake.nextNonce = 'nonce-3';
    await connected(scene);
    await connected(scene);
    assert.deepEqual(fake.nonces.slice(4), ['nonce-2', 'nonce-3']);
  });

  test('a gateway of an earlier version, which knows none, is served by the same proofs', async () => {
    await using scene = await setting();
    await connected(scene);
    assert.deepEqual(scene.fake.nonces, ['none', 'none']);
  });

  test('where each connection reaches another gateway, its proofs do without them', async () => {
    await using session = await enrolled();
    const { fake } = session;
    let given = 0;
    fake.acceptsNonce = (nonce) => {
      fake.nextNonce = `nonce-${(given += 1)}`;
      return nonce === undefined;
    };
    const client = await ChunkClient.open({ session: session.session, limits: quickLimits });
    await using scene = { ...session, client, [Symbol.asyncDispose]: () => client.close() };
    assert.deepEqual(fake.nonces, ['none', 'nonce-1', undefined]);
    await connected(scene);
    assert.deepEqual(fake.nonces.slice(3), [undefined]);
  });

  test('a refusal that gives none, or something else, is no reason to ask again', async () => {
    await using session = await enrolled();
    const { fake } = session;
    fake.acceptsNonce = () => false;
    for (const nonce of ['none', 'two words', 'x'.repeat(257)]) {
      fake.nextNonce = nonce;
      fake.nonces.length = 0;
      await assert.rejects(ChunkClient.open({ session: session.session, limits: quickLimits }), {
        code: 'websocket_refused',
      });
      assert.deepEqual(fake.nonces, ['none'], nonce);
    }
  });
});
