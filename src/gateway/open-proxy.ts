// The listener for clients without an agent: who may come in, and by what the tokens are known.

import type { Server } from 'node:net';
import type { Limits } from '../protocol/limits.ts';
import { EnrolmentFailures } from './admission/enrolment-failures.ts';
import { networkList } from './admission/networks.ts';
import { PublicConnections } from './admission/public-connections.ts';
import { observedSink } from './audit/alarms.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { SessionAudit } from './audit/session-audit.ts';
import type { Start } from './gateway-start.ts';
import { ProxyDesk } from './proxy/proxy-desk.ts';
import type { ProxyScene } from './proxy/proxy-connection.ts';
import { ProxyListener } from './proxy/proxy-listener.ts';
import { listenForProxy, openFailures, openProxyStrangers } from './public-listener.ts';
import { ProxySessions } from './sessions/proxy-sessions.ts';
import type { SessionService } from './sessions/session-service.ts';
import type { SigningKey } from './sessions/signing-key.ts';
import type { Store } from '../store/store.ts';
import { handleStream } from './tunnels/stream-handler.ts';
import type { StreamPlaces } from './tunnels/stream-places.ts';
import type { StreamParts } from './tunnels/stream-scene.ts';
import type { WorkerPlace } from './workers/worker-place.ts';
import { WorkerStreams } from './workers/worker-streams.ts';

export interface ProxyNeeds extends Pick<
  Start,
  'config' | 'stack' | 'clock' | 'log' | 'onLimit' | 'onSessionEvent'
> {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly sessions: SessionService;
  readonly signingKey: SigningKey;
  readonly parts: StreamParts;
  /** Of a worker. */
  readonly place: WorkerPlace | undefined;
}

/** Undefined where the configuration has none. @throws ProxyError gateway_port_unusable */
export async function openProxy(
  needs: ProxyNeeds,
  identity: { readonly certificatePem: string; readonly keyPem: string },
): Promise<ProxyListener | undefined> {
  const { config, stack, clock, log, onLimit, sessions, parts, place } = needs;
  const { limits, tokens, proxy } = config;
  if (proxy === undefined) return undefined;
  const records = new SessionAudit(
    observedSink(needs.audit, needs.onSessionEvent),
    Math.ceil(limits.strangerRefusalsPerMinuteMax / (place?.workers ?? 1)),
  );
  const known = { issuer: tokens.issuer, audience: tokens.audience, limits, clock, audit: records };
  const count = place?.seat.failuresAt('proxy') ?? openFailures(config, clock);
  const desk = stack.use(
    new ProxyDesk({
      tokens: new ProxySessions({ ...needs, ...known }),
      sessions,
      records,
      failures: new EnrolmentFailures(count, limits.enrolFailureDelayMs),
      limits,
      clock,
      onLimit,
    }),
  );
  const places = placesOf(place, limits);
  const serve: ProxyScene['serve'] = async (port, { principal, digest }) => {
    if ((await places?.passOn({ principal, digest, port })) !== true)
      await handleStream(port, principal, parts);
  };
  const at = places ?? { listen: (server: Server) => listenForProxy(server, proxy, limits) };
  const connections = await openConnections(needs);
  const listener = stack.use(
    await ProxyListener.open({ at, ...identity, connections, desk, parts, onLimit, serve }),
  );
  places?.onPassed((stream) => listener.takePassed(stream));
  parts.loops?.keepForOperators(proxy.address, listener.port);
  if (place === undefined)
    log('info', `clients without an agent are served on ${proxy.address}:${listener.port}`);
  return listener;
}

function placesOf(place: WorkerPlace | undefined, limits: Limits): StreamPlaces | undefined {
  // The supervisor listens wherever the configuration has this listener.
  if (place?.proxyPort === undefined) return undefined;
  return new WorkerStreams(place, { port: place.proxyPort, limits });
}

async function openConnections({ config, onLimit, place }: ProxyNeeds): Promise<PublicConnections> {
  const { limits, trustedProxies, proxy } = config;
  return new PublicConnections({
    limits,
    strangers: place?.seat.strangers ?? (await openProxyStrangers(config)),
    isTrustedProxy: networkList(trustedProxies) ?? (() => false),
    requiresProxyProtocol: proxy?.proxyProtocol === 'required',
    onLimit: (limit) =>
      onLimit(
        limit === 'strangersMax'
          ? 'proxyStrangersMax'
          : limit === 'strangersPerSourceMax'
            ? 'proxyStrangersPerSourceMax'
            : limit,
      ),
  });
}
