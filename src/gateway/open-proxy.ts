// The listener for clients without an agent: who may come in, and by what the tokens are known.

import { readFile } from 'node:fs/promises';
import { descriptorShare } from './admission/descriptor-share.ts';
import { EnrolmentFailures } from './admission/enrolment-failures.ts';
import { networkList } from './admission/networks.ts';
import { countStrangers, PublicConnections } from './admission/public-connections.ts';
import { observedSink } from './audit/alarms.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { SessionAudit } from './audit/session-audit.ts';
import type { Start } from './gateway-start.ts';
import { ProxyDesk } from './proxy/proxy-desk.ts';
import { ProxyListener } from './proxy/proxy-listener.ts';
import { openFailures } from './public-listener.ts';
import { ProxySessions } from './sessions/proxy-sessions.ts';
import type { SessionService } from './sessions/session-service.ts';
import type { SigningKey } from './sessions/signing-key.ts';
import type { Store } from '../store/store.ts';
import type { StreamParts } from './tunnels/stream-scene.ts';

export interface ProxyNeeds extends Pick<
  Start,
  'config' | 'stack' | 'clock' | 'log' | 'onLimit' | 'onSessionEvent'
> {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly sessions: SessionService;
  readonly signingKey: SigningKey;
  readonly parts: StreamParts;
}

/** Undefined where the configuration has none. @throws ProxyError gateway_port_unusable */
export async function openProxy(
  needs: ProxyNeeds,
  identity: { readonly certificatePem: string; readonly keyPem: string },
): Promise<ProxyListener | undefined> {
  const { config, stack, clock, log, onLimit, sessions, parts } = needs;
  if (config.proxy === undefined) return undefined;
  const { limits, tokens } = config;
  const records = new SessionAudit(
    observedSink(needs.audit, needs.onSessionEvent),
    limits.strangerRefusalsPerMinuteMax,
  );
  const known = { issuer: tokens.issuer, audience: tokens.audience, limits, clock, audit: records };
  const desk = stack.use(
    new ProxyDesk({
      tokens: new ProxySessions({ ...needs, ...known }),
      sessions,
      records,
      failures: new EnrolmentFailures(openFailures(config, clock), limits.enrolFailureDelayMs),
      limits,
      clock,
      onLimit,
    }),
  );
  const connections = await openConnections(needs);
  const listener = stack.use(
    await ProxyListener.open({ listen: config.proxy, ...identity, connections, desk, parts, onLimit }),
  );
  parts.loops?.keepForOperators(config.proxy.address, listener.port);
  log('info', `clients without an agent are served on ${config.proxy.address}:${listener.port}`);
  return listener;
}

async function openConnections({ config, onLimit }: ProxyNeeds): Promise<PublicConnections> {
  const { limits, trustedProxies, proxy } = config;
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const { proxyStrangersMax: strangersMax, proxyStrangersPerSourceMax: strangersPerSourceMax } = limits;
  return new PublicConnections({
    limits,
    strangers: countStrangers({ strangersMax, strangersPerSourceMax }, descriptorShare(text)),
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
