// The gateway's one public TLS port: CA certificates, session requests, health, and the upgrade to the tunnel.

import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { encodeLastResponse } from '../http/response-writer.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import {
  caCertPath,
  sessionCommitPath,
  sessionNarrowPath,
  sessionPath,
} from '../protocol/session-messages.ts';
import { serverCiphers } from '../pki/server-ciphers.ts';
import { problemResponse } from '../net/problem-response.ts';
import { sessionProblem } from '../protocol/session-messages.ts';

export interface PublicServerOptions {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly limits: Limits;
  readonly caCertificates: () => { readonly pem: string; readonly etag: string };
  readonly isReady: () => boolean;
  /** Why it is not; `draining` by default. */
  readonly unready?: string;
  /** What is not as it should be while it is ready; undefined if nothing. */
  readonly degraded?: () => string | undefined;
  readonly handleSession: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;
}

/** A server that does not listen yet. */
export function createPublicServer(options: PublicServerOptions): Server {
  const { limits } = options;
  const server = createServer({
    cert: options.certificatePem,
    key: options.keyPem,
    minVersion: 'TLSv1.2',
    ...serverCiphers,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.handshakeTimeoutMs,
    maxHeaderSize: limits.connectHeadBytesMax,
    headersTimeout: Math.min(limits.headTimeoutMs, defaultLimits.publicRequestTimeoutMs),
    requestTimeout: defaultLimits.publicRequestTimeoutMs,
    keepAliveTimeout: defaultLimits.publicKeepAliveMs,
    noDelay: true,
  });
  server.on('request', (request, response) => {
    route(request, response, options);
  });
  server.on('upgrade', (request, socket, head) => {
    void options.handleUpgrade(request, socket, head);
  });
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) return void socket.destroy();
    socket.end(encodeLastResponse(400, [], ''));
    // Who does not end its own side is not waited for.
    const timer = setTimeout(() => socket.destroy(), limits.lingerTimeoutMs).unref();
    socket.once('close', () => clearTimeout(timer));
  });
  // Comes behind `clientError`, whose response no client could read: it would wait for a handshake that does not come.
  server.on('tlsClientError', (_error, socket) => {
    socket.destroy();
  });
  return server;
}

function route(request: IncomingMessage, response: ServerResponse, options: PublicServerOptions): void {
  const path = (request.url ?? '').split('?', 1)[0];
  switch (path) {
    case caCertPath:
      if (isRead(request)) sendCertificates(request, response, options);
      else sendProblem(response, 405, 'use GET');
      return;
    case sessionPath:
    case sessionCommitPath:
    case sessionNarrowPath:
      void options.handleSession(request, response);
      return;
    case '/healthz':
      sendText(response, 200, 'ok\n');
      return;
    case '/readyz':
      if (!options.isReady()) sendText(response, 503, `${options.unready ?? 'draining'}\n`);
      else sendText(response, 200, readyText(options.degraded?.()));
      return;
    default:
      sendProblem(response, 404, 'there is nothing at this path');
  }
}

function readyText(degraded: string | undefined): string {
  return degraded === undefined ? 'ready\n' : `ready, degraded: ${degraded}\n`;
}

function isRead(request: IncomingMessage): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}

function sendCertificates(
  request: IncomingMessage,
  response: ServerResponse,
  options: PublicServerOptions,
): void {
  const { pem, etag } = options.caCertificates();
  const headers = { etag, 'cache-control': 'no-cache' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response
    .writeHead(200, {
      ...headers,
      'content-type': 'application/x-pem-file',
      'content-length': Buffer.byteLength(pem),
    })
    .end(request.method === 'HEAD' ? undefined : pem);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) })
    .end(text);
}

function sendProblem(response: ServerResponse, status: number, message: string): void {
  problemResponse(response, sessionProblem('request_malformed', message, { status }));
}
