// The server of curl's cases: sends the octets of a case as they are, and chooses the part by the request, as the suite's own does.

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

import type { TestAuthority } from '../../support/test-authority.ts';
import { textOf } from './case-format.ts';
import type { CurlCase } from './case-format.ts';

export interface SeenByOrigin {
  readonly line: string;
  readonly fields: readonly string[];
  /** As it came, with its framing taken away. */
  readonly body: string;
}

export interface CaseOrigin extends AsyncDisposable {
  readonly port: number;
  readonly securePort: number;
  /** From now on this case is served. */
  serve(test: CurlCase): void;
  /** What came since then. */
  seen(): readonly SeenByOrigin[];
}

/** One case at a time, on two ports: in the clear, and over TLS. */
export async function startCaseOrigin(authority: TestAuthority): Promise<CaseOrigin> {
  const state: Served = { test: new Map(), seen: [], bounced: undefined };
  const sockets = new Set<Socket>();
  const onSocket = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    serveConnection(socket, state);
  };
  const plain = createServer(onSocket);
  const secure = createTlsServer({ ...authority.issue('127.0.0.1'), ALPNProtocols: ['http/1.1'] }, onSocket);
  secure.on('tlsClientError', () => undefined);
  return {
    port: await listen(plain),
    securePort: await listen(secure),
    serve: (test) => {
      state.test = test;
      state.seen = [];
      state.bounced = undefined;
    },
    seen: () => state.seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      plain.close();
      secure.close();
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on an address and a port, not on a path.
  return (server.address() as AddressInfo).port;
}

interface Served {
  test: CurlCase;
  seen: SeenByOrigin[];
  /** Number of the part that the next request gets, whatever it asks for. */
  bounced: number | undefined;
}

function serveConnection(socket: Socket, state: Served): void {
  let held = '';
  socket.on('data', (chunk: Buffer) => {
    // Behind the last response a client that has not seen the end yet sends in vain, and tries again elsewhere.
    if (socket.writableEnded) return;
    held += chunk.toString('latin1');
    for (;;) {
      const request = takeRequest(held, state.test);
      if (request === undefined) return;
      held = held.slice(request.length);
      state.seen.push(request.seen);
      if (!respond(socket, state, request.seen)) return;
    }
  });
}

interface TakenRequest {
  readonly seen: SeenByOrigin;
  readonly length: number;
}

/** The next request, if it is whole. Nobody is told to continue: curl goes on by itself after a second. */
function takeRequest(held: string, test: CurlCase): TakenRequest | undefined {
  const end = held.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [line = '', ...fields] = held.slice(0, end).split('\r\n');
  const start = end + 4;
  const commands = test.get('reply/servercmd')?.text ?? '';
  const field = (name: string): string | undefined =>
    fields
      .find((text) => text.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  // A server that refuses by the head alone.
  const isEarly = /^auth_required/m.test(commands) && !fields.some((text) => /^authorization:/i.test(text));
  if (isEarly || (/^no-expect/m.test(commands) && field('expect') !== undefined))
    return { seen: { line, fields, body: '' }, length: held.length };
  const body =
    field('transfer-encoding') === undefined
      ? takeLength(held, start, Number(field('content-length') ?? 0))
      : takeChunks(held, start);
  if (body === undefined) return undefined;
  return { seen: { line, fields, body: body.text }, length: body.end };
}

function takeLength(
  held: string,
  start: number,
  length: number,
): { readonly text: string; readonly end: number } | undefined {
  return held.length < start + length
    ? undefined
    : { text: held.slice(start, start + length), end: start + length };
}

function takeChunks(
  held: string,
  start: number,
): { readonly text: string; readonly end: number } | undefined {
  let text = '';
  for (let at = start; ;) {
    const newline = held.indexOf('\r\n', at);
    if (newline === -1) return undefined;
    const size = Number.parseInt(held.slice(at, newline), 16);
    at = newline + 2;
    if (size === 0) {
      // Trailers are lines up to an empty one.
      const end = held.startsWith('\r\n', at) ? at : held.indexOf('\r\n\r\n', at) + 2;
      return held.length < end + 2 || end === 1 ? undefined : { text, end: end + 2 };
    }
    if (held.length < at + size + 2) return undefined;
    text += held.slice(at, at + size);
    at += size + 2;
  }
}

/** Sends the part; gives whether the connection goes on. */
function respond(socket: Socket, state: Served, { line, fields }: SeenByOrigin): boolean {
  const target = line.split(' ')[1] ?? '';
  const asked = Number.parseInt(/\/(\d+)[^/]*$/.exec(target)?.[1] ?? '0', 10);
  let part = asked > 10_000 ? asked % 10_000 : 0;
  const authorization = fields.find((text) => /^authorization:/i.test(text)) ?? '';
  if (/: Digest/i.test(authorization)) part += 1000;
  else if (/: NTLM TlRMTVNTUAAD/i.test(authorization)) part += 1002;
  else if (/: NTLM TlRMTVNTUAAB/i.test(authorization)) part += 1001;
  else if (part >= 1000 && /: Basic/i.test(authorization)) part += 1;
  const chosen = state.bounced ?? part;
  const text = textOf(state.test.get(`reply/data${chosen === 0 ? '' : chosen}`));
  state.bounced = text.includes('swsbounce') ? chosen + 1 : undefined;
  const commands = state.test.get('reply/servercmd')?.text ?? '';
  const isLast =
    text === '' ||
    text.includes('swsclose') ||
    /^swsclose/m.test(commands) ||
    fields.some((field) => /^connection: close/i.test(field));
  if (text !== '') socket.write(Buffer.from(text, 'latin1'));
  if (isLast) socket.end();
  return !isLast;
}
