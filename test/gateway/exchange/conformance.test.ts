// What RFC 9112 and RFC 6455 ask of a server, as a client meets it through the gateway; by section.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';

import { runCommand } from '../../support/command.ts';
import { httpOrigin } from '../../support/origin.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const policyFor = (port: number): string =>
  `rules: [{ name: a, hosts: allowed.test, scheme: http, ports: ${port}, addresses: 127.0.0.0/8 }]`;

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const handshake = (at: string, version: string): string =>
  `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${version}Sec-WebSocket-Key: ${key}\r\n\r\n`;

const plain = (path: RequestPath, at: string): Duplex => path.open({ authority: at, mode: 'raw' }).socket;

async function withPath(use: (path: RequestPath, at: string) => Promise<void>): Promise<void> {
  await using origin = await httpOrigin();
  await using path = openRequestPath({ policy: policyFor(origin.port), hosts: ['allowed.test'], trust: [] });
  await use(path, `allowed.test:${origin.port}`);
}

test('RFC 9112 §2.2: an empty line before the first request in the clear is ignored', async () => {
  await withPath(async (path, at) => {
    const response = await sendRaw(
      plain(path, at),
      `\r\nGET /hello HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(response.status, 200, response.head);
  });
});

test('RFC 9110 §10.1.1: an expectation that nobody knows gets 417', async () => {
  await withPath(async (path, at) => {
    const response = await sendRaw(
      plain(path, at),
      `GET /hello HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nExpect: the-moon\r\n\r\n`,
    );
    assert.equal(response.status, 417);
    assert.equal(response.headers.get('x-deny-reason'), 'expectation_failed');
  });
});

for (const [what, version] of [
  ['another', 'Sec-WebSocket-Version: 8\r\n'],
  ['no', ''],
] as const) {
  test(`RFC 6455 §4.4: ${what} version of WebSocket gets 426 with the version that is spoken`, async () => {
    await withPath(async (path, at) => {
      const response = await sendRaw(plain(path, at), handshake(at, version));
      assert.equal(response.status, 426);
      assert.equal(response.headers.get('sec-websocket-version'), '13');
      assert.equal(response.headers.get('upgrade'), 'websocket');
      assert.match(response.headers.get('connection') ?? '', /\bupgrade\b/);
    });
  });
}

test('RFC 9110 §7.8: another upgrade is left out, and the request goes on', async () => {
  await withPath(async (path, at) => {
    const response = await sendRaw(
      plain(path, at),
      `GET /hello HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n`,
    );
    assert.equal(response.status, 200, response.head);
  });
});

const java = `
import java.net.*; import java.net.http.*;
class Ask {
  public static void main(String[] arguments) throws Exception {
    var client = HttpClient.newBuilder().proxy(ProxySelector.of(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])))).build();
    var response = client.send(HttpRequest.newBuilder(URI.create(arguments[1])).build(), HttpResponse.BodyHandlers.ofString());
    System.out.println(response.statusCode() + " " + response.version());
  }
}`;

const hasJava = spawnSync('java', ['-version']).status === 0 && spawnSync('javac', ['-version']).status === 0;

test(
  "Java's HttpClient, which offers h2c on plain http, is served over HTTP/1.1",
  { skip: hasJava ? false : 'java and javac are not installed' },
  async () => {
    await withPath(async (path, at) => {
      await withTemporaryDirectory(async (directory) => {
        // A proxy that hands each connection to a stream of the request path.
        const relay = createServer((socket) => {
          const stream = path.open({ authority: '', mode: 'proxy' }).socket;
          socket
            .on('error', () => undefined)
            .pipe(stream)
            .on('error', () => undefined)
            .pipe(socket);
        }).listen(0, '127.0.0.1');
        await once(relay, 'listening');
        const file = join(directory, 'Ask.java');
        writeFileSync(file, java);
        const { port } = relay.address() as AddressInfo;
        const { stdout, stderr } = await runCommand('java', [file, String(port), `http://${at}/hello`]);
        relay.close();
        assert.equal(stdout.trim(), '200 HTTP_1_1', stderr);
      });
    });
  },
);
