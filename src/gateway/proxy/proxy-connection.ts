// A client's connection to the proxy listener behind its TLS, where it speaks HTTP/1.1 or SOCKS5: whose it is, and what it asks for.

import type { TLSSocket } from 'node:tls';
import { formatAuthority } from '../../http/authority.ts';
import { listMembers } from '../../http/field-syntax.ts';
import { HeaderList } from '../../http/header-list.ts';
import type { ProxyRequest } from '../../http/proxy-head.ts';
import { ProxyRequestReader } from '../../http/proxy-head-reader.ts';
import { encodeResponseHead } from '../../http/response-writer.ts';
import { type SocksOutcome, SocksServer, socksReply } from '../../http/socks-server.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { StreamParts, StreamPort } from '../tunnels/stream-scene.ts';
import { neededToken, type ProxyDesk, type ProxyPass } from './proxy-desk.ts';
import { encodeRefusalOf } from './proxy-response.ts';

export interface ProxyScene {
  readonly desk: ProxyDesk;
  readonly parts: StreamParts;
  /** Where the client is. */
  readonly address: string;
  /** It showed a token. */
  readonly onPass: () => void;
  /** Serves a stream to its end, here or at the worker that has its session; never throws. */
  readonly serve: (port: StreamPort, pass: ProxyPass) => Promise<void>;
}

type WholeRequest = Extract<ProxyRequest, { state: 'whole' }>;
const socksVersion = 5;

/** Serves the connection to its end; never throws. */
export async function serveProxyConnection(socket: TLSSocket, scene: ProxyScene): Promise<void> {
  socket.on('error', () => undefined);
  // A client may end its side and still wait for the response. Whoever serves it ends the other side.
  socket.allowHalfOpen = true;
  try {
    for (let refusals = 1; ; refusals += 1) {
      const start = await readStart(socket, { takesSocks: refusals === 1, limits: scene.parts.limits });
      if ('first' in start) return await serveSocks(socket, start.first, scene);
      const { request, headBytes } = start;
      const error = await serveRequest(socket, request, scene);
      if (error === undefined) return;
      // Behind a refusal they are no request of this connection: a client may have sent them for the tunnel that it asked for.
      const hasMore = socket.readableLength > headBytes;
      const goesOn =
        error.httpStatus === 407 &&
        refusals < defaultLimits.proxyRefusalsMax &&
        !hasMore &&
        !hasBody(request);
      const response = encodeRefusalOf(error, { goesOn, isHead: request.method === 'HEAD' });
      if (!goesOn) return endWith(socket, response, scene);
      if (headBytes > 0) socket.read(headBytes);
      socket.write(response);
    }
  } catch (error) {
    const fault = asProxyError(error, 'request_malformed');
    if (fault.code === 'cancelled' || fault.code === 'timeout' || socket.destroyed)
      return void socket.destroy();
    endWith(socket, encodeRefusalOf(scene.desk.malformed(fault), { goesOn: false }), scene);
  }
}

/** Gives why it is refused; undefined: the connection is somebody else's from now on. */
async function serveRequest(
  socket: TLSSocket,
  { fields, authority, target, method }: WholeRequest,
  scene: ProxyScene,
): Promise<ProxyError | undefined> {
  const { desk, address, parts } = scene;
  let pass: ProxyPass;
  try {
    const end = (error: ProxyError): void => void socket.destroy(error);
    pass = await desk.admit(fields.all('proxy-authorization'), address, { target, end });
  } catch (error) {
    return asProxyError(error);
  }
  if (!seat(socket, pass, scene)) return undefined;
  const via = fields.all('via').join(', ');
  const port =
    authority === undefined
      ? forwardPort(socket, pass, { isHead: method === 'HEAD', parts })
      : connectPort(socket, {
          authority: formatAuthority(authority),
          via,
          established: encodeResponseHead(200),
          parts,
        });
  void scene.serve(port, pass);
  return undefined;
}

/** False where the client has left. */
function seat(socket: TLSSocket, pass: ProxyPass, { onPass }: ProxyScene): boolean {
  if (socket.destroyed) {
    pass.release();
    return false;
  }
  socket.once('close', () => pass.release());
  onPass();
  return true;
}

interface Opening extends Pick<ProxyScene, 'parts'> {
  readonly authority: string;
  readonly via: string;
  /** What the client reads before the first octet of the other end. */
  readonly established: string | Uint8Array;
  readonly refusal?: (error: ProxyError) => Uint8Array;
}

function connectPort(
  socket: TLSSocket,
  { authority, via, established, refusal, parts }: Opening,
): StreamPort {
  let hasResponse = false;
  const end = refusal ?? ((error: ProxyError) => encodeRefusalOf(error, { goesOn: false }));
  return {
    duplex: socket,
    fields: { authority, mode: 'raw', ...(via === '' ? {} : { via }) },
    allowsMode: () => false,
    accept: () => {
      if (!hasResponse) socket.write(established);
      hasResponse = true;
    },
    refuse: (error) => {
      if (hasResponse) socket.destroy(error);
      else endWith(socket, end(error), { parts });
      hasResponse = true;
    },
    reset: (error) => void socket.destroy(error),
  };
}

/** Until it is accepted there is no response to its first request, and a refusal is one. */
function forwardPort(
  socket: TLSSocket,
  pass: ProxyPass,
  { isHead, parts }: Pick<ProxyScene, 'parts'> & { readonly isHead: boolean },
): StreamPort {
  let hasResponse = false;
  return {
    duplex: socket,
    fields: { authority: '', mode: 'proxy' },
    allowsMode: () => false,
    accept: () => void (hasResponse = true),
    refuse: (error) => {
      if (hasResponse) socket.destroy(error);
      else endWith(socket, encodeRefusalOf(error, { goesOn: false, isHead }), { parts });
      hasResponse = true;
    },
    reset: (error) => void socket.destroy(error),
    refusalOf: eachShows(pass),
  };
}

/** Each request in absolute form shows the token again: a proxy between could have others' on the same connection. */
function eachShows(pass: ProxyPass): NonNullable<StreamPort['refusalOf']> {
  return ({ raw, target }) =>
    pass.isShownIn(HeaderList.fromRaw(raw).all('proxy-authorization'), target) ? undefined : neededToken();
}

/** Of what came in at another worker: inside of a tunnel nobody shows a token, which would go to its other end. */
export function passedPort(port: StreamPort, pass: ProxyPass): StreamPort {
  return port.fields.mode === 'proxy' ? { ...port, refusalOf: eachShows(pass) } : port;
}

/** SOCKS5 inside TLS: RFC 1929 sends the token as it is. */
async function serveSocks(socket: TLSSocket, first: Buffer, scene: ProxyScene): Promise<void> {
  const server = new SocksServer(true);
  const endMs = performance.now() + scene.parts.limits.headTimeoutMs;
  let step = server.push(first);
  let pass: ProxyPass | undefined;
  for (;;) {
    if (step.reply.length > 0) socket.write(step.reply);
    const { outcome } = step;
    if (outcome.kind === 'connect') {
      if (pass !== undefined) openSocks(socket, outcome, { pass, scene });
      return;
    }
    if (outcome.kind === 'refused') {
      scene.desk.malformed(outcome.error);
      pass?.release();
      return endWith(socket, Buffer.alloc(0), scene);
    }
    if (outcome.kind === 'login') {
      pass = await admitSocks(socket, outcome, scene);
      step = server.loggedIn(pass !== undefined);
      continue;
    }
    try {
      step = server.push(await nextChunk(socket, Math.max(1, endMs - performance.now())));
    } catch (error) {
      pass?.release();
      throw error;
    }
  }
}

/** A token is longer than a password of RFC 1929 may be: what does not fit begins in the name. */
async function admitSocks(
  socket: TLSSocket,
  { name, password }: Extract<SocksOutcome, { kind: 'login' }>,
  { desk, address }: ProxyScene,
): Promise<ProxyPass | undefined> {
  try {
    const end = (error: ProxyError): void => void socket.destroy(error);
    return await desk.admit([`Bearer ${name}${password}`], address, { end });
  } catch {
    // The audit has why.
    return undefined;
  }
}

function openSocks(
  socket: TLSSocket,
  { authority, rest }: Extract<SocksOutcome, { kind: 'connect' }>,
  { pass, scene }: { readonly pass: ProxyPass; readonly scene: ProxyScene },
): void {
  if (!seat(socket, pass, scene)) return;
  if (rest.length > 0) socket.unshift(Buffer.from(rest));
  const port = connectPort(socket, {
    authority: formatAuthority(authority),
    via: '',
    established: socksReply('succeeded'),
    refusal: ({ httpStatus }) => socksReply(httpStatus === 403 ? 'notAllowed' : 'failed'),
    parts: scene.parts,
  });
  void scene.serve(port, pass);
}

function hasBody({ fields }: WholeRequest): boolean {
  if (fields.has('transfer-encoding') || listMembers(fields, 'expect').length > 0) return true;
  return fields.all('content-length').some((length) => length !== '0');
}

interface StartOptions {
  readonly takesSocks: boolean;
  readonly limits: StreamParts['limits'];
}

/** `headBytes`: so many are put back, for whoever reads the request again; what came behind a head is put back too. */
type Start = { readonly first: Buffer } | { readonly request: WholeRequest; readonly headBytes: number };

/** @throws ProxyError timeout, cancelled, request_malformed */
async function readStart(socket: TLSSocket, { takesSocks, limits }: StartOptions): Promise<Start> {
  const reader = new ProxyRequestReader(limits);
  let isFirst = takesSocks;
  return await readUntil(socket, limits.headTimeoutMs, (chunk) => {
    if (isFirst && chunk[0] === socksVersion) return { first: chunk };
    isFirst = false;
    const request = reader.push(chunk);
    if (request.state === 'incomplete') return undefined;
    const isForward = request.authority === undefined;
    const rest = Buffer.from(reader.bytes).subarray(isForward ? 0 : request.headBytes);
    if (rest.length > 0) socket.unshift(rest);
    return { request, headBytes: isForward ? request.headBytes : 0 };
  });
}

const nextChunk = (socket: TLSSocket, timeoutMs: number): Promise<Buffer> =>
  readUntil(socket, timeoutMs, (chunk) => chunk);

/**
 * What the octets are, as soon as `take` says it; nothing is read beyond them. It is called while they come, so that it can put some
 * back: behind the end of the client nobody can. From the first of them on they have the time once more. @throws ProxyError timeout, cancelled
 */
async function readUntil<T>(
  socket: TLSSocket,
  timeoutMs: number,
  take: (chunk: Buffer) => T | undefined,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let isFirst = true;
  const onData = (chunk: Buffer): void => {
    if (isFirst) timer.refresh();
    isFirst = false;
    socket.pause();
    try {
      const taken = take(chunk);
      if (taken === undefined) socket.resume();
      else over(() => resolve(taken));
    } catch (error) {
      over(() => reject(error));
    }
  };
  const onEnd = (): void =>
    over(() => reject(new ProxyError('cancelled', 'the client ended before its request did')));
  const onLate = (): void =>
    over(() =>
      reject(
        new ProxyError('timeout', 'no whole request in time (headTimeoutMs)', { limit: 'headTimeoutMs' }),
      ),
    );
  const timer = setTimeout(onLate, timeoutMs);
  // At once: whatever comes behind it is not for this listener.
  const over = (settle: () => void): void => {
    clearTimeout(timer);
    socket.pause().off('data', onData).off('end', onEnd).off('close', onEnd);
    settle();
  };
  socket.on('data', onData).once('end', onEnd).once('close', onEnd);
  socket.resume();
  if (socket.destroyed || socket.readableEnded) onEnd();
  return await promise;
}

/** The last octets. A client that does not end its own side is cut off. */
function endWith(socket: TLSSocket, bytes: Uint8Array, { parts }: Pick<ProxyScene, 'parts'>): void {
  if (socket.destroyed) return;
  // What was on its way from it to another worker goes nowhere.
  socket.unpipe();
  socket.end(bytes);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), parts.limits.lingerTimeoutMs);
  socket.once('close', () => clearTimeout(timer));
}
