// Generated responses of an origin, to clients of both versions that stay or leave: each exchange ends with one event, nothing
// stays open, the gateway never calls it a fault of its own, and its process goes on.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';

import { openRequestPath, type RequestPath } from '../gateway/support/request-path.ts';
import { RecordingSink } from '../gateway/support/recording-sink.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { http1Response, http2Response } from './support/response-grammar.ts';
import { seeded, type Random } from '../support/seeded.ts';
import { frame, frameType, parseFrames, preface } from './support/h2-frames.ts';

export interface ResponsesRun {
  readonly responses: number;
  readonly allowed: number;
  readonly failures: readonly { readonly index: number; readonly message: string }[];
}

const authority = createTestAuthority();
/** Far beyond every limit of a scene. */
const eventMsMax = 6_000;
const limits = {
  responseHeadTimeoutMs: 700,
  idleTimeoutMs: 700,
  webSocketIdleTimeoutMs: 700,
  handshakeTimeoutMs: 700,
  closeTimeoutMs: 200,
};
const kinds = ['GET', 'GET', 'POST', 'POST', 'HEAD', 'OPTIONS', 'WebSocket'] as const;
const handshake =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** Plays responses from a seed, each on connections of its own; `only` plays that one alone. */
export async function playResponses(options: {
  readonly seed: number;
  readonly runs: number;
  readonly only?: number | undefined;
}): Promise<ResponsesRun> {
  const { seed, runs, only } = options;
  const failures: { index: number; message: string }[] = [];
  let allowed = 0;
  const [from, to] = only === undefined ? [0, runs] : [only, only + 1];
  for (let index = from; index < to && failures.length < 5; index += 1) {
    // What nobody hears ends this process: then this is the last thing that it says.
    const tell = (): void => console.error(`seed ${seed}, response ${index}`);
    process.once('uncaughtExceptionMonitor', tell);
    const { verdict, message } = await playOne(seeded(seed ^ Math.imul(index + 1, 0x9e3779b1)));
    process.off('uncaughtExceptionMonitor', tell);
    if (verdict === 'allow') allowed += 1;
    if (message !== undefined) failures.push({ index, message });
  }
  return { responses: to - from, allowed, failures };
}

interface Played {
  readonly verdict: string | undefined;
  readonly message: string | undefined;
}

async function playOne(random: Random): Promise<Played> {
  const isHttp2 = random() < 0.5;
  const bytes = isHttp2 ? http2Response(random) : http1Response(random);
  await using origin = await startOrigin(isHttp2, bytes, random);
  await using path = openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    limits,
  });
  const leave = await ask(path, `allowed.test:${origin.port}`, random);
  const leavesAfterMs = random() < 0.25 ? Math.floor(random() * 60) : undefined;
  if (leavesAfterMs !== undefined) {
    await delay(leavesAfterMs);
    leave();
  }
  await eventOf(path);
  leave();
  const event = path.audit[0];
  const sink = path.parts.audit;
  const open = sink instanceof RecordingSink ? sink.openTotal : 0;
  // Who left at once may have asked for nothing.
  const isEarly = leavesAfterMs !== undefined && path.audit.length === 0 && open === 0;
  const message =
    open > 0 || (path.audit.length !== 1 && !isEarly)
      ? `${path.audit.length} events, and ${open} exchanges are open`
      : event?.errorCode === 'internal'
        ? `internal: ${event.message}`
        : undefined;
  return { verdict: event?.verdict, message };
}

async function eventOf(path: RequestPath): Promise<void> {
  const deadline = performance.now() + eventMsMax;
  const sink = path.parts.audit;
  const isOpen = (): boolean => sink instanceof RecordingSink && (sink.openTotal > 0 || sink.kept.size === 0);
  while (isOpen() && performance.now() < deadline) await delay(5);
}

/** Sends one request; gives what leaves its connection. */
async function ask(path: RequestPath, at: string, random: Random): Promise<() => void> {
  const kind = kinds[Math.floor(random() * kinds.length)] ?? 'GET';
  const isChunked = random() < 0.5;
  const ends = random() < 0.5;
  if (random() < 0.5) {
    const socket = await path.tls(at);
    socket.on('error', () => undefined).resume();
    const head = `Host: ${at}\r\n`;
    if (kind === 'WebSocket') socket.write(`GET / HTTP/1.1\r\n${head}${handshake}\r\n`);
    else if (kind !== 'POST') socket.write(`${kind} / HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
    else if (!isChunked) socket.write(`POST / HTTP/1.1\r\n${head}Content-Length: 4\r\n\r\nbody`);
    else
      socket.write(
        `POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n${ends ? '0\r\n\r\n' : ''}`,
      );
    return () => void socket.destroy();
  }
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  const isWebSocket = kind === 'WebSocket';
  if (isWebSocket) await once(session, 'remoteSettings');
  const fields = isWebSocket
    ? { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' }
    : { ':method': kind };
  const stream = session.request({ ':path': '/', ...fields }, { endStream: kind !== 'POST' && !isWebSocket });
  stream.on('error', () => undefined).resume();
  if (kind === 'POST') stream.write('body');
  if (kind === 'POST' && ends) stream.end();
  return () => session.destroy();
}

/** Gives the bytes to the first request of a connection, whole or in two parts, and ends, breaks off or stays. */
async function startOrigin(
  isHttp2: boolean,
  bytes: Buffer,
  random: Random,
): Promise<AsyncDisposable & { readonly port: number }> {
  const cut = random() < 0.3 ? bytes.length : Math.floor(random() * (bytes.length + 1));
  const ending = Math.floor(random() * 3);
  const sockets = new Set<TLSSocket>();
  const respond = (socket: TLSSocket): void => {
    socket.write(bytes.subarray(0, cut));
    setTimeout(() => {
      if (socket.destroyed) return;
      socket.write(bytes.subarray(cut));
      if (ending === 0) socket.end();
      else if (ending === 1) socket.destroy();
    }, 5);
  };
  const identity = { ...authority.issue('allowed.test'), ALPNProtocols: [isHttp2 ? 'h2' : 'http/1.1'] };
  const server = createServer(identity, (socket) => {
    sockets.add(socket);
    let seen: Buffer = Buffer.alloc(0);
    if (isHttp2) socket.write(frame(frameType.settings, 0, 0, Buffer.of(0, 8, 0, 0, 0, 1)));
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const isAsked = isHttp2
        ? parseFrames(seen.subarray(preface.length)).some(({ type }) => type === frameType.headers)
        : seen.includes('\r\n\r\n');
      if (!isAsked) return;
      socket.off('data', onData).resume();
      respond(socket);
    };
    socket.on('error', () => undefined).on('data', onData);
  });
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
