// The hook in Node processes of their own, with libraries that know no proxy, through a proxy that says what it was asked.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttp } from 'node:http';
import { createSecureServer } from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { WebSocketServer } from 'ws';

import { nodeHookSource } from '../../../src/agent/trust/node-hook.ts';
import { patienceMs } from '../../support/patience.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const authority = createTestAuthority();
const stack = new AsyncDisposableStack();
const asked: string[] = [];
let folder = '';
let environment: Record<string, string> = {};
// The programs of these tests are run by what runs the tests.
const skip = process.versions['bun'] === undefined ? false : 'the hook is a file for Node';

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // A client that keeps its connection would keep this process.
  stack.defer(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  // Listening on a port, not on a path.
  return (server.address() as AddressInfo).port;
}

before(async () => {
  folder = stack.use(await temporaryDirectory()).path;
  const secure = createSecureServer({ ...authority.issue('origin.test'), allowHTTP1: true });
  secure.on('request', (request, response) => {
    request.resume().on('end', () => response.end(`secure ${request.httpVersion} ${request.url}`));
  });
  const sockets = new WebSocketServer({ noServer: true });
  secure.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (client) =>
      client.on('message', (data) => client.send(data)),
    ),
  );
  const ports: Record<string, number> = {
    'origin.test:443': await listen(secure),
    'origin.test:80': await listen(createHttp((request, response) => response.end(`plain ${request.url}`))),
  };
  const proxy = createHttp();
  proxy.on('connect', (request, client, head) => {
    asked.push(request.url ?? '');
    client.on('error', () => {});
    const port = ports[request.url ?? ''];
    if (port === undefined) return void client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const origin = connect(port, '127.0.0.1');
    origin.on('error', () => client.destroy());
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    origin.write(head);
    client.pipe(origin).pipe(client);
  });
  const relay = `http://127.0.0.1:${String(await listen(proxy))}`;
  await writeFile(join(folder, 'ca.pem'), authority.caPem);
  await writeFile(join(folder, 'hook.cjs'), nodeHookSource);
  environment = {
    https_proxy: relay,
    no_proxy: 'localhost,127.0.0.1,.inside.test',
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
    NODE_OPTIONS: `--require=${JSON.stringify(join(folder, 'hook.cjs'))}`,
    NODE_PATH: new URL('../../../node_modules', import.meta.url).pathname,
  };
});

after(() => stack.disposeAsync());

/** Runs a program of CommonJS; gives what it printed. */
async function run(program: string, changes: Record<string, string> = {}): Promise<string> {
  asked.length = 0;
  const child = spawn(process.execPath, ['-e', program], {
    env: { ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patienceMs,
  });
  const [out, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return out + complaints;
}

const request = (module: string, url: string, options = '{}'): string => `
  require('${module}').get('${url}', ${options}, (response) => response.on('data', (data) => process.stdout.write(data)))
    .on('error', (error) => console.log(error.message));`;

const programs: readonly (readonly [name: string, program: string, expected: string, asked: string])[] = [
  ['https', request('https', 'https://origin.test/a'), 'secure 1.1 /a', 'origin.test:443'],
  [
    'https with an agent of its own',
    request(
      'https',
      'https://origin.test/b',
      "{ agent: new (require('https').Agent)({ keepAlive: false }) }",
    ),
    'secure 1.1 /b',
    'origin.test:443',
  ],
  ['http', request('http', 'http://origin.test/c'), 'plain /c', 'origin.test:80'],
  [
    'http2',
    `const session = require('http2').connect('https://origin.test');
     session.request({ ':path': '/d' }).on('data', (data) => process.stdout.write(data)).on('close', () => session.close());`,
    'secure 2.0 /d',
    'origin.test:443',
  ],
  [
    'ws',
    `const { WebSocket } = require('ws'); const socket = new WebSocket('wss://origin.test/e');
     socket.on('open', () => socket.send('echo')).on('message', (data) => { console.log(String(data)); socket.close(); });`,
    'echo\n',
    'origin.test:443',
  ],
  [
    'a named import of tls',
    `import('node:tls').then(({ connect }) => connect({ host: 'origin.test', port: 443 }, function () {
       console.log(this.authorized); this.destroy(); }));`,
    'true\n',
    'origin.test:443',
  ],
];

for (const [name, program, expected, destination] of programs) {
  test(`${name} goes through the proxy`, { skip }, async () => {
    assert.equal(await run(program), expected);
    assert.deepEqual(asked, [destination]);
  });
}

test('a refusal is an error of the request that names destination and status', { skip }, async () => {
  const said = await run(request('https', 'https://denied.test/'));
  assert.equal(said, 'the proxy refuses denied.test:443: HTTP/1.1 403 Forbidden\n');
});

test('a connection that was cancelled before it began asks no proxy', { skip }, async () => {
  const said = await run(`
    require('tls').connect({ host: 'origin.test', port: 443, signal: AbortSignal.abort() })
      .on('error', (error) => console.log(error.name));`);
  assert.equal(said, 'AbortError\n');
  assert.deepEqual(asked, []);
});

test('a connection that is cancelled is one error, on its way and later', { skip }, async () => {
  const cancelled = (when: string): string => `
    const controller = new AbortController();
    const socket = require('tls').connect({ host: 'origin.test', port: 443, signal: controller.signal })
      .on('error', (error) => console.log(error.name)).on('close', () => console.log('closed'));
    ${when}`;
  const moments = [
    'setImmediate(() => controller.abort());',
    "socket.on('secureConnect', () => controller.abort());",
  ];
  for (const moment of moments) assert.equal(await run(cancelled(moment)), 'AbortError\nclosed\n');
});

test('a proxy that never responds to is an error of the request', { skip }, async () => {
  const silent = `http://127.0.0.1:${String(await listen(createServer((socket) => socket.on('error', () => {}))))}`;
  await writeFile(
    join(folder, 'hasty.cjs'),
    nodeHookSource.replace('responseTimeoutMs = 120000', 'responseTimeoutMs = 100'),
  );
  const hasty = {
    https_proxy: silent,
    NODE_OPTIONS: `--require=${JSON.stringify(join(folder, 'hasty.cjs'))}`,
  };
  for (const url of ['https://origin.test/', 'http://origin.test/'])
    assert.match(
      await run(request(url.split(':')[0] ?? '', url), hasty),
      /the proxy gives no response for origin\.test:/,
    );
});

test('loopback, exceptions and a missing proxy are left alone', { skip }, async () => {
  const names = ['localhost', '127.0.0.1', '[::1]', 'a.inside.test'];
  // Port 1 of the test's machine refuses, and a name of .test does not resolve: both are errors of a direct connection.
  for (const name of names) {
    assert.match(await run(request('https', `https://${name}:1/`)), /ECONNREFUSED|ENOTFOUND|EAI_AGAIN/);
  }
  const direct = { https_proxy: '', no_proxy: '' };
  assert.match(await run(request('https', 'https://origin.test/'), direct), /ENOTFOUND|EAI_AGAIN/);
  assert.deepEqual(asked, []);
});

test('who leads a connection to the proxy itself is not led there twice', { skip }, async () => {
  const program = `
    const http = require('http'); const { hostname, port } = new URL(process.env.https_proxy);
    http.request({ host: hostname, port, method: 'CONNECT', path: 'origin.test:443' })
      .on('connect', (response, socket) => require('tls').connect({ socket, servername: 'origin.test' }, function () {
        console.log(this.authorized); this.destroy(); })).end();`;
  assert.equal(await run(program), 'true\n');
  assert.deepEqual(asked, ['origin.test:443']);
});

test('a large body comes whole, and one that is sent too', { skip }, async () => {
  const program = `
    const request = require('https').request('https://origin.test/big', { method: 'POST' }, (response) => {
      response.resume().on('end', () => console.log(response.statusCode)); });
    request.end(Buffer.alloc(5_000_000));`;
  assert.equal(await run(program), '200\n');
});

test('required twice it does nothing more', { skip }, async () => {
  const twice = `${environment['NODE_OPTIONS'] ?? ''} ${environment['NODE_OPTIONS'] ?? ''}`;
  assert.equal(
    await run(request('https', 'https://origin.test/f'), { NODE_OPTIONS: twice }),
    'secure 1.1 /f',
  );
  assert.deepEqual(asked, ['origin.test:443']);
});
