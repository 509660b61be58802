// Clients of the relay that are older or simpler than CONNECT with HTTP/1.1: what wget2, axel and busybox send, byte by byte.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { deploy } from '../support/deployment.ts';
import type { AgentProcess, Deployment } from '../support/deployment.ts';
import { httpOrigin, httpsOrigin } from '../support/origin.ts';
import type { Origin } from '../support/origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';

interface Scene extends AsyncDisposable {
  readonly secure: Origin;
  readonly plain: Origin;
  readonly set: Deployment;
  readonly agent: AgentProcess;
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const secure = stack.use(await httpsOrigin({ authority }));
  const plain = stack.use(await httpOrigin());
  const own = { hosts: ['api.test'], addresses: ['127.0.0.1/32'] };
  const rules = [
    { name: 'secure', ...own, ports: [secure.port] },
    { name: 'plain', ...own, ports: [plain.port], scheme: 'http' },
  ];
  const set = stack.use(await deploy({ rules, hosts: { 'api.test': '127.0.0.1' }, authority }));
  const agent = stack.use(await set.startAgent());
  const owned = stack.move();
  return { secure, plain, set, agent, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Heard {
  readonly text: string;
  /** `end`, or the code of the error that broke the connection. */
  readonly ending: string;
}

/** Sends the bytes, shuts the sending side down if asked to, and reads to the end. */
function talk(port: number, bytes: string, { halfClose = false } = {}): Promise<Heard> {
  const { promise, resolve } = Promise.withResolvers<Heard>();
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const chunks: Buffer[] = [];
  const finish = (ending: string): void => {
    resolve({ text: Buffer.concat(chunks).toString('latin1'), ending });
    socket.destroy();
  };
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.once('end', () => finish('end'));
  socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? ''));
  socket.write(bytes);
  if (halfClose) socket.end();
  return promise;
}

test('clients of the relay without CONNECT', async (context) => {
  await using scene = await openScene();
  const { secure, plain, agent, set } = scene;
  const port = agent.relayPort;

  await context.test('an absolute https:// URL is fetched over TLS that the gateway makes', async () => {
    const host = `api.test:${secure.port}`;
    const { text } = await talk(
      port,
      `GET https://${host}/hello HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.match(text, /hello\n/);
    assert.equal(secure.requests[0]?.target, '/hello');
    assert.equal(secure.requests[0]?.servername, 'api.test');
    const events = await set.audit();
    const found = events.find((event) => event['kind'] === 'exchange' && event['path'] === '/hello');
    assert.deepEqual([found?.['scheme'], found?.['rule']], ['https', 'secure']);
  });

  await context.test(
    'an absolute https:// URL that no rule allows is denied and nobody is dialled',
    async () => {
      const before = secure.connections() + plain.connections();
      const { text } = await talk(
        port,
        'GET https://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n',
      );
      assert.match(text, /^HTTP\/1\.1 403 /);
      assert.equal(secure.connections() + plain.connections(), before);
    },
  );

  await context.test(
    'HTTP/1.0 gets a response without chunks, and the end of the connection is the end',
    async () => {
      for (const [scheme, at] of [
        ['http', plain.port],
        ['https', secure.port],
      ] as const) {
        const url = `${scheme}://api.test:${at}/hello`;
        const { text, ending } = await talk(port, `GET ${url} HTTP/1.0\r\nHost: api.test:${at}\r\n\r\n`);
        assert.match(text, /^HTTP\/1\.[01] 200 /);
        assert.doesNotMatch(text, /transfer-encoding/i);
        assert.ok(text.endsWith('\r\n\r\nhello\n'), text);
        assert.equal(ending, 'end');
      }
    },
  );

  await context.test(
    'a cut response is a reset for HTTP/1.0, which takes every end for a complete response',
    async () => {
      const host = `api.test:${plain.port}`;
      const { ending } = await talk(port, `GET http://${host}/cut HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
      assert.equal(ending, 'ECONNRESET');
    },
  );

  await context.test(
    'a client that shuts its sending side down after the request gets the whole response',
    async () => {
      const size = 1_000_000;
      for (const [scheme, at] of [
        ['http', plain.port],
        ['https', secure.port],
      ] as const) {
        for (const version of ['1.0', '1.1']) {
          const request = `GET ${scheme}://api.test:${at}/bytes/${size} HTTP/${version}\r\nHost: api.test:${at}\r\nConnection: close\r\n\r\n`;
          const { text, ending } = await talk(port, request, { halfClose: true });
          assert.equal(text.length - text.indexOf('\r\n\r\n') - 4, size, `${scheme}, HTTP/${version}`);
          assert.equal(ending, 'end');
        }
      }
    },
  );

  await context.test('requests for several origins follow each other on one connection', async () => {
    const request = (scheme: string, at: number, last = false): string =>
      `GET ${scheme}://api.test:${at}/hello HTTP/1.1\r\nHost: api.test:${at}\r\n` +
      `Proxy-Connection: ${last ? 'close' : 'keep-alive'}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const { text, ending } = await talk(
      port,
      request('http', plain.port) + request('https', secure.port) + request('http', plain.port, true),
    );
    assert.equal(text.match(/^HTTP\/1\.1 200 /gm)?.length, 3);
    assert.equal(text.match(/^hello$/gm)?.length, 3);
    assert.equal(ending, 'end');
  });

  await context.test(
    'credentials and settings for the proxy are taken and do not reach the origin',
    async () => {
      const host = `api.test:${plain.port}`;
      const { text } = await talk(
        port,
        `GET http://${host}/hello HTTP/1.1\r\nHost: ${host}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n` +
          'Proxy-Connection: close\r\nConnection: close\r\n\r\n',
      );
      assert.match(text, /^HTTP\/1\.1 200 /);
      const names = Object.keys(plain.requests.at(-1)?.headers ?? {});
      assert.deepEqual(
        names.filter((name) => name.startsWith('proxy-')),
        [],
      );
      const tunnel = await talk(
        port,
        `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n` +
          `GET /hello HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(tunnel.text, /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 200 [\s\S]*hello\n/);
    },
  );

  await context.test(
    'a name of the greatest length is asked for, a longer one is refused in words',
    async () => {
      const label = 'a'.repeat(63);
      const longest = [label, label, label, 'a'.repeat(56), 'test'].join('.');
      assert.equal(longest.length, 253);
      const allowed = await talk(
        port,
        `GET http://${longest}/ HTTP/1.1\r\nHost: ${longest}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(allowed.text, /^HTTP\/1\.1 403 /);
      for (const host of [`a${longest}`, `${label}a.test`, `${'a.'.repeat(2_000)}test`]) {
        const { text } = await talk(port, `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
        assert.match(text, /^HTTP\/1\.1 4\d\d /, host.slice(0, 80));
      }
    },
  );

  await context.test('an IPv6 literal is an authority with brackets, and only that', async () => {
    const { text } = await talk(
      port,
      'GET http://[2001:db8::1]/ HTTP/1.1\r\nHost: [2001:db8::1]\r\nConnection: close\r\n\r\n',
    );
    assert.match(text, /^HTTP\/1\.1 403 [\s\S]*2001:db8::1/);
    const bare = await talk(port, 'CONNECT 2001:db8::1:443 HTTP/1.1\r\nHost: 2001:db8::1:443\r\n\r\n');
    assert.match(bare.text, /^HTTP\/1\.1 400 /);
  });
});
