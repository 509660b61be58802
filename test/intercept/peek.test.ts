import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Server } from 'node:http';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { peekFirstBytes } from '../../src/intercept/peek.ts';
import type { FirstBytes, PeekOptions } from '../../src/intercept/peek.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { patienceMs } from '../support/patience.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { alpn, hello, helloMessage, records, serverName, text } from './hello-bytes.ts';
import { pairKinds } from './stream-pair.ts';
import type { StreamPair } from './stream-pair.ts';

const bytes = hello({ extensions: [serverName(text('api.example.com')), alpn(text('h2'))] });
const peek = (stream: Duplex, options: Partial<PeekOptions> = {}): Promise<FirstBytes> =>
  peekFirstBytes(stream, { timeoutMs: patienceMs, limits: defaultLimits, ...options });

const fails = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

/** All that can still be read of a stream whose other side ends. */
async function rest(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Nothing of the peek listens any more. */
function released(stream: Duplex): void {
  assert.equal(stream.listenerCount('readable'), 0);
  assert.equal(stream.readableFlowing, null);
}

for (const [kind, make] of pairKinds) {
  describe(`the first bytes of ${kind}`, () => {
    async function withPair(use: (pair: StreamPair) => Promise<void>): Promise<void> {
      const baseline = resourceBaseline();
      const pair = await make();
      for (const stream of [pair.client, pair.server]) stream.on('error', () => undefined);
      try {
        await use(pair);
      } finally {
        pair.client.destroy();
        pair.server.destroy();
      }
      await resourcesSettled(baseline);
    }

    test('are put back, and what comes behind follows them', async () => {
      await withPair(async ({ client, server }) => {
        client.write(bytes);
        const first = await peek(server);
        assert.ok(first.kind === 'tls');
        assert.equal(first.hello.sni, 'api.example.com');
        released(server);
        client.end('and more');
        assert.deepEqual(await rest(server), Buffer.concat([bytes, text('and more')]));
      });
    });

    test('may have come before anybody looked', async () => {
      await withPair(async ({ client, server }) => {
        client.end(bytes);
        await turn();
        await turn();
        assert.equal((await peek(server)).kind, 'tls');
        assert.deepEqual(await rest(server), Buffer.from(bytes));
      });
    });

    test('may come one by one', async () => {
      await withPair(async ({ client, server }) => {
        const split = records(helloMessage({ extensions: [serverName(text('a.test'))] }), 30);
        const pending = peek(server);
        for (const octet of split) {
          client.write(Uint8Array.of(octet));
          await turn();
        }
        const first = await pending;
        assert.ok(first.kind === 'tls');
        assert.equal(first.hello.sni, 'a.test');
        client.end();
        assert.deepEqual(await rest(server), Buffer.from(split));
      });
    });

    for (const [name, start, expected] of [
      ['HTTP/1.1', 'GET / HTTP/1.1\r\n', { kind: 'http' }],
      ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { kind: 'http2' }],
      ['SSH', 'SSH-2.0-x\r\n', { kind: 'other', bytes: 11 }],
    ] as const) {
      test(`of ${name} are told and put back`, async () => {
        await withPair(async ({ client, server }) => {
          client.write(start);
          assert.deepEqual(await peek(server), expected);
          released(server);
          client.end();
          assert.equal((await rest(server)).toString('latin1'), start);
        });
      });
    }

    test('that are a request go on to a node:http server as they came', async () => {
      await withPair(async ({ client, server }) => {
        const http = new Server((request, response) => {
          request.pipe(response);
        });
        client.write(
          'POST /echo HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhe',
        );
        assert.equal((await peek(server)).kind, 'http');
        http.emit('connection', server);
        client.write('llo');
        assert.match(
          (await rest(client)).toString('latin1'),
          /^HTTP\/1\.1 200 OK[^]*\nhe\r\n3\r\nllo\r\n0\r\n/,
        );
      });
    });

    test('that never come are silence, and the stream can be used', async () => {
      await withPair(async ({ client, server }) => {
        assert.deepEqual(await peek(server, { timeoutMs: 10 }), { kind: 'silent' });
        released(server);
        client.end('late');
        assert.equal((await rest(server)).toString('latin1'), 'late');
      });
    });

    test('that decide nothing in time are other bytes, and put back', async () => {
      await withPair(async ({ client, server }) => {
        client.write('GE');
        assert.deepEqual(await peek(server, { timeoutMs: 30 }), { kind: 'other', bytes: 2 });
        client.end('T');
        assert.equal((await rest(server)).toString('latin1'), 'GET');
      });
    });

    test('of a hello that does not end in time are a timeout', async () => {
      await withPair(async ({ client, server }) => {
        client.write(bytes.subarray(0, 20));
        await assert.rejects(peek(server, { timeoutMs: 30 }), fails('timeout', /within 30 ms/));
        released(server);
      });
    });

    test('of a malformed hello are refused', async () => {
      await withPair(async ({ client, server }) => {
        client.write(hello({ extensions: [serverName(text('a\0b'))] }));
        await assert.rejects(peek(server), fails('tls_handshake', /not visible ASCII/));
      });
    });

    test('that are none, then the end, are an end', async () => {
      await withPair(async ({ client, server }) => {
        client.end();
        assert.deepEqual(await peek(server), { kind: 'ended', bytes: 0 });
      });
    });

    test('that are too few, then the end, are an end', async () => {
      await withPair(async ({ client, server }) => {
        client.end(bytes.subarray(0, 20));
        assert.deepEqual(await peek(server), { kind: 'ended', bytes: 20 });
      });
    });

    test('of a stream that is lost are cancelled', async () => {
      await withPair(async ({ client, server }) => {
        const pending = peek(server);
        server.destroy();
        await assert.rejects(pending, fails('cancelled', /closed the connection/));
        await assert.rejects(peek(server), fails('cancelled', /closed the connection/));
        client.destroy();
      });
    });

    test('are not waited for after the signal, and are put back', async () => {
      await withPair(async ({ client, server }) => {
        const controller = new AbortController();
        client.write('GE');
        const pending = peek(server, { signal: controller.signal });
        await turn();
        controller.abort(new ProxyError('shutting_down', 'the gateway drains'));
        await assert.rejects(pending, fails('shutting_down', /drains/));
        released(server);
        client.end();
        assert.equal((await rest(server)).toString('latin1'), 'GE');
        await assert.rejects(peek(client, { signal: AbortSignal.abort('x') }), fails('cancelled', /x/));
      });
    });

    test('are not read beyond what the stream buffers anyway', async () => {
      await withPair(async ({ client, server }) => {
        client.write(bytes);
        for (let piece = 0; piece < 64; piece++) client.write(Buffer.alloc(64 * 1024));
        assert.equal((await peek(server)).kind, 'tls');
        for (let turns = 0; turns < 20; turns++) await turn();
        assert.ok(server.readableLength <= 256 * 1024, String(server.readableLength));
        server.destroy();
        await once(server, 'close');
      });
    });
  });
}
