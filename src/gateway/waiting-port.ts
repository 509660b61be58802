// The public port of a gateway that starts while its store is away: it lives, is not ready, and serves nobody.

import type { ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { closeServer, socketsOf } from '../net/close-server.ts';
import { problemResponse } from '../net/problem-response.ts';
import { refuseUpgrade } from '../net/websocket-handshake.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { sessionProblem } from '../protocol/session-messages.ts';
import { followServerAuthority, openIdentity } from './gateway-identity.ts';
import type { Start } from './gateway-start.ts';
import type { IdentityPlaces } from './identity/identity-places.ts';
import { listen } from './public-listener.ts';
import { openAdmission } from './public-port.ts';
import { createPublicServer } from './public-server.ts';

/**
 * Undefined where somebody else has the port: a supervisor, or a service manager. Throws what the identity of the port does, and
 * gateway_port_unusable.
 */
export async function openWaitingPort(
  start: Start,
  places: IdentityPlaces,
): Promise<AsyncDisposable | undefined> {
  const { config, clock, log, onLimit, place, sockets: given } = start;
  if (place !== undefined || given.gateway !== undefined) return undefined;
  await using authority = await followServerAuthority(config, places, { clock, log });
  const { identity } = await openIdentity(config, { authority, port: places.port }, clock());
  const interception = await places.interception.read(clock());
  const server = createPublicServer({
    ...identity,
    limits: config.limits,
    caCertificates: () => ({ pem: interception.certificatesPem, etag: interception.etag }),
    isReady: () => false,
    unready: 'waiting for the store, or for another gateway',
    handleSession: async (_request, response) => refuse(response),
    handleUpgrade: async (_request, socket) =>
      refuseUpgrade(socket, 503, problem(), [['Retry-After', retryAfter]]),
  });
  const { connections } = await openAdmission(config, { clock, onLimit, place });
  connections.guard(server);
  const sockets = socketsOf(server);
  await listen(server, config);
  return closing(server, sockets);
}

function closing(server: Server, sockets: ReadonlySet<Socket>): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => closeServer(server, sockets) };
}

const retryAfter = String(defaultLimits.storeRetryAfterSeconds);

function problem(): ReturnType<typeof sessionProblem> {
  const { code, message } = new ProxyError(
    'store_unavailable',
    'The gateway waits for its store; try again later.',
  );
  return sessionProblem(code, message);
}

function refuse(response: ServerResponse): void {
  problemResponse(response, problem(), {
    'cache-control': 'no-store',
    'retry-after': retryAfter,
    // Its body was not read.
    connection: 'close',
  });
}
