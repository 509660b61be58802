// The opening handshake of RFC 6455 §4, both sides, on a connected duplex.

import { Buffer } from 'node:buffer';
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { HeaderList } from '../http/header-list.ts';
import { ResponseReader } from '../http/response-reader.ts';
import { encodeLastResponse, encodeResponseHead } from '../http/response-writer.ts';
import { retryAfterSecondsOf } from '../http/retry-after.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import { tunnelSubprotocol } from '../protocol/frame.ts';
import { type Limits, defaultLimits } from '../protocol/limits.ts';
import { problemType } from '../protocol/problem-document.ts';
import type { SessionProblem } from '../protocol/session-messages.ts';

import { WebSocketConnection } from './websocket-connection.ts';
import { parseProblem, WebSocketRefusedError } from './websocket-refusal.ts';

/** Asks for, and grants, a mask of zero: inside TLS nobody between the two ends can be confused by the payload. */
const maskField = 'upstreamproxy-mask';
/** Says that this end agrees on modes for the tunnel: the gateway's first frame is a challenge then. */
const modesField = 'upstreamproxy-modes';
/** Says that this end carries datagrams. */
const datagramsField = 'upstreamproxy-datagrams';
const agreesToken = 'agree';
/** Says that this end goes on with the tunnel when the connection is lost; a token other than `agree` names the tunnel to go on with. */
export const resumeField = 'upstreamproxy-resume';
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Of the gateway's response: its first frame is a challenge, and it serves nothing before the agent has identified itself. */
const challengeName = 'upstreamproxy-challenge';
export const challengeField: HandshakeField = [challengeName, agreesToken];

export type HandshakeField = readonly [name: string, value: string];

export interface ConnectWebSocketOptions {
  /** Connected, any TLS done. It is destroyed if the handshake fails. */
  readonly socket: Duplex;
  /** Value of the Host field. */
  readonly host: string;
  readonly path: string;
  /** Offered in this order; the response must name one of them. */
  readonly subprotocols: readonly string[];
  readonly headers: readonly HandshakeField[];
  /** Told of the fields of the response, whatever its status. */
  readonly onFields?: (fields: HeaderList) => void;
  /** Ask for a mask of zero; has no effect outside TLS. */
  readonly zeroMask?: boolean;
  /** Offer to agree on modes for the tunnel. */
  readonly offersModes?: boolean;
  /** `agree`, or the tunnel to go on with. */
  readonly resume?: string;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

/**
 * Makes the client's handshake. Rejects with `WebSocketRefusedError` for a response other than 101, `gateway_protocol`
 * for one that breaks the handshake, `timeout` after `handshakeTimeoutMs`, `tunnel_lost` or `cancelled`.
 */
export async function connectWebSocket(options: ConnectWebSocketOptions): Promise<WebSocketConnection> {
  const { socket, limits } = options;
  const key = randomBytes(16).toString('base64');
  const asksZeroMask = options.zeroMask === true && isEncrypted(socket);
  try {
    const request = requestHead(options, key, asksZeroMask);
    prepareSocket(socket);
    const response = await exchangeHeads(options, request);
    const { status = 0, headers = new HeaderList() } = response.head ?? {};
    options.onFields?.(headers);
    if (status !== 101)
      throw new WebSocketRefusedError(
        status,
        parseProblem(Buffer.from(response.bodySoFar)),
        retryAfterSecondsOf(status, headers),
      );
    checkResponse(headers, key);
    const subprotocol = agreedSubprotocol(headers, options.subprotocols);
    const zeroMask = asksZeroMask && fieldTokens(headers, maskField).includes('zero');
    const agreesOnModes =
      options.offersModes === true && fieldTokens(headers, modesField).includes(agreesToken);
    const isChallenged = fieldTokens(headers, challengeName).includes(agreesToken);
    const isResumable =
      options.resume !== undefined && fieldTokens(headers, resumeField).includes(agreesToken);
    // Only the tunnel has such frames.
    const agreesOnDatagrams =
      subprotocol === tunnelSubprotocol && fieldTokens(headers, datagramsField).includes(agreesToken);
    return new WebSocketConnection({
      socket,
      role: 'client',
      isResumable,
      agreesOnDatagrams,
      isChallenged,
      zeroMask,
      limits,
      head: Buffer.from(response.rest),
      subprotocol,
      agreesOnModes,
    });
  } catch (error) {
    socket.destroy();
    throw asProxyError(error);
  }
}

function requestHead(options: ConnectWebSocketOptions, key: string, asksZeroMask: boolean): Buffer {
  const fields: (readonly [string, string])[] = [
    ['Host', options.host],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', key],
    ['Sec-WebSocket-Protocol', options.subprotocols.join(', ')],
    ...(asksZeroMask ? [[maskField, 'zero'] as const] : []),
    ...(options.offersModes === true ? [[modesField, agreesToken] as const] : []),
    ...(options.resume === undefined ? [] : [[resumeField, options.resume] as const]),
    ...(options.subprotocols.includes(tunnelSubprotocol) ? [[datagramsField, agreesToken] as const] : []),
    ...options.headers,
  ];
  const lines = [`GET ${options.path} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  // Whatever made a line break in one of these would otherwise write fields of its own.
  if (/\s/.test(options.path) || lines.some((line) => /[\r\n\0]/.test(line))) {
    throw new ProxyError(
      'internal',
      'The path or a field of the WebSocket handshake contains a line break or a space.',
    );
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Writes the request and collects the response, with the body of a refusal, until the deadline. */
function exchangeHeads(options: ConnectWebSocketOptions, request: Buffer): Promise<ResponseReader> {
  const { socket, limits, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<ResponseReader>();
  const reader = new ResponseReader({
    request: { method: 'GET', asksToSwitch: true },
    limits,
    bodyBytesMax: limits.agentBodyBytesMax,
    fault: (reason) =>
      new ProxyError(
        'gateway_protocol',
        `The response to the WebSocket handshake is not acceptable: ${reason}. Is the address the one of a gateway?`,
      ),
  });
  const onData = (chunk: Uint8Array): void => {
    let isOver = false;
    try {
      reader.push(chunk);
      isOver = reader.response !== undefined;
    } catch (error) {
      if ((reader.head?.status ?? 0) < 200) return reject(asProxyError(error));
      // A refusal may be cut short, or say nothing of its length; its status is what counts.
      isOver = true;
    }
    if (!isOver) return;
    // Before anything else is awaited, or the next chunk has no reader and is lost.
    socket.pause();
    resolve(reader);
  };
  const onEnd = (): void => {
    if (reader.head !== undefined) resolve(reader);
    else
      reject(
        new ProxyError(
          'tunnel_lost',
          `${options.host} closed the connection during the WebSocket handshake.`,
        ),
      );
  };
  const onError = (error: Error): void => {
    reject(
      new ProxyError(
        'tunnel_lost',
        `The connection to ${options.host} failed during the WebSocket handshake.`,
        { cause: error },
      ),
    );
  };
  const listeners = { data: onData, end: onEnd, close: onEnd, error: onError };
  for (const [name, listener] of Object.entries(listeners)) socket.on(name, listener);
  const release = rejectInTime(options, reject);
  if (socket.destroyed) onEnd();
  else if (signal?.aborted !== true) socket.write(request);
  return promise.finally(() => {
    release();
    for (const [name, listener] of Object.entries(listeners)) socket.off(name, listener);
    // What happens to the socket from here on is seen by the connection, or the socket is being destroyed.
    socket.on('error', () => undefined);
  });
}

/** Rejects at the deadline or when the caller gives up, whatever comes first; returns what undoes it. */
function rejectInTime(options: ConnectWebSocketOptions, reject: (error: ProxyError) => void): () => void {
  const { host, limits, signal } = options;
  const onAbort = (): void => {
    reject(new ProxyError('cancelled', 'The WebSocket handshake was cancelled.', { cause: signal?.reason }));
  };
  const timer = setTimeout(() => {
    const { handshakeTimeoutMs } = limits;
    reject(
      new ProxyError(
        'timeout',
        `${host} did not respond to the WebSocket handshake within ${handshakeTimeoutMs} ms.`,
      ),
    );
  }, limits.handshakeTimeoutMs);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted === true) onAbort();
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
}

/** RFC 6455 §4.1, the client's list of what fails the connection. */
function checkResponse(headers: HeaderList, key: string): void {
  const has = (name: string, token: string): boolean =>
    fieldTokens(headers, name).some((value) => value.toLowerCase() === token);
  if (!has('upgrade', 'websocket') || !has('connection', 'upgrade')) {
    throw new ProxyError(
      'gateway_protocol',
      'The response to the WebSocket handshake does not upgrade to websocket.',
    );
  }
  const accepts = headers.all('sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== acceptValue(key)) {
    throw new ProxyError(
      'gateway_protocol',
      'The response to the WebSocket handshake does not belong to this request (Sec-WebSocket-Accept).',
    );
  }
  if (fieldTokens(headers, 'sec-websocket-extensions').length > 0) {
    throw new ProxyError(
      'gateway_protocol',
      'The response to the WebSocket handshake names an extension, but none was offered.',
    );
  }
}

function agreedSubprotocol(headers: HeaderList, offered: readonly string[]): string {
  const chosen = fieldTokens(headers, 'sec-websocket-protocol');
  const [subprotocol] = chosen;
  if (chosen.length === 1 && subprotocol !== undefined && offered.includes(subprotocol)) return subprotocol;
  throw new ProxyError(
    'gateway_protocol',
    `The gateway speaks none of the subprotocols ${offered.join(', ')}.`,
  );
}

/** All values of a field, its comma-separated lists taken apart. */
function fieldTokens(headers: HeaderList, name: string): readonly string[] {
  return headers
    .all(name)
    .flatMap(headerTokens)
    .filter((token) => token !== '');
}

function acceptValue(key: string): string {
  return createHash('sha1')
    .update(key + acceptGuid)
    .digest('base64');
}

/** What of the request is looked at. */
export type UpgradeRequest = Pick<IncomingMessage, 'method' | 'httpVersion' | 'headers'>;

export interface AcceptWebSocketOptions {
  readonly request: UpgradeRequest;
  readonly socket: Duplex;
  /** Bytes that were read behind the request. */
  readonly head: Buffer;
  /** What this side speaks, the preferred one first. */
  readonly subprotocols: readonly string[];
  /** Grant a mask of zero to a client that asks for it over TLS. */
  readonly allowZeroMask: boolean;
  /** Agree on modes with a client that offers to. */
  readonly allowModes?: boolean;
  /** Go on with the tunnel when the connection is lost, with a client that does. */
  readonly allowResume?: boolean;
  /** More fields of the response, by the subprotocol that was chosen. */
  readonly extraFields?: (subprotocol: string) => readonly HandshakeField[];
  readonly limits: Limits;
}

/**
 * Responds to an upgrade request with 101. Throws `request_malformed` before anything is written if it is not a valid
 * handshake or offers no subprotocol that is spoken here.
 */
export function acceptWebSocket(options: AcceptWebSocketOptions): WebSocketConnection {
  const { request, socket, head, limits } = options;
  const key = checkRequest(request);
  const subprotocol = chooseSubprotocol(request, options.subprotocols);
  const zeroMask = options.allowZeroMask && isEncrypted(socket) && request.headers[maskField] === 'zero';
  const agreesOnModes = options.allowModes === true && request.headers[modesField] === agreesToken;
  // Of the tunnel only: a connection of the seed protocol ends with its WebSocket.
  const isResumable =
    options.allowResume === true &&
    subprotocol === tunnelSubprotocol &&
    request.headers[resumeField] !== undefined;
  const agreesOnDatagrams =
    subprotocol === tunnelSubprotocol && request.headers[datagramsField] === agreesToken;
  const fields = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptValue(key)],
    ['Sec-WebSocket-Protocol', subprotocol],
    ...(zeroMask ? [[maskField, 'zero'] as const] : []),
    ...(agreesOnModes ? [[modesField, agreesToken] as const] : []),
    ...(isResumable ? [[resumeField, agreesToken] as const] : []),
    ...(agreesOnDatagrams ? [[datagramsField, agreesToken] as const] : []),
    ...(options.extraFields?.(subprotocol) ?? []),
  ] as const;
  prepareSocket(socket);
  const connection = new WebSocketConnection({
    socket,
    role: 'server',
    isResumable,
    agreesOnDatagrams,
    zeroMask,
    limits,
    head,
    subprotocol,
    agreesOnModes,
  });
  socket.write(encodeResponseHead(101, fields), 'latin1');
  return connection;
}

/** RFC 6455 §4.2.1. Returns the key. */
function checkRequest(request: UpgradeRequest): string {
  const { headers } = request;
  const has = (value: string | undefined, wanted: string): boolean =>
    headerTokens(value).some((token) => token.toLowerCase() === wanted);
  if (request.method !== 'GET' || request.httpVersion !== '1.1') throw malformed('is not a GET of HTTP/1.1');
  if (!has(headers.upgrade, 'websocket') || !has(headers.connection, 'upgrade'))
    throw malformed('does not upgrade to websocket');
  if (headers['sec-websocket-version'] !== '13') throw malformed('is not for version 13');
  const key = headers['sec-websocket-key'];
  // 16 bytes in base64, so the last character before the padding has four bits left over. Two keys arrive as a list,
  // which this is not.
  if (key === undefined || !/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) {
    throw malformed('has no valid Sec-WebSocket-Key');
  }
  return key;
}

function chooseSubprotocol(request: UpgradeRequest, spoken: readonly string[]): string {
  const offered = new Set(headerTokens(request.headers['sec-websocket-protocol']));
  const subprotocol = spoken.find((name) => offered.has(name));
  if (subprotocol === undefined) throw malformed(`offers none of the subprotocols ${spoken.join(', ')}`);
  return subprotocol;
}

function headerTokens(value: string | undefined): readonly string[] {
  return (value ?? '').split(',').map((token) => token.trim());
}

/** Responds to an upgrade request with `status` and the problem as JSON, then closes the connection. `extraFields` say when to come again, if that is known. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  problem: SessionProblem,
  extraFields: readonly HandshakeField[] = [],
): void {
  const fields = [
    ...extraFields,
    ['Content-Type', problemType],
    ['Cache-Control', 'no-store'],
    // RFC 6455 §4.4: the version that would have been understood.
    ...(status === 426
      ? ([
          ['Sec-WebSocket-Version', '13'],
          ['Upgrade', 'websocket'],
        ] as const)
      : []),
  ] as const;
  // The response is all that matters: an error of the socket now has nobody left to tell.
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), defaultLimits.webSocketRefusalLingerMs).unref();
  socket.on('close', () => clearTimeout(timer));
  // Read on, or the end of the client is never seen.
  socket.resume();
  socket.end(encodeLastResponse(status, fields, JSON.stringify(problem)));
}

function malformed(what: string): ProxyError {
  return new ProxyError('request_malformed', `The WebSocket handshake ${what}.`);
}

function isEncrypted(socket: Duplex): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/** A tunnel lives for days, and its messages are batched before they reach the socket. */
function prepareSocket(socket: Duplex): void {
  if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0);
  if ('setNoDelay' in socket && typeof socket.setNoDelay === 'function') socket.setNoDelay(true);
}
