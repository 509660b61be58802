// A gateway for the agent's tests: sessions with checked proofs, CA certificates and a tunnel, each to be made to fail.

import { createHash, createPublicKey, randomUUID, verify, type webcrypto } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { chunkStream } from '../../../src/net/chunk-stream.ts';
import { TunnelLink } from '../../../src/net/tunnel-link.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { acceptWebSocket, refuseUpgrade } from '../../../src/net/websocket-handshake.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { errorTable, type ErrorCode } from '../../../src/protocol/error-table.ts';
import { chunkSubprotocol, tunnelSubprotocol } from '../../../src/protocol/frame.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import {
  caCertPath,
  type EnrolRequest,
  sessionCommitPath,
  sessionPath,
  tunnelPath,
} from '../../../src/protocol/session-messages.ts';
import { createTestAuthority, type TestAuthority } from '../../support/test-authority.ts';

/** The requests of a session, by the name that `faults` and `requests` use. */
export type GatewayRequest = 'enrol' | 'renew' | 'commit' | 'end' | 'ca' | 'tunnel';

/** What a request meets instead of a response. */
export type GatewayFault =
  | { readonly kind: 'refuse'; readonly code: ErrorCode }
  | { readonly kind: 'reset' }
  | { readonly kind: 'silence' }
  | {
      readonly kind: 'raw';
      readonly status: number;
      readonly type: string;
      readonly body: string;
      readonly retryAfter?: string;
    };

export interface FakeSession {
  readonly id: string;
  readonly token: string;
  readonly jwk: webcrypto.JsonWebKey;
  readonly posture: EnrolRequest['posture'];
  accessToken: string;
  state: 'enrolled' | 'committed' | 'ended' | 'revoked';
}

export interface FakeGatewayOptions {
  readonly limits?: Limits;
  /** Names of the gateway's own certificate. */
  readonly certificateHost?: string;
  readonly authority?: TestAuthority;
  readonly expiresIn?: number;
  readonly placeholders?: Record<string, string>;
  readonly onStream?: (stream: TunnelStream) => void;
  readonly modes?: readonly string[];
}

/** One gateway on a free port of 127.0.0.1, over TLS. */
export class FakeGateway implements AsyncDisposable {
  readonly authority: TestAuthority;
  /** What `…/ca-cert` serves. */
  caPem: string;
  etag = '"1"';
  readonly faults = new Map<GatewayRequest, GatewayFault[]>();
  /** Each request as it came. */
  readonly requests: GatewayRequest[] = [];
  readonly sessions = new Map<string, FakeSession>();
  readonly links: TunnelLink[] = [];
  onStream: ((stream: TunnelStream) => void) | undefined;
  /** Gets each connection of the chunk protocol; without it one is echoed behind a 200. */
  onChunks: ((connection: Duplex) => void) | undefined;
  /** Which nonces of proofs count for upgrades; undefined: none is asked for. */
  acceptsNonce: ((nonce: string | undefined) => boolean) | undefined;
  /** Those of the upgrades so far. */
  readonly nonces: (string | undefined)[] = [];
  /** The next one that is given. */
  nextNonce = 'nonce-1';
  readonly #options: FakeGatewayOptions;
  readonly #limits: Limits;
  readonly #proofs = new Set<string>();
  readonly #sockets = new Set<Duplex>();
  readonly #tunnelSockets = new Set<Duplex>();
  readonly #server;

  private constructor(options: FakeGatewayOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    this.onStream = options.onStream;
    this.authority = options.authority ?? createTestAuthority();
    this.caPem = createTestAuthority().caPem;
    this.#server = createServer({ ...this.authority.issue(options.certificateHost ?? '127.0.0.1') });
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket)).on('error', () => {});
    });
  }

  static async start(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
    const gateway = new FakeGateway(options);
    await gateway.listen(0);
    return gateway;
  }

  async listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    await promise;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** The session of the last enrolment. */
  get session(): FakeSession {
    return [...this.sessions.values()].at(-1)!;
  }

  get link(): TunnelLink {
    return this.links.at(-1)!;
  }

  /** The next request of this kind meets the fault; several queue. */
  failNext(request: GatewayRequest, ...faults: readonly GatewayFault[]): void {
    this.faults.set(request, [...(this.faults.get(request) ?? []), ...faults]);
  }

  /** Breaks all connections without a word, as a lost network does. */
  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Reads nothing from now on, as a gateway that hangs. */
  hang(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Reads nothing of the tunnels that are there from now on. */
  hangTunnels(): void {
    for (const socket of this.#tunnelSockets) socket.pause();
  }

  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.breakConnections();
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = kindOf(request);
    if (kind === undefined) return void response.writeHead(404).end();
    this.requests.push(kind);
    const body = await readBody(request);
    const fault = this.faults.get(kind)?.shift();
    if (fault !== undefined) return this.#fail(fault, request, response);
    try {
      if (kind === 'ca') return this.#serveCa(request, response);
      if (kind === 'enrol') return send(response, 200, this.#enrol(request, body));
      const session = this.#authenticate(request);
      if (kind === 'renew') session.accessToken = randomUUID();
      else session.state = kind === 'commit' ? 'committed' : 'ended';
      return send(response, 200, kind === 'renew' ? this.#respond(session) : { ok: true });
    } catch (error) {
      const { code, message } = error as ProxyError;
      return send(response, errorTable[code].http, { error: code, message });
    }
  }

  #fail(fault: GatewayFault, request: IncomingMessage, response: ServerResponse): void {
    switch (fault.kind) {
      case 'refuse':
        return send(response, errorTable[fault.code].http, { error: fault.code, message: 'told to refuse' });
      case 'reset':
        return void request.socket.destroy();
      case 'silence':
        return;
      case 'raw':
        if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter);
        return void response.writeHead(fault.status, { 'content-type': fault.type }).end(fault.body);
    }
  }

  #serveCa(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers['if-none-match'] === this.etag) return void response.writeHead(304).end();
    response.writeHead(200, { etag: this.etag, 'content-type': 'application/x-pem-file' }).end(this.caPem);
  }

  #enrol(request: IncomingMessage, body: string): object {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new ProxyError('token_malformed', 'no token');
    const { key, posture } = JSON.parse(body) as EnrolRequest;
    const jwk: webcrypto.JsonWebKey = { kty: key.kty, crv: key.crv, x: key.x };
    this.#checkProof(request, jwk, undefined);
    const earlier = [...this.sessions.values()].filter((session) => session.token === token);
    if (earlier.some(({ state }) => state === 'committed' || state === 'revoked')) {
      throw new ProxyError('token_reused', 'the token was used');
    }
    for (const session of earlier) if (session.state === 'enrolled') session.state = 'revoked';
    const session: FakeSession = {
      id: randomUUID(),
      token,
      jwk,
      posture,
      accessToken: randomUUID(),
      state: 'enrolled',
    };
    this.sessions.set(session.id, session);
    return this.#respond(session);
  }

  #respond(session: FakeSession): object {
    return {
      session_id: session.id,
      access_token: session.accessToken,
      token_type: 'DPoP',
      expires_in: this.#options.expiresIn ?? 900,
      placeholders: this.#options.placeholders ?? {},
      capture_ports: [5432],
      modes: this.#options.modes ?? ['raw', 'proxy'],
    };
  }

  #authenticate(request: IncomingMessage): FakeSession {
    const accessToken = /^DPoP (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const session = [...this.sessions.values()].find((candidate) => candidate.accessToken === accessToken);
    if (session === undefined) throw new ProxyError('session_unknown', 'no such session');
    if (session.state === 'revoked') throw new ProxyError('session_revoked', 'revoked');
    if (session.state === 'ended') throw new ProxyError('session_unknown', 'ended');
    this.#checkProof(request, session.jwk, accessToken);
    return session;
  }

  /** RFC 9449 §4.3, without the age. */
  #checkProof(request: IncomingMessage, jwk: webcrypto.JsonWebKey, accessToken: string | undefined): void {
    const refuse = (why: string): never => {
      throw new ProxyError('proof_invalid', why);
    };
    const [header = '', claims = '', signature = ''] = String(request.headers['dpop']).split('.');
    const { typ, alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
    const proof = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    if (typ !== 'dpop+jwt' || alg !== 'EdDSA') refuse('type');
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const input = Buffer.from(`${header}.${claims}`);
    if (!verify(null, input, key, Buffer.from(signature, 'base64url'))) refuse('signature');
    if (proof['htm'] !== request.method || proof['htu'] !== `${this.url}${request.url}`) refuse('target');
    const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url');
    if (proof['ath'] !== ath) refuse('ath');
    if (this.#proofs.has(String(proof['jti']))) refuse('replay');
    this.#proofs.add(String(proof['jti']));
  }

  #takesNonce(request: IncomingMessage): boolean {
    const [, claims = ''] = String(request.headers['dpop']).split('.');
    const { nonce } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { readonly nonce?: string };
    this.nonces.push(nonce);
    return this.acceptsNonce?.(nonce) ?? true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.requests.push('tunnel');
    this.#tunnelSockets.add(socket);
    socket.once('close', () => this.#tunnelSockets.delete(socket));
    const fault = this.faults.get('tunnel')?.shift();
    if (fault?.kind === 'reset') return void socket.destroy();
    if (fault?.kind === 'silence') return;
    try {
      if (fault?.kind === 'refuse') throw new ProxyError(fault.code, 'told to refuse');
      if (request.url !== tunnelPath) throw new ProxyError('request_malformed', 'path');
      this.#authenticate(request);
      if (!this.#takesNonce(request)) {
        const problem = { error: 'proof_invalid', message: 'with a nonce' };
        return refuseUpgrade(socket, 401, problem, [['DPoP-Nonce', this.nextNonce]]);
      }
      const webSocket = acceptWebSocket({
        request,
        socket,
        head,
        subprotocols: [tunnelSubprotocol, chunkSubprotocol],
        extraFields: () => (this.acceptsNonce === undefined ? [] : [['DPoP-Nonce', this.nextNonce]]),
        allowZeroMask: true,
        limits: this.#limits,
      });
      if (webSocket.subprotocol === chunkSubprotocol) {
        const connection = chunkStream(webSocket, this.#limits);
        if (this.onChunks === undefined) echoBehind200(connection);
        else this.onChunks(connection);
        return;
      }
      const link = new TunnelLink({
        webSocket,
        role: 'gateway',
        limits: this.#limits,
        onStream: (stream) => {
          stream.on('error', () => {});
          if (this.onStream === undefined) stream.pipe(stream);
          else this.onStream(stream);
        },
      });
      this.links.push(link);
    } catch (error) {
      const { code, message, httpStatus } = error as ProxyError;
      refuseUpgrade(socket, httpStatus, { error: code, message });
    }
  }
}

function kindOf(request: IncomingMessage): GatewayRequest | undefined {
  switch (`${request.method} ${request.url}`) {
    case `GET ${caCertPath}`:
      return 'ca';
    case `POST ${sessionPath}`:
      return request.headers.authorization?.startsWith('Bearer ') === true ? 'enrol' : 'renew';
    case `POST ${sessionCommitPath}`:
      return 'commit';
    case `DELETE ${sessionPath}`:
      return 'end';
    default:
      return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}

function echoBehind200(connection: Duplex): void {
  connection.once('data', () => {
    connection.write('HTTP/1.1 200 Connection established\r\n\r\n');
    connection.pipe(connection);
  });
}
