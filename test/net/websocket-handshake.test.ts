import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, suite, test } from 'node:test';

import { acceptWebSocket, connectWebSocket, refuseUpgrade } from '../../src/net/websocket-handshake.ts';
import type { WebSocketConnection } from '../../src/net/websocket-connection.ts';
import { WebSocketRefusedError } from '../../src/net/websocket-refusal.ts';
import { asProxyError } from '../../src/protocol/error.ts';
import type { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import type { ResourceBaseline } from '../support/resources.ts';
import { createTestAuthority } from '../support/test-authority.ts';

import { duplexPair, Recorder } from './websocket-pair.ts';

let baseline: ResourceBaseline;
const cleanUps: (() => void)[] = [];
beforeEach(() => {
  baseline = resourceBaseline();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
  await resourcesSettled(baseline);
});

const limits = { ...defaultLimits, handshakeTimeoutMs: 2000 };
type Accept = Partial<Parameters<typeof acceptWebSocket>[0]>;

interface Gateway {
  readonly port: number;
  /** The next accepted connection, or the error of a handshake that was not accepted. */
  readonly accepted: Promise<WebSocketConnection | ProxyError>;
  readonly socket: Promise<Duplex>;
}

async function gateway(accept: Accept = {}, server: http.Server = http.createServer()): Promise<Gateway> {
  const accepted = Promise.withResolvers<WebSocketConnection | ProxyError>();
  const upgraded = Promise.withResolvers<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    upgraded.resolve(socket);
    try {
      const options = {
        request,
        socket,
        head,
        subprotocols: ['one.v1', 'two.v1'],
        allowZeroMask: true,
        limits,
        ...accept,
      };
      accepted.resolve(acceptWebSocket(options));
    } catch (error) {
      const problem = asProxyError(error);
      refuseUpgrade(socket, problem.httpStatus, { error: problem.code, message: problem.message });
      accepted.resolve(problem);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => server.close());
  return {
    port: (server.address() as net.AddressInfo).port,
    accepted: accepted.promise,
    socket: upgraded.promise,
  };
}

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  cleanUps.push(() => socket.destroy());
  return socket;
}

const request = {
  host: 'gateway.test',
  path: '/v1/ws',
  subprotocols: ['two.v1'],
  headers: [],
  limits,
} as const;

async function accepted(gateway: Gateway): Promise<WebSocketConnection> {
  const result = await gateway.accepted;
  assert.ok(!(result instanceof Error), String(result));
  return result;
}

test('both sides agree on a subprotocol, and messages flow', async () => {
  const server = await gateway();
  const client = await connectWebSocket({
    ...request,
    socket: await connected(server.port),
    subprotocols: ['x', 'two.v1', 'one.v1'],
  });
  const far = await accepted(server);
  assert.equal(client.subprotocol, 'one.v1', 'the preference of the server');
  assert.equal(far.subprotocol, 'one.v1');
  const [near, peer] = [new Recorder(), new Recorder()];
  client.start(near);
  far.start(peer);
  client.sendBinary([Buffer.from('up')]);
  far.sendBinary([Buffer.from('down')]);
  assert.deepEqual((await peer.received(1)).map(String), ['up']);
  assert.deepEqual((await near.received(1)).map(String), ['down']);
  await client.close();
});

test('the fields of the request arrive', async () => {
  const server = http.createServer();
  const arrived = once(server, 'upgrade') as Promise<[http.IncomingMessage]>;
  const { port } = await gateway({}, server);
  const headers = [
    ['Authorization', 'DPoP abc'],
    ['DPoP', 'proof'],
  ] as const;
  const client = await connectWebSocket({ ...request, socket: await connected(port), headers });
  const [{ headers: seen, url }] = await arrived;
  assert.equal(url, '/v1/ws');
  assert.deepEqual([seen.host, seen['authorization'], seen['dpop']], ['gateway.test', 'DPoP abc', 'proof']);
  client.destroy();
});

test('frames right behind the 101 and right behind the request are not lost', async () => {
  const [clientEnd, serverEnd] = duplexPair();
  serverEnd.once('data', (head: Buffer) => {
    const key = /sec-websocket-key: (.*)\r\n/i.exec(head.toString())![1]!;
    const response = [
      'HTTP/1.1 101 Switching Protocols',
      'UPGRADE: WebSocket',
      'connection: keep-alive, upgrade',
      `Sec-WebSocket-Accept: ${acceptOf(key)}`,
      'Sec-WebSocket-Protocol: two.v1',
    ];
    serverEnd.write(
      Buffer.concat([Buffer.from(`${response.join('\r\n')}\r\n\r\n`), Buffer.from([0x82, 2, 0x68, 0x69])]),
    );
    serverEnd.write(Buffer.from([0x82, 1, 0x21]));
  });
  const client = await connectWebSocket({ ...request, socket: clientEnd });
  const near = new Recorder();
  // The user of the connection may take its time.
  await new Promise(setImmediate);
  client.start(near);
  assert.deepEqual((await near.received(2)).map(String), ['hi', '!']);
  client.destroy();
});

/** Computed here once more, so that a wrong one in the product is seen. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

test('the accept value is the one of the example in RFC 6455 §1.3', () => {
  assert.equal(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

/** Responds to a handshake with the given text; `{accept}` stands for the right accept value. */
async function responded(text: string, options: { end?: boolean } = {}): Promise<ProxyError> {
  const [clientEnd, serverEnd] = duplexPair();
  serverEnd.once('data', (head: Buffer) => {
    const key = /sec-websocket-key: (.*)\r\n/i.exec(head.toString())![1]!;
    serverEnd.write(Buffer.from(text.replace('{accept}', acceptOf(key))));
    if (options.end === true) serverEnd.end();
  });
  const error = await connectWebSocket({ ...request, socket: clientEnd }).then(
    () => assert.fail('the handshake was accepted'),
    (error: unknown) => error as ProxyError,
  );
  assert.equal(clientEnd.destroyed, true, 'a failed handshake leaves no connection');
  return error;
}

const switching = 'HTTP/1.1 101 Switching Protocols\r\n';
const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';
const acceptField = 'Sec-WebSocket-Accept: {accept}\r\n';
const protocolField = 'Sec-WebSocket-Protocol: two.v1\r\n';
const badResponses: readonly (readonly [name: string, response: string])[] = [
  ['no upgrade field', `${switching}Connection: Upgrade\r\n${acceptField}${protocolField}\r\n`],
  ['no connection field', `${switching}Upgrade: websocket\r\n${acceptField}${protocolField}\r\n`],
  [
    'another upgrade',
    `${switching}Upgrade: h2c\r\nConnection: Upgrade\r\n${acceptField}${protocolField}\r\n`,
  ],
  ['no accept value', `${switching}${upgrade}${protocolField}\r\n`],
  [
    'a wrong accept value',
    `${switching}${upgrade}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${protocolField}\r\n`,
  ],
  [
    'two accept values',
    `${switching}${upgrade}${acceptField}Sec-WebSocket-Accept: x\r\n${protocolField}\r\n`,
  ],
  ['no subprotocol', `${switching}${upgrade}${acceptField}\r\n`],
  [
    'a subprotocol that was not offered',
    `${switching}${upgrade}${acceptField}Sec-WebSocket-Protocol: one.v1\r\n\r\n`,
  ],
  ['two subprotocols', `${switching}${upgrade}${acceptField}Sec-WebSocket-Protocol: two.v1, two.v1\r\n\r\n`],
  [
    'an extension',
    `${switching}${upgrade}${acceptField}${protocolField}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
  ],
  ['something that is not HTTP', '220 mail.test ESMTP ready\r\n\r\n'],
  ['a field without a colon', `${switching}no colon here\r\n\r\n`],
  ['a folded field', `${switching}${upgrade}X-A: b\r\n c\r\n\r\n`],
  ['a head above the limit', `${switching}X-A: ${'x'.repeat(70_000)}`],
];
for (const [name, response] of badResponses) {
  test(`a response with ${name} fails the handshake`, async () => {
    assert.equal((await responded(response)).code, 'gateway_protocol');
  });
}

test('a refusal gives the status and the problem of its body', async () => {
  const body = JSON.stringify({
    error: 'session_revoked',
    message: 'The session was\nrevoked.\u001b[31m',
    trace_id: 't1',
    other: 1,
  });
  const busy = await responded('HTTP/1.1 503 Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n');
  assert.ok(busy instanceof WebSocketRefusedError);
  assert.equal(busy.retryAfterSeconds, 7);
  const error = await responded(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.ok(error instanceof WebSocketRefusedError);
  assert.equal(error.code, 'websocket_refused');
  assert.equal(error.status, 403);
  assert.deepEqual(error.problem, {
    error: 'session_revoked',
    message: 'The session was revoked. [31m',
    trace_id: 't1',
  });
  assert.match(error.message, /403.*session_revoked: The session was revoked\./);
});

for (const [name, response] of [
  ['without a body', 'HTTP/1.1 503 \r\n\r\n'],
  ['with a page', 'HTTP/1.1 503 Unavailable\r\nContent-Length: 16\r\n\r\n<html>no</html>\n'],
  ['with JSON that is no problem', 'HTTP/1.1 503 Unavailable\r\nContent-Length: 16\r\n\r\n{"error":12345} '],
  ['in chunks', 'HTTP/1.0 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'],
] as const) {
  test(`a refusal ${name} gives the status`, async () => {
    const error = await responded(response);
    assert.ok(error instanceof WebSocketRefusedError);
    assert.deepEqual([error.status, error.problem], [503, undefined]);
  });
}

test('a refusal that is cut short gives the status', async () => {
  const error = await responded('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\n{"err', {
    end: true,
  });
  assert.ok(error instanceof WebSocketRefusedError);
  assert.equal(error.status, 502);
});

test('a connection that ends before the response is lost', async () => {
  assert.equal((await responded('HTTP/1.1 101 Switch', { end: true })).code, 'tunnel_lost');
});

test('a gateway that does not response is given up after handshakeTimeoutMs', async () => {
  const [socket] = duplexPair();
  const short = { ...limits, handshakeTimeoutMs: 20 };
  await assert.rejects(connectWebSocket({ ...request, socket, limits: short }), {
    code: 'timeout',
    message: /gateway\.test.*20 ms/,
  });
  assert.equal(socket.destroyed, true);
});

test('a handshake can be cancelled, before and during', async () => {
  const [socket] = duplexPair();
  await assert.rejects(connectWebSocket({ ...request, socket, signal: AbortSignal.abort() }), {
    code: 'cancelled',
  });
  const [other] = duplexPair();
  const controller = new AbortController();
  const pending = connectWebSocket({ ...request, socket: other, signal: controller.signal });
  controller.abort();
  await assert.rejects(pending, { code: 'cancelled' });
  assert.equal(other.destroyed, true);
});

test('a socket that fails during the handshake is lost, with the cause', async () => {
  const [socket] = duplexPair();
  const pending = connectWebSocket({ ...request, socket });
  socket.destroy(new Error('ECONNRESET'));
  await assert.rejects(
    pending,
    (error: ProxyError) => error.code === 'tunnel_lost' && error.cause instanceof Error,
  );
});

test('a field or path with a line break or space is not sent', async () => {
  for (const change of [
    { path: '/a b' },
    { path: '/a\r\nX: y' },
    { host: 'x\r\ny' },
    { headers: [['A', 'b\nC: d']] as const },
  ]) {
    const [socket, peer] = duplexPair();
    peer.on('data', () => assert.fail('something was sent'));
    await assert.rejects(connectWebSocket({ ...request, socket, ...change }), { code: 'internal' });
  }
});

const validFields = {
  Host: 'gateway.test',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': 'one.v1',
};
const badRequests: readonly (readonly [
  name: string,
  line: string,
  change: Record<string, string | readonly string[] | undefined>,
])[] = [
  ['another method', 'POST /v1/ws HTTP/1.1', { 'Content-Length': '0' }],
  ['HTTP/1.0', 'GET /v1/ws HTTP/1.0', {}],
  ['another upgrade', 'GET /v1/ws HTTP/1.1', { Upgrade: 'h2c' }],
  ['version 8', 'GET /v1/ws HTTP/1.1', { 'Sec-WebSocket-Version': '8' }],
  ['no version', 'GET /v1/ws HTTP/1.1', { 'Sec-WebSocket-Version': undefined }],
  ['no key', 'GET /v1/ws HTTP/1.1', { 'Sec-WebSocket-Key': undefined }],
  ['a short key', 'GET /v1/ws HTTP/1.1', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }],
  [
    'two keys',
    'GET /v1/ws HTTP/1.1',
    { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] },
  ],
  ['an unknown subprotocol', 'GET /v1/ws HTTP/1.1', { 'Sec-WebSocket-Protocol': 'three.v1' }],
  ['no subprotocol', 'GET /v1/ws HTTP/1.1', { 'Sec-WebSocket-Protocol': undefined }],
];
for (const [name, line, change] of badRequests) {
  test(`a request with ${name} is refused before anything else is written`, async () => {
    const server = await gateway();
    const socket = await connected(server.port);
    const fields = Object.entries({ ...validFields, ...change }).flatMap(([field, value]) =>
      value === undefined ? [] : [value].flat().map((one) => `${field}: ${one}\r\n`),
    );
    socket.write(`${line}\r\n${fields.join('')}\r\n`);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'end');
    const error = await server.accepted;
    assert.ok(error instanceof Error);
    assert.equal(error.code, 'request_malformed');
    const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 400 /);
    assert.match(head, /^Connection: close$/m);
    assert.deepEqual(JSON.parse(body), { error: 'request_malformed', message: error.message });
  });
}

test('a refusal reaches the client as the error of its handshake', async () => {
  const server = http.createServer();
  server.on('upgrade', (_request, socket) =>
    refuseUpgrade(socket, 401, { error: 'session_unknown', message: 'There is no such session.' }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => server.close());
  const socket = await connected((server.address() as net.AddressInfo).port);
  await assert.rejects(connectWebSocket({ ...request, socket }), (error: unknown) => {
    assert.ok(error instanceof WebSocketRefusedError);
    return error.status === 401 && error.problem?.error === 'session_unknown';
  });
});

suite('the mask of zero', () => {
  test('is not asked for outside TLS', async () => {
    const [socket, peer] = duplexPair();
    const sent = once(peer, 'data') as Promise<[Buffer]>;
    const pending = connectWebSocket({ ...request, socket, zeroMask: true });
    assert.doesNotMatch(String((await sent)[0]), /upstreamproxy-mask/i);
    peer.end();
    await assert.rejects(pending);
  });

  test('is not granted outside TLS, whoever asks', async () => {
    const { port } = await gateway({ allowZeroMask: true });
    const socket = await connected(port);
    const fields = Object.entries({ ...validFields, 'upstreamproxy-mask': 'zero' }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    socket.write(`GET /v1/ws HTTP/1.1\r\n${fields.join('')}\r\n`);
    const [response] = (await once(socket, 'data')) as [Buffer];
    assert.match(String(response), /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(String(response), /upstreamproxy-mask/i);
  });

  const authority = createTestAuthority();
  const leaf = authority.issue('gateway.test');

  /** What the gateway's socket receives for one message, decrypted. */
  async function messageOnTheWire(options: {
    encrypted: boolean;
    asks: boolean;
    allows: boolean;
  }): Promise<Buffer> {
    const plain = http.createServer();
    // node:https makes the same server; its type is one of its own.
    const server = options.encrypted ? (https.createServer({ ...leaf }) as unknown as http.Server) : plain;
    const { port, ...rest } = await gateway({ allowZeroMask: options.allows }, server);
    let socket: net.Socket;
    if (options.encrypted) {
      socket = tls.connect({ port, host: '127.0.0.1', servername: 'gateway.test', ca: [authority.caPem] });
      await once(socket, 'secureConnect');
      cleanUps.push(() => socket.destroy());
    } else {
      socket = await connected(port);
    }
    const client = await connectWebSocket({ ...request, socket, zeroMask: options.asks });
    const far = await accepted({ port, ...rest });
    const farSocket = await rest.socket;
    const received = once(farSocket, 'data') as Promise<[Buffer]>;
    const near = new Recorder();
    client.start(near);
    client.sendBinary([Buffer.from('payload')]);
    const [bytes] = await received;
    const copy = Buffer.from(bytes);
    client.destroy();
    far.destroy();
    await near.closed;
    return copy;
  }

  test('is used inside TLS if both sides want it', async () => {
    const bytes = await messageOnTheWire({ encrypted: true, asks: true, allows: true });
    assert.deepEqual(bytes, Buffer.concat([Buffer.from([0x82, 0x87, 0, 0, 0, 0]), Buffer.from('payload')]));
  });

  for (const [name, options] of [
    ['outside TLS', { encrypted: false, asks: true, allows: true }],
    ['unless the client asks', { encrypted: true, asks: false, allows: true }],
    ['unless the gateway allows it', { encrypted: true, asks: true, allows: false }],
  ] as const) {
    test(`is not used ${name}`, async () => {
      const bytes = await messageOnTheWire(options);
      assert.equal(bytes.length, 13);
      assert.equal(bytes.includes('payload'), false);
    });
  }
});
