// The admin API on a listener of its own: who asks, what for, and the response.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type AdminOperation, isStreaming } from '../../api/admin/routes.ts';
import type { AdminRole } from '../../api/admin/roles.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type LimitName } from '../../protocol/limits.ts';
import { http } from '../../system/http-module.ts';
import { closeServer, socketsOf } from '../../net/close-server.ts';
import { faultProblem, problemResponse } from '../../net/problem-response.ts';
import { isAddressAbsent } from '../../system/absent-address.ts';
import { type AdminListen, adminPlaces } from '../config/admin-settings.ts';
import { newTraceId } from '../audit/event-identity.ts';
import { type AdminParts, type Asked, given } from './admin-parts.ts';
import { isOwnHost, isOwnOrigin, openAdminPort } from './admin-port.ts';
import { readBody, readQuery, type Routed, routeOf } from './admin-request.ts';
import { listenOnSocket } from './admin-socket.ts';
import { type ConsoleAssets, loadConsole } from './console-assets.ts';
import { etagMatches, etagOf } from './etag.ts';
import { Idempotency, type Sent } from './idempotency.ts';
import { bearerToken, type Operator, operatorOfToken, requireRole, requireStillKnown } from './operator.ts';
import { runOperation } from './operations.ts';
import { knownPeerUid } from './peer-identity.ts';
import { secretEndsOf } from './secret-responses.ts';
import { streamOperation } from './stream-operation.ts';

export interface AdminServerOptions {
  readonly parts: AdminParts;
  readonly socket: string | undefined;
  /** A TCP port beside it. */
  readonly listen?: AdminListen | undefined;
  /** Of a socket that listens at that port already. */
  readonly descriptor?: number | undefined;
  /** Where the files of the console are, if not beside the program. */
  readonly consoleFolder?: string;
  /** What users of this machine may do by their user id; others need a token. */
  readonly socketRoles: ReadonlyMap<number, AdminRole>;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly onLimit: (limit: LimitName) => void;
  /** Told of who is not known, bounded. */
  readonly onStranger: (error: ProxyError, traceId: string) => void;
}

/** Listens at once. Gives the TCP port, where there is one. @throws ProxyError gateway_port_unusable */
export async function listenAdmin(
  options: AdminServerOptions,
): Promise<AsyncDisposable & { readonly port: number | undefined }> {
  await using stack = new AsyncDisposableStack();
  const api = new AdminApi(options);
  if (options.socket !== undefined) {
    const socketServer = http.createServer(httpOptions);
    const close = serveOn(socketServer, options, (request, response) =>
      api.serve(request, response, undefined),
    );
    await listenOnSocket(socketServer, options.socket);
    stack.defer(close);
  }
  const port =
    options.listen === undefined ? undefined : await openPort(options.listen, { options, api, stack });
  stack.defer(() => {
    api.close();
  });
  const owned = stack.move();
  return { port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const httpOptions = {
  maxHeaderSize: defaultLimits.adminHeadBytesMax,
  requestTimeout: defaultLimits.adminRequestTimeoutMs,
  headersTimeout: defaultLimits.adminRequestTimeoutMs,
  insecureHTTPParser: false,
} as const;

async function openPort(
  listen: AdminListen,
  { options, api, stack }: { options: AdminServerOptions; api: AdminApi; stack: AsyncDisposableStack },
): Promise<number> {
  const assets = await loadConsole(options.consoleFolder);
  const open = async (place: AdminListen, descriptor?: number): Promise<number> => {
    const needs = { listen: place, options: httpOptions, log: options.log, descriptor };
    const { server, port, following } = await openAdminPort(needs);
    stack.defer(
      serveOn(server, options, (request, response) => api.serve(request, response, { listen, port, assets })),
    );
    if (following !== undefined) stack.use(following);
    return port;
  };
  const port = await open(listen, options.descriptor);
  for (const { address } of adminPlaces(listen).slice(1))
    try {
      await open({ ...listen, address, port });
    } catch (error) {
      if (!(error instanceof Error && isAddressAbsent(error.cause))) throw error;
    }
  return port;
}

function serveOn(
  server: Server,
  { onLimit }: AdminServerOptions,
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): () => Promise<void> {
  const sockets = socketsOf(server);
  server.maxConnections = defaultLimits.adminConnectionsMax;
  server.on('drop', () => {
    onLimit('adminConnectionsMax');
  });
  server.on('request', (request, response) => {
    void serve(request, response);
  });
  return () => closeServer(server, sockets);
}

/** Where a request came in, if not at the socket. */
interface TcpPlace {
  readonly listen: AdminListen;
  readonly port: number;
  readonly assets: ConsoleAssets;
}

class AdminApi {
  readonly #options: AdminServerOptions;
  readonly #idempotency = new Idempotency();
  readonly #uids = new WeakMap<Socket, number | 'unknown'>();
  readonly #closing = new AbortController();

  constructor(options: AdminServerOptions) {
    this.#options = options;
  }

  /** What follows ends. */
  close(): void {
    this.#closing.abort();
  }

  /** Never throws. */
  async serve(request: IncomingMessage, response: ServerResponse, at: TcpPlace | undefined): Promise<void> {
    const traceId = newTraceId();
    try {
      if (at !== undefined && !isOwnHost(request.headers.host, at.listen, at.port))
        throw new ProxyError(
          'authority_mismatch',
          'the admin API is not known by the name that the request has as its host; name it in admin.listen.names',
        );
      if (at?.assets.serve(request, response) === true) return;
      const { logIn } = this.#options.parts;
      if (at !== undefined && (await logIn?.serve(request, response, { port: at.port, traceId })) === true)
        return;
      // The only page that has business here is the console, and it comes from this port.
      if (!isOwnOrigin(request.headers, at?.listen))
        throw new ProxyError('operator_refused', 'pages of other origins may not ask the admin API');
      const routed = routeOf(request.method ?? '', request.url ?? '');
      const operator = routed.route.isOpen === true ? nobody : await this.#operatorOf(request, at);
      requireRole(operator, routed.route.role);
      if (routed.route.ofAll === true && operator.sees !== undefined)
        throw new ProxyError(
          'operator_refused',
          `${operator.name} sees only some sessions, and this is about all`,
        );
      await this.#respond(request, response, { operator, routed, at });
    } catch (error) {
      this.#endCookie(request, response, { at, error });
      this.#refuse(response, asProxyError(error), traceId);
    }
  }

  async #operatorOf(request: IncomingMessage, at: TcpPlace | undefined): Promise<Operator> {
    const { parts, socketRoles } = this.#options;
    const { authorization } = request.headers;
    const { logIn } = parts;
    if (authorization !== undefined) {
      const operator = await operatorOfToken(parts.operators, bearerToken(authorization), parts.clock());
      await logIn?.noteToken(operator);
      return operator;
    }
    if (at !== undefined) {
      const operator = await logIn?.operatorOf(request, at.port, parts.clock());
      if (operator !== undefined) return operator;
      throw new ProxyError('operator_unknown', 'send a token as "Authorization: Bearer …"');
    }
    const uid = this.#uidOf(request.socket);
    const role = uid === undefined ? undefined : socketRoles.get(uid);
    if (uid === undefined || role === undefined) {
      const who = uid === undefined ? 'the user at this socket' : `the user with the id ${uid}`;
      throw new ProxyError(
        'operator_unknown',
        `${who} has no role in admin.socketRoles; send a token as "Authorization: Bearer …"`,
      );
    }
    return { name: `uid ${uid} at the socket`, role, by: 'socket' };
  }

  /** Asked of the kernel once a connection. */
  #uidOf(socket: Socket): number | undefined {
    const known = this.#uids.get(socket) ?? knownPeerUid(socket) ?? 'unknown';
    this.#uids.set(socket, known);
    return known === 'unknown' ? undefined : known;
  }

  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    {
      operator,
      routed,
      at,
    }: { readonly operator: Operator; readonly routed: Routed; readonly at: TcpPlace | undefined },
  ): Promise<void> {
    const { parts } = this.#options;
    const { operation, route, id, search } = routed;
    const nowMs = parts.clock();
    const query = readQuery(search, route.query);
    const bytesMax = route.isOpen === true ? 'linkBodyBytesMax' : 'adminBodyBytesMax';
    const body = await readBody(request, route.body, bytesMax);
    // A body may take its time to come.
    if (route.method !== 'GET' && route.asks !== true)
      await requireStillKnown(parts.operators, operator, parts.clock());
    const ifMatch = request.headers['if-match'];
    // Read by the schemas of this operation.
    using gone = untilGone(request.socket);
    const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
    const { host } = request.headers;
    const asked = {
      operator,
      id,
      query,
      body,
      nowMs,
      ifMatch,
      signal,
      host,
    } as unknown as Asked<AdminOperation>;
    if (isStreaming(operation)) {
      await streamOperation(operation, parts, asked, { response, log: this.#options.log });
      return;
    }
    const act = async (): Promise<Sent> => {
      const value = await runOperation(operation, parts, asked);
      const json = typeof value === 'string' ? value : JSON.stringify(value);
      const secretEndsMs = secretEndsOf(operation, value);
      return { status: route.status ?? 200, json, ...given('secretEndsMs', secretEndsMs) };
    };
    const key = request.headers['idempotency-key'];
    const sent =
      typeof key !== 'string' || route.method === 'GET' || route.asks === true || route.isOpen === true
        ? await act()
        : await this.#idempotency.once(
            { who: operator.name, key: keyOf(key), content: JSON.stringify([operation, id, body, ifMatch]) },
            nowMs,
            act,
          );
    if (operation === 'logOut' && at !== undefined && operator.by === 'oidc')
      response.setHeader('set-cookie', parts.logIn?.endedCookie(at.port) ?? []);
    send(request, response, { ...sent, isText: route.form === 'text' });
  }

  /** A browser forgets a session that is known no longer. */
  #endCookie(
    { headers }: IncomingMessage,
    response: ServerResponse,
    { at, error }: { readonly at: TcpPlace | undefined; readonly error: unknown },
  ): void {
    const { logIn } = this.#options.parts;
    if (
      at === undefined ||
      logIn === undefined ||
      headers.authorization !== undefined ||
      response.headersSent
    )
      return;
    if (headers.cookie === undefined || !(error instanceof ProxyError) || error.code !== 'operator_unknown')
      return;
    response.setHeader('set-cookie', logIn.endedCookie(at.port));
  }

  #refuse(response: ServerResponse, error: ProxyError, traceId: string): void {
    const { log, onLimit, onStranger } = this.#options;
    if (error.limit !== undefined) onLimit(error.limit);
    if (error.code === 'operator_unknown') onStranger(error, traceId);
    if (error.httpStatus >= 500) log('error', `admin API: ${error.message} (trace ${traceId})`);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error.code === 'operator_unknown') response.setHeader('www-authenticate', 'Bearer');
    if (error.retryAfterSeconds !== undefined) response.setHeader('retry-after', error.retryAfterSeconds);
    // What is left of a body that was not read is nobody's.
    problemResponse(response, faultProblem(error, traceId), { ...commonFields, connection: 'close' });
  }
}

/** Aborted when the connection ends. A connection serves many requests, so none may leave a listener at it. */
function untilGone(socket: Socket): Disposable & { readonly signal: AbortSignal } {
  const gone = new AbortController();
  const end = (): void => {
    gone.abort();
  };
  socket.once('close', end);
  return { signal: gone.signal, [Symbol.dispose]: () => socket.off('close', end) };
}

/** Who is not known yet. */
const nobody: Operator = { name: 'nobody', role: 'viewer', by: 'link' };

const commonFields = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;
const keyCharactersMax = 200;

function keyOf(key: string): string {
  if (key.length > 0 && key.length <= keyCharactersMax) return key;
  throw new ProxyError('usage', `an Idempotency-Key has 1 to ${keyCharactersMax} characters`);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, json, isText }: Sent & { readonly isText: boolean },
): void {
  const etag = etagOf(json);
  const fields = { ...commonFields, etag };
  const ifNoneMatch = request.headers['if-none-match'];
  if (request.method === 'GET' && ifNoneMatch !== undefined && etagMatches(ifNoneMatch, etag)) {
    response.writeHead(304, fields).end();
    return;
  }
  response
    .writeHead(status, {
      ...fields,
      'content-type': isText ? 'text/plain; version=0.0.4; charset=utf-8' : 'application/json',
      'content-length': Buffer.byteLength(json),
    })
    .end(json);
}
