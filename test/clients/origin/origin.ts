// All origins of the matrix on one loopback address: TLS and plain HTTP by host name, raw TCP by port.

import { once } from 'node:events';
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

import { WebSocketServer } from 'ws';

import { temporaryDirectory } from '../../support/temporary-directory.ts';
import type { TestAuthority } from '../../support/test-authority.ts';
import { jsonApi } from './api.ts';
import { debianArchive } from './apt.ts';
import { sentryStatus, turboCache } from './build-services.ts';
import { cpanMirror } from './cpan.ts';
import { cranMirror } from './cran.ts';
import { crateRegistry } from './crates.ts';
import { electronDownloads, nodeDownloads } from './downloads.ts';
import { gemServer } from './gems.ts';
import { gitHost } from './git.ts';
import { goProxy } from './go-proxy.ts';
import { grpcService } from './grpc.ts';
import { hackageServer } from './hackage.ts';
import type { OriginResponse, OriginHandler } from './handler.ts';
import { keyServer } from './key-server.ts';
import { kubernetesApi } from './kubernetes.ts';
import { luarocksServer } from './luarocks.ts';
import { mavenRepository } from './maven.ts';
import { contextServer } from './mcp.ts';
import { npmRegistry } from './npm.ts';
import { imageRegistry } from './oci.ts';
import { darcsRepository, mercurialServer } from './old-version-control.ts';
import { opamRepository } from './opam.ts';
import { composerRepository } from './packagist.ts';
import { pacmanRepository } from './pacman.ts';
import { pythonIndex } from './pypi.ts';
import { rawServices } from './raw.ts';
import { rpmRepository } from './rpm.ts';
import { rustDistribution } from './rustup.ts';
import { objectStorage } from './s3.ts';
import { webSite } from './web.ts';

export interface ClientOrigins extends AsyncDisposable {
  readonly address: string;
  /** By service: `https`, `http` and the raw ones. */
  readonly ports: Readonly<Record<string, number>>;
}

type Hosts = Readonly<Record<string, OriginHandler>>;
type Incoming = IncomingMessage | Http2ServerRequest;
type Outgoing = ServerResponse | Http2ServerResponse;

async function makeHosts(directory: string): Promise<Hosts> {
  return {
    web: webSite,
    git: await gitHost(directory),
    npm: npmRegistry(),
    pypi: pythonIndex(),
    crates: crateRegistry(),
    go: goProxy(),
    maven: mavenRepository(),
    gems: gemServer(),
    packagist: composerRepository(),
    oci: imageRegistry(),
    apt: debianArchive(),
    s3: objectStorage(),
    kube: kubernetesApi(),
    api: jsonApi,
    grpc: grpcService,
    cran: cranMirror(),
    cpan: cpanMirror(),
    luarocks: luarocksServer(),
    hackage: hackageServer(),
    opam: opamRepository(),
    rpm: rpmRepository(),
    pacman: pacmanRepository(),
    hg: mercurialServer,
    darcs: darcsRepository(),
    turbo: turboCache(),
    sentry: sentryStatus,
    node: nodeDownloads(),
    electron: electronDownloads(),
    mcp: contextServer,
    keys: keyServer,
    rustup: rustDistribution(),
  };
}

/** Starts them all. The well-known ports are taken where that is allowed, else free ones. */
export async function startClientOrigins(authority: TestAuthority): Promise<ClientOrigins> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const hosts = await makeHosts(directory.path);
  const address = loopbackAddress();
  const secure = http2.createSecureServer(
    {
      allowHTTP1: true,
      ...authority.issue('up.test'),
      SNICallback: (name, done) => done(null, authority.context(name)),
    },
    (request, response) => void serve(hosts, 'https', request, response),
  );
  const plain = http.createServer((request, response) => void serve(hosts, 'http', request, response));
  const webSockets = new WebSocketServer({ noServer: true });
  webSockets.on('connection', (socket) => {
    socket.send('hello from web');
    socket.on('message', (data) => socket.send(`echo: ${String(data)}`));
    socket.on('error', () => socket.terminate());
  });
  for (const server of [secure, plain]) {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
      webSockets.handleUpgrade(request, socket, head, (opened) => webSockets.emit('connection', opened)),
    );
  }
  const ports: Record<string, number> = {};
  const services: Readonly<Record<string, readonly [Server, number]>> = {
    https: [secure, 443],
    http: [plain, 80],
    ...rawServices(),
  };
  for (const [name, [server, wanted]] of Object.entries(services)) {
    stack.defer(trackConnections(server));
    ports[name] = await listen(server, address, wanted);
  }
  const owned = stack.move();
  return { address, ports, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** An address that no other run has, so that several can have the well-known ports. */
function loopbackAddress(): string {
  // 127.0.0.x is left to others.
  return `127.77.${(process.pid >> 8) & 255}.${process.pid & 255}`;
}

async function listen(server: Server, address: string, wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    server.listen(port, address);
    try {
      await once(server, 'listening');
      // Listening on an address and a port, not on a path.
      return (server.address() as AddressInfo).port;
    } catch (error) {
      if (port === 0) throw error;
    }
  }
  throw new Error('unreachable');
}

/** Gives what ends the server with all that is connected to it. */
function trackConnections(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  return async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}

async function serve(hosts: Hosts, scheme: string, request: Incoming, response: Outgoing): Promise<void> {
  try {
    const authority = String(request.headers[':authority'] ?? request.headers.host ?? '');
    // `git.c7.up.test` is `git` as `git.up.test` is.
    const name = authority.split(/[.:]/)[0] ?? '';
    const [path = '/', query] = (request.url ?? '/').split('?');
    const handler = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
    const given = await handler?.({
      method: request.method ?? 'GET',
      path,
      query: new URLSearchParams(query),
      headers: request.headers,
      httpVersion: request.httpVersion,
      base: `${scheme}://${authority}`,
      body: await buffer(request),
    });
    send(request, response, given ?? { status: 404, body: `no such path on ${name}\n` });
  } catch {
    response.destroy();
  }
}

function send(request: Incoming, response: Outgoing, given: OriginResponse): void {
  const { status = 200, body = '', headers = {}, trailers } = given;
  const isJson = typeof body === 'object' && !(body instanceof Uint8Array);
  const bytes = isJson ? Buffer.from(JSON.stringify(body)) : Buffer.from(body as Uint8Array);
  response.statusCode = status;
  if (isJson) response.setHeader('content-type', 'application/json');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (trailers === undefined && !response.hasHeader('content-length'))
    response.setHeader('content-length', bytes.length);
  if (trailers !== undefined) response.addTrailers(trailers);
  // Both kinds of response have it with these arguments.
  (response as ServerResponse).end(request.method === 'HEAD' ? undefined : bytes);
}
