// Node as a client of the relay: `node node-client.ts <what> <h1|h2> <url>` in the environment that the agent prints.
// Prints one line of JSON with what it got; a failure is an error on stderr and exit code 1.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';

import { WebSocket } from 'ws';

import { preciseNowMs } from './origin.ts';
import type { HttpVersion } from './origin.ts';
import { clientWebSocket } from './websocket-over-stream.ts';

/** TLS to the URL's host through CONNECT; for clients that know no proxy. */
async function tunnel(url: URL, alpn: string): Promise<TLSSocket> {
  const proxy = new URL(process.env['https_proxy'] ?? '');
  const connecting = httpRequest({
    host: proxy.hostname,
    port: proxy.port,
    method: 'CONNECT',
    path: url.host,
    headers: { host: url.host },
    agent: false,
  });
  connecting.end();
  // Emitted with these three.
  const [response, socket] = (await once(connecting, 'connect')) as [IncomingMessage, Duplex];
  assert.equal(response.statusCode, 200);
  const secured = connectTls({ socket, servername: url.hostname, ALPNProtocols: [alpn] });
  await once(secured, 'secureConnect');
  assert.equal(secured.alpnProtocol, alpn);
  return secured;
}

async function http2Session(url: URL): Promise<ClientHttp2Session> {
  const socket = await tunnel(url, 'h2');
  const session = connectHttp2(url.origin, { createConnection: () => socket });
  await once(session, 'remoteSettings');
  return session;
}

interface Http2Response {
  readonly stream: ClientHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

async function http2Response(stream: ClientHttp2Stream): Promise<Http2Response> {
  // Emitted with the fields first.
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return { stream, headers };
}

function pathOf(url: URL): OutgoingHttpHeaders {
  return { ':path': url.pathname + url.search };
}

async function get(version: HttpVersion, url: URL): Promise<unknown> {
  if (version === 'h1') {
    const response = await fetch(url);
    return { status: response.status, body: await response.text() };
  }
  const session = await http2Session(url);
  const { stream, headers } = await http2Response(session.request(pathOf(url)));
  const body = await text(stream);
  session.close();
  return { status: headers[':status'], body };
}

/** How far each event is behind the time that the origin wrote into it, in milliseconds; after a request that warms up. */
async function events(version: HttpVersion, url: URL): Promise<unknown> {
  const lags: number[] = [];
  const heard = new URL(`/heard${url.search}`, url);
  /** The next event is sent once the origin is told of this one. */
  const take = async (chunk: string, tell: () => Promise<unknown>): Promise<void> => {
    for (const [, sent] of chunk.matchAll(/^data: ([0-9.]+)$/gm)) {
      lags.push(preciseNowMs() - Number(sent));
      await tell();
    }
  };
  const warmUp = new URL(`/sink${url.search}warm`, url);
  if (version === 'h1') {
    await (await fetch(warmUp)).text();
    const response = await fetch(url);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const tell = async (): Promise<unknown> => await (await fetch(heard)).text();
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? [])
      await take(chunk, tell);
    return { lags };
  }
  const session = await http2Session(url);
  await text((await http2Response(session.request(pathOf(warmUp)))).stream);
  const { stream } = await http2Response(session.request(pathOf(url)));
  const tell = async (): Promise<unknown> =>
    await text((await http2Response(session.request(pathOf(heard)))).stream);
  for await (const chunk of stream.setEncoding('utf8')) await take(String(chunk), tell);
  session.close();
  return { lags };
}

async function trailers(version: HttpVersion, url: URL): Promise<unknown> {
  if (version === 'h1') {
    const request = httpsRequest(url, {
      method: 'POST',
      headers: { 'transfer-encoding': 'chunked', trailer: 'x-amz-checksum-crc32' },
    });
    request.write('some');
    request.addTrailers({ 'x-amz-checksum-crc32': 'by the client' });
    request.end('thing');
    // Emitted with the response.
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { body: await text(response), trailers: response.trailers };
  }
  const session = await http2Session(url);
  const stream = session.request({ ...pathOf(url), ':method': 'POST' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'x-amz-checksum-crc32': 'by the client' }));
  stream.end('something');
  let received: unknown;
  stream.once('trailers', (fields) => (received = { 'x-sum': fields['x-sum'], 'x-seen': fields['x-seen'] }));
  const { headers } = await http2Response(stream);
  assert.equal(headers[':status'], 200);
  const body = await text(stream);
  session.close();
  return { body, trailers: received };
}

/** Sends its body only after the 100. */
async function expectContinue(version: HttpVersion, url: URL): Promise<unknown> {
  const body = 'sent after 100\n';
  if (version === 'h1') {
    const request = httpsRequest(url, {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': body.length },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end(body);
    // Emitted with the response.
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { status: response.statusCode, body: await text(response) };
  }
  const session = await http2Session(url);
  const stream = session.request({ ...pathOf(url), ':method': 'POST', expect: '100-continue' });
  await once(stream, 'continue');
  stream.end(body);
  const { headers } = await http2Response(stream);
  const responded = await text(stream);
  session.close();
  return { status: headers[':status'], body: responded };
}

async function earlyHints(version: HttpVersion, url: URL): Promise<unknown> {
  if (version === 'h1') {
    const request = httpsRequest(url);
    request.end();
    const information = once(request, 'information');
    // Emitted with the response.
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const [hint] = (await information) as [{ statusCode: number; headers: IncomingHttpHeaders }];
    return { hint: hint.statusCode, link: hint.headers['link'], body: await text(response) };
  }
  const session = await http2Session(url);
  const stream = session.request(pathOf(url));
  const information = once(stream, 'headers');
  await http2Response(stream);
  const [hint] = (await information) as [IncomingHttpHeaders];
  const body = await text(stream);
  session.close();
  return { hint: hint[':status'], link: hint['link'], body };
}

async function webSocket(version: HttpVersion, url: URL): Promise<unknown> {
  let socket: WebSocket;
  let close: () => Promise<boolean>;
  if (version === 'h1') {
    const secured = await tunnel(url, 'http/1.1');
    socket = new WebSocket(String(url).replace(/^https/, 'wss'), { createConnection: () => secured });
    await once(socket, 'open');
    close = async () => {
      socket.close(1000, 'done');
      const [code] = (await once(socket, 'close')) as [number];
      return code === 1000;
    };
  } else {
    const session = await http2Session(url);
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request({
      ...pathOf(url),
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      'sec-websocket-version': '13',
    });
    const { headers } = await http2Response(stream);
    assert.equal(headers[':status'], 200);
    socket = clientWebSocket(stream);
    // RFC 8441 §5: the orderly end of the connection is END_STREAM.
    close = async () => {
      stream.end();
      await once(stream, 'close');
      session.close();
      return stream.rstCode === 0;
    };
  }
  const received: string[] = [];
  for (const message of ['first', 'x'.repeat(100_000), 'ünï']) {
    socket.send(message);
    // Emitted with the message first.
    const [data] = (await once(socket, 'message')) as [Buffer];
    assert.equal(String(data), message);
    received.push(message.slice(0, 10));
  }
  return { received, ended: await close() };
}

const actions = {
  get,
  events,
  trailers,
  'expect-continue': expectContinue,
  'early-hints': earlyHints,
  websocket: webSocket,
};

const [what = '', version = '', url = ''] = process.argv.slice(2);
// The caller is the matrix, whose names these are; anything else fails at the call.
const action = actions[what as keyof typeof actions];
console.log(JSON.stringify(await action(version as HttpVersion, new URL(url))));
