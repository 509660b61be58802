import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Server, createServer as createHttpServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { connect, createSecureContext, createServer as createTlsServer } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import * as v8 from 'node:v8';
import { peekFirstBytes } from '../../src/intercept/peek.ts';
import { TlsTerminator, abortTls } from '../../src/intercept/tls-terminator.ts';
import type { TerminateOptions, TerminatedTls } from '../../src/intercept/tls-terminator.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import { runCommand } from '../support/command.ts';
import { patienceMs } from '../support/patience.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';
import { nativePair, pairKinds, scriptPair } from './stream-pair.ts';
import type { StreamPair } from './stream-pair.ts';

const isBun = process.versions['bun'] !== undefined;
const authority = createEphemeralAuthority(Date.now());
const trust = createSecureContext({ ca: authority.certificatesPem });
const trustOld = createSecureContext({ ca: authority.certificatesPem, maxVersion: 'TLSv1.2' });
const host = 'api.example.com';

const terminatorOf = (limits: Partial<Limits> = {}): TlsTerminator =>
  new TlsTerminator({ issuer: authority, limits: { ...defaultLimits, ...limits }, clock: Date.now });

/** A client on one end. Its errors are kept, never thrown. */
function clientOn(stream: Duplex, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({ socket: stream, servername: host, secureContext: trust, ...options });
  socket.on('error', () => undefined);
  return socket;
}

const fails = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};

/** How a stream came to its end for who reads it. */
async function outcome(stream: Duplex): Promise<{ readonly text: string; readonly end: 'clean' | 'cut' }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } catch {
    return { text: Buffer.concat(chunks).toString('latin1'), end: 'cut' };
  }
  return { text: Buffer.concat(chunks).toString('latin1'), end: 'clean' };
}

interface Scene extends StreamPair {
  readonly terminator: TlsTerminator;
  terminate(options?: Partial<TerminateOptions>): Promise<TerminatedTls>;
  /** Both ends of a finished handshake. */
  shake(
    client?: ConnectionOptions,
    options?: Partial<TerminateOptions>,
  ): Promise<{ near: TerminatedTls; far: TLSSocket }>;
}

async function withScene(
  make: () => Promise<StreamPair>,
  use: (scene: Scene) => Promise<void>,
  terminator: TlsTerminator = terminatorOf(),
): Promise<void> {
  const baseline = resourceBaseline();
  const pair = await make();
  const terminate: Scene['terminate'] = (options) =>
    terminator.terminate(pair.server, { host, alpn: ['http/1.1'], ...options });
  const shake: Scene['shake'] = async (client, options) => {
    const far = clientOn(pair.client, client);
    const [near] = await Promise.all([terminate(options), once(far, 'secureConnect')]);
    return { near, far };
  };
  try {
    await use({ ...pair, terminator, terminate, shake });
  } finally {
    pair.client.on('error', () => undefined).destroy();
    pair.server.on('error', () => undefined).destroy();
    terminator.close();
  }
  await resourcesSettled(baseline);
}

for (const [kind, make] of pairKinds) {
  describe(`TLS ended on ${kind}`, () => {
    test('carries both directions', async () => {
      await withScene(make, async ({ shake }) => {
        const { near, far } = await shake({ ALPNProtocols: ['http/1.1'] });
        assert.equal(near.alpn, 'http/1.1');
        assert.equal(near.servername, host);
        near.socket.pipe(near.socket);
        const data = randomBytes(3 * 1024 * 1024);
        far.end(data);
        assert.ok(data.equals(await buffer(far)), 'other octets came back');
      });
    });

    test('shows a leaf of the given host, whatever SNI says', async () => {
      for (const [servername, seen] of [
        ['other.example.com', 'other.example.com'],
        ['', undefined],
      ] as const) {
        await withScene(make, async ({ shake }) => {
          const { near, far } = await shake({ servername, checkServerIdentity: () => undefined });
          assert.equal(far.getPeerCertificate().subjectaltname, `DNS:${host}`);
          assert.equal(near.servername, seen);
        });
      }
    });

    test(
      'keeps nothing of a handshake that is over',
      { skip: isBun && 'Bun does not count objects' },
      async () => {
        class Deadline {
          clear(): void {}
        }
        await withScene(make, async ({ shake }) => {
          const { near, far } = await shake({}, { startDeadline: () => new Deadline() });
          far.write('first');
          await once(near.socket, 'data');
          assert.equal(v8.queryObjects(Deadline), 0);
        });
      },
    );

    test('follows a look at the first bytes', async () => {
      await withScene(make, async ({ client, server, terminate }) => {
        const far = clientOn(client);
        const first = await peekFirstBytes(server, { timeoutMs: patienceMs, limits: defaultLimits });
        assert.equal(first.kind, 'tls');
        const { socket } = await terminate();
        socket.end('seen');
        assert.deepEqual(await outcome(far), { text: 'seen', end: 'clean' });
      });
    });

    test('serves node:http', async () => {
      await withScene(make, async ({ shake }) => {
        const http = createHttpServer((request, response) => {
          response.end(`${String(request.method)} ${String(request.url)}`);
        });
        const { near, far } = await shake();
        http.emit('connection', near.socket);
        far.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\n');
        await once(far, 'data');
        far.write('GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        const { text, end } = await outcome(far);
        assert.match(text, /GET \/two$/);
        assert.equal(end, 'clean');
      });
    });

    test('serves node:http2', async () => {
      await withScene(make, async ({ shake }) => {
        const http2 = createHttp2Server((request, response) => {
          request.pipe(response);
        });
        const { near, far } = await shake({ ALPNProtocols: ['h2'] }, { alpn: ['h2', 'http/1.1'] });
        assert.equal(near.alpn, 'h2');
        http2.emit('connection', near.socket);
        const session = connectHttp2(`https://${host}`, { createConnection: () => far });
        const bodies = await Promise.all(
          Array.from({ length: 5 }, async (_, index) => {
            const stream = session.request({ ':path': '/', ':method': 'POST' });
            stream.end(`body ${String(index)}`);
            return (await buffer(stream)).toString();
          }),
        );
        assert.deepEqual(bodies, ['body 0', 'body 1', 'body 2', 'body 3', 'body 4']);
        session.close();
        await once(session, 'close');
      });
    });

    test('responses a client that has shut its side down', async () => {
      await withScene(make, async ({ shake }) => {
        const http = createHttpServer((request, response) => {
          setImmediate(() => response.end('response'));
          request.resume();
        });
        // Node's types do not know this switch.
        Object.assign(http, { httpAllowHalfOpen: true });
        const { near, far } = await shake();
        http.emit('connection', near.socket);
        far.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        assert.match((await outcome(far)).text, /response$/);
      });
    });

    describe('chooses the protocol', () => {
      for (const [name, offered, wanted, chosen] of [
        ['by our order', ['h2', 'http/1.1'], ['http/1.1', 'h2'], 'h2'],
        ['that both have', ['http/1.1'], ['h2', 'http/1.1'], 'http/1.1'],
        ['none when the client has none', ['h2', 'http/1.1'], undefined, undefined],
        ['none when none is offered', [], ['h2'], undefined],
      ] as const) {
        test(name, async () => {
          await withScene(make, async ({ shake }) => {
            const client = wanted === undefined ? {} : { ALPNProtocols: [...wanted] };
            const { near, far } = await shake(client, { alpn: offered });
            assert.equal(near.alpn, chosen);
            assert.equal(far.alpnProtocol, chosen ?? false);
          });
        });
      }

      test('not at all when there is none in common: the client gets the alert', async () => {
        await withScene(make, async ({ client, server, terminate }) => {
          const far = clientOn(client, { ALPNProtocols: ['foo'] });
          const alert = new Promise<Error>((resolve) => far.once('error', resolve));
          await assert.rejects(
            terminate(),
            fails('tls_handshake', /api\.example\.com: .*no application protocol/),
          );
          assert.match((await alert).message, /no application protocol/i);
          assert.equal(server.destroyed, true);
        });
      });
    });

    describe('fails', () => {
      test('by name when the client does not trust the CA', async () => {
        await withScene(make, async ({ client, server, terminate }) => {
          const far = clientOn(client, {
            secureContext: createSecureContext({ ca: createEphemeralAuthority(Date.now()).certificatesPem }),
          });
          await assert.rejects(terminate(), fails('tls_handshake', /not trust the CA/));
          assert.equal(server.destroyed, true);
          far.destroy();
        });
      });

      test('when the client leaves in the middle', async () => {
        await withScene(make, async ({ client, server, terminate }) => {
          clientOn(client);
          const pending = terminate();
          setImmediate(() => client.destroy());
          await assert.rejects(
            pending,
            fails('tls_handshake', /closed the connection during the TLS handshake/),
          );
          assert.equal(server.destroyed, true);
        });
      });

      test('when the client ends before it said anything', async () => {
        await withScene(make, async ({ client, server, terminate }) => {
          client.end();
          await assert.rejects(
            terminate(),
            fails('tls_handshake', /closed the connection during the TLS handshake/),
          );
          assert.equal(server.destroyed, true);
        });
      });

      test('at the deadline', async () => {
        await withScene(
          make,
          async ({ client, server, terminate }) => {
            client.write(Uint8Array.of(22, 3, 1));
            await assert.rejects(terminate(), fails('timeout', /did not finish its TLS handshake in 40 ms/));
            assert.equal(server.destroyed, true);
          },
          terminatorOf({ handshakeTimeoutMs: 40 }),
        );
      });

      test('by the signal, before and during the handshake', async () => {
        await withScene(make, async ({ server, terminate }) => {
          await assert.rejects(terminate({ signal: AbortSignal.abort() }), fails('cancelled', /./));
          assert.equal(server.destroyed, false);
          const controller = new AbortController();
          const pending = terminate({ signal: controller.signal });
          controller.abort(new ProxyError('policy_denied', 'no longer allowed'));
          await assert.rejects(pending, fails('policy_denied', /no longer/));
          assert.equal(server.destroyed, true);
        });
      });

      test('when the terminator closes, and after', async () => {
        await withScene(make, async ({ server, terminator, terminate }) => {
          const pending = terminate();
          terminator.close();
          await assert.rejects(pending, fails('shutting_down', /./));
          assert.equal(server.destroyed, true);
          await assert.rejects(terminate(), fails('shutting_down', /./));
        });
      });

      test('on a stream that is gone', async () => {
        await withScene(make, async ({ server, terminate }) => {
          server.destroy();
          await assert.rejects(terminate(), fails('cancelled', /before TLS began/));
        });
      });

      test('on bytes that are no TLS', async () => {
        await withScene(make, async ({ client, server, terminate }) => {
          client.write('GET / HTTP/1.1\r\n\r\n');
          await assert.rejects(terminate(), fails('tls_handshake', /http request/i));
          assert.equal(server.destroyed, true);
        });
      });

      test('without touching the stream when too many leaves were made', async () => {
        await withScene(
          make,
          async ({ server, terminate }) => {
            await assert.rejects(terminate(), fails('limit_exceeded', /leavesPerSecondMax/));
            assert.equal(server.destroyed, false);
          },
          terminatorOf({ leavesPerSecondMax: 0 }),
        );
      });
    });

    describe('ends as it was ended', () => {
      test('cleanly when it was ended', async () => {
        await withScene(make, async ({ shake }) => {
          const { near, far } = await shake();
          near.socket.end('all of it');
          assert.deepEqual(await outcome(far), { text: 'all of it', end: 'clean' });
        });
      });

      test('cut when it was aborted, and the stream below has the error', async () => {
        await withScene(make, async ({ server, shake }) => {
          const { near, far } = await shake();
          near.socket.write('part');
          await once(far, 'readable');
          const cause = new ProxyError('origin_truncated', 'the origin went away');
          const errors: unknown[] = [];
          server.on('error', (error) => errors.push(error));
          abortTls(near.socket, cause);
          assert.deepEqual(await outcome(far), { text: 'part', end: 'cut' });
          assert.equal(server.destroyed, true);
          if (make === scriptPair) assert.deepEqual(errors, [cause]);
        });
      });

      test('cut when a node:http response is destroyed half-way', async () => {
        await withScene(make, async ({ shake }) => {
          const http = new Server((_, response) => {
            response.writeHead(200);
            response.write('part', () => response.destroy());
          });
          const { near, far } = await shake();
          http.emit('connection', near.socket);
          far.write('GET / HTTP/1.0\r\n\r\n');
          const { text, end } = await outcome(far);
          assert.match(text, /part$/);
          assert.equal(end, 'cut');
        });
      });

      const outside = {
        skip: make === scriptPair ? false : 'the records are watched on the stream in JavaScript',
      };
      test('without close_notify when it was aborted, with one when it was ended', outside, async () => {
        const sent = async (finish: (socket: TLSSocket) => void): Promise<boolean> => {
          let alert = false;
          await withScene(make, async ({ client, shake }) => {
            const wire: Buffer[] = [];
            client.on('data', (chunk: Buffer) => wire.push(chunk));
            const { near, far } = await shake({ secureContext: trustOld });
            wire.length = 0;
            finish(near.socket);
            await outcome(far);
            // In TLS 1.2 an alert is seen from outside by its record type.
            alert = Buffer.concat(wire)[0] === 21;
          });
          return alert;
        };
        assert.equal(await sent((socket) => socket.end()), true);
        assert.equal(await sent((socket) => abortTls(socket, new Error('cut'))), false);
      });

      test('with an error for the server when the client was reset', async () => {
        await withScene(make, async ({ client, shake }) => {
          const { near, far } = await shake();
          // Behind the session tickets, so that no write of ours meets the reset first.
          near.socket.write('ready');
          await once(far, 'readable');
          const result = outcome(near.socket);
          if (
            make === nativePair &&
            'resetAndDestroy' in client &&
            typeof client.resetAndDestroy === 'function'
          )
            client.resetAndDestroy();
          else client.destroy();
          assert.equal((await result).end, 'cut');
          far.destroy();
        });
      });

      test('once: to abort it twice, or after its end, is harmless', async () => {
        await withScene(make, async ({ server, shake }) => {
          const { near, far } = await shake();
          near.socket.end('all of it');
          assert.deepEqual(await outcome(far), { text: 'all of it', end: 'clean' });
          far.end();
          abortTls(near.socket, new Error('late'));
          abortTls(near.socket, new Error('later'));
          if (!server.closed) await once(server, 'close');
        });
      });
    });

    describe('takes nothing old', () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        test(`and resumes no session of ${version}, of the same host or another`, async () => {
          const terminator = terminatorOf();
          let session: Buffer | undefined;
          const take = async (name: string): Promise<boolean> => {
            let reused = false;
            await withScene(
              make,
              async ({ client, server }) => {
                const options = { minVersion: version, maxVersion: version, ca: authority.certificatesPem };
                const far = connect({
                  socket: client,
                  servername: name,
                  ...options,
                  ...(session === undefined ? {} : { session }),
                });
                far.on('session', (data: Buffer) => {
                  session ??= data;
                });
                const [{ socket }] = await Promise.all([
                  terminator.terminate(server, { host: name, alpn: [] }),
                  once(far, 'secureConnect'),
                ]);
                reused = far.isSessionReused() || socket.isSessionReused();
                socket.end();
                await outcome(far);
                session ??= far.getSession();
              },
              terminatorOf(),
            );
            return reused;
          };
          assert.equal(await take(host), false);
          assert.ok(session !== undefined && session.length > 0);
          assert.equal(await take(host), false);
          assert.equal(await take('other.example.com'), false);
          terminator.close();
        });
      }

      test('and refuses TLS 1.1', async () => {
        await withScene(make, async ({ client, terminate }) => {
          const old = createSecureContext({
            ca: authority.certificatesPem,
            minVersion: 'TLSv1',
            maxVersion: 'TLSv1.1',
            ciphers: 'DEFAULT@SECLEVEL=0',
          });
          clientOn(client, { secureContext: old });
          await assert.rejects(terminate(), fails('tls_handshake', /unsupported protocol/));
        });
      });

      test('and refuses to renegotiate', async () => {
        await withScene(make, async ({ shake }) => {
          const { near, far } = await shake({ secureContext: trustOld });
          near.socket.resume();
          const refused = await new Promise<Error | null>((resolve) => {
            far.once('error', resolve);
            far.renegotiate({ rejectUnauthorized: false }, resolve);
          });
          assert.match(refused?.message ?? 'it was allowed', /no renegotiation/i);
        });
      });
    });
  });
}

describe('handshakes at the same time', () => {
  test('each get their own socket and the leaf of their own host', async () => {
    const terminator = terminatorOf();
    const baseline = resourceBaseline();
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const name = `host${String(index % 7)}.example.com`;
        const { client, server } = await (index % 2 === 0 ? nativePair() : scriptPair());
        const far = clientOn(client, { servername: name });
        const { socket } = await terminator.terminate(server, { host: name, alpn: [] });
        socket.end(String(index));
        assert.deepEqual(await outcome(far), { text: String(index), end: 'clean' });
        far.destroy();
        server.destroy();
      }),
    );
    terminator.close();
    await resourcesSettled(baseline);
  });

  test('do not disturb each other when some fail', async () => {
    const terminator = terminatorOf();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, async (_, index) => {
        const { client, server } = await (index % 2 === 0 ? nativePair() : scriptPair());
        const far = clientOn(client, index % 4 < 2 ? {} : { ALPNProtocols: ['foo'] });
        const { socket } = await terminator.terminate(server, { host, alpn: ['http/1.1'] });
        socket.end(String(index));
        const { text } = await outcome(far);
        server.destroy();
        return text;
      }),
    );
    for (const [index, result] of results.entries()) {
      if (index % 4 < 2) assert.deepEqual(result, { status: 'fulfilled', value: String(index) });
      else
        assert.ok(
          result.status === 'rejected' && fails('tls_handshake', /no application protocol/)(result.reason),
        );
    }
    terminator.close();
  });
});

/** A TCP listener that ends TLS and serves HTTP/1.1 and HTTP/2; `/cut` is cut in the middle. */
async function withListener(use: (port: number, bundle: string) => Promise<void>): Promise<void> {
  const terminator = terminatorOf();
  const http = createHttpServer((request, response) => {
    if (request.url !== '/cut') {
      response.end(`over HTTP/${request.httpVersion}`);
      return;
    }
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close' });
    response.write('part', () => response.destroy());
  });
  const http2 = createHttp2Server((_, response) => {
    response.end('over HTTP/2');
  });
  const listener = createTcpServer({ allowHalfOpen: true }, (stream) => {
    const options = { host, alpn: ['h2', 'http/1.1'] };
    terminator.terminate(stream, options).then(
      ({ socket, alpn }) => (alpn === 'h2' ? http2 : http).emit('connection', socket),
      () => undefined,
    );
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    await withTemporaryDirectory(async (folder) => {
      const bundle = join(folder, 'bundle.pem');
      await writeFile(bundle, authority.certificatesPem);
      // A listening server has an address with a port.
      await use((listener.address() as AddressInfo).port, bundle);
    });
  } finally {
    terminator.close();
    http.closeAllConnections();
    listener.close();
  }
}

describe('real clients', () => {
  const curl = (
    port: number,
    bundle: string,
    path: string,
    ...more: readonly string[]
  ): ReturnType<typeof runCommand> =>
    runCommand('curl', [
      '-sS',
      '--noproxy',
      '*',
      '--cacert',
      bundle,
      '--resolve',
      `${host}:${String(port)}:127.0.0.1`,
      ...more,
      `https://${host}:${String(port)}${path}`,
    ]);

  test('curl, HTTP/1.1 and HTTP/2', { skip: skipWithout('curl') }, async () => {
    await withListener(async (port, bundle) => {
      const one = await curl(port, bundle, '/', '--http1.1');
      assert.equal(one.stdout, 'over HTTP/1.1', one.stderr);
      const two = await curl(port, bundle, '/', '--http2');
      assert.equal(two.stdout, 'over HTTP/2', two.stderr);
    });
  });

  test(
    'curl sees that a response was cut, with HTTP/1.0 as well',
    { skip: skipWithout('curl') },
    async () => {
      await withListener(async (port, bundle) => {
        for (const version of ['--http1.0', '--http1.1']) {
          const result = await curl(port, bundle, '/cut', version);
          // A reset may overtake what was sent before it.
          assert.ok('part'.startsWith(result.stdout), result.stdout);
          assert.equal(result.code, 56, result.stderr);
        }
      });
    },
  );

  test('curl without the bundle', { skip: skipWithout('curl') }, async () => {
    await withListener(async (port) => {
      const result = await curl(port, '/dev/null', '/');
      assert.equal([60, 77].includes(result.code ?? 0), true, result.stderr);
    });
  });

  test(
    'openssl s_client gets no early data and no renegotiation',
    { skip: skipWithout('openssl') },
    async () => {
      await withListener(async (port, bundle) => {
        const base = [
          's_client',
          '-connect',
          `127.0.0.1:${String(port)}`,
          '-servername',
          host,
          '-CAfile',
          bundle,
          '-verify_return_error',
        ];
        const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
        const modern = await runCommand('openssl', [...base, '-ign_eof'], { input: request });
        assert.match(modern.stdout, /Verify return code: 0 \(ok\)/);
        assert.match(modern.stdout, /over HTTP\/1\.1/);
        assert.doesNotMatch(modern.stdout, /Max Early Data: [1-9]/);
        assert.match(modern.stdout, /Early data was not sent/);
        const again = await runCommand('openssl', [...base, '-tls1_2'], { input: 'R\n' });
        assert.match(again.stderr + again.stdout, /no renegotiation/i);
      });
    },
  );
});

test('a connection over TCP that is ended and destroyed in one turn gives its socket back, and tells of no fault', async () => {
  for (const when of [
    (step: () => void) => step(),
    (step: () => void) => process.nextTick(step),
    (step: () => void) => queueMicrotask(step),
    (step: () => void) => setImmediate(step),
  ])
    await withScene(nativePair, async ({ shake, server, client }) => {
      const { near, far } = await shake();
      const faults: Error[] = [];
      server.on('error', (error) => faults.push(error));
      client.on('error', () => undefined);
      far.resume();
      const over = new Promise((resolve) => server.once('close', resolve));
      near.socket.end();
      when(() => near.socket.destroy());
      await over;
      assert.deepEqual(faults, []);
    });
});

test('a connection inside of another TLS that is cut takes that one with it, and tells of no fault', async () => {
  const terminator = terminatorOf();
  const outer = createTestAuthority();
  const server = createTlsServer(outer.issue(host)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', servername: host, ca: outer.caPem });
  client.on('error', () => undefined);
  const [stream] = (await once(server, 'secureConnection')) as [TLSSocket];
  stream.on('error', () => undefined);
  const inner = clientOn(client);
  const { socket } = await terminator.terminate(stream, { host, alpn: [] });
  const faults: Error[] = [];
  socket.on('error', (fault) => faults.push(fault));
  const ended = [socket, stream, client, inner].map((one) => once(one.resume(), 'close'));
  socket.write('half of it');
  // What is not whole is cut.
  socket.destroy();
  await Promise.all(ended);
  assert.deepEqual(faults, []);
  terminator.close();
  server.close();
});
