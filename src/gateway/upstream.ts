// The gateway's way out: name servers, fixed names, another proxy in between; for requests of workloads and for its own.

import { createDialer } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';
import { ProxyChain } from '../net/proxy-chain.ts';
import { createResolver } from '../net/resolver.ts';
import { Secret } from '../protocol/secret.ts';
import type { GatewayConfig } from './config/config.ts';
import { openCredentialSource } from './credentials/sources/credential-source.ts';
import { openServiceFetch } from './forward/service-fetch.ts';
import type { ServiceDialers, ServiceOctetFetch } from './forward/service-fetch.ts';
import type { LoopGuard } from './forward/loop-guard.ts';

export interface UpstreamInput {
  readonly config: GatewayConfig;
  readonly clock: () => number;
  /** PEM certificates that origins and issuers are verified against. */
  readonly trust: readonly string[];
  /** PEM texts for an https `upstream.proxy`. */
  readonly proxyCa: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stack: AsyncDisposableStack;
  readonly loops: LoopGuard;
}

export interface Upstream {
  /** For what workloads ask for. */
  readonly dialer: Dialer;
  /** For what the gateway itself asks of issuers and keepers of secrets. */
  readonly fetch: ServiceOctetFetch;
  /** For what it tells services that the operator names, over TLS. */
  readonly serviceDialer: Dialer;
  /** The same for services that are verified by these certificates alone; of what is in the clear none leaves this machine. */
  readonly dialersBy: (trust: readonly string[] | undefined) => ServiceDialers;
}

export function openUpstream(input: UpstreamInput): Upstream {
  const { config, trust, stack } = input;
  const { limits, upstream } = config;
  const resolver = stack.use(
    createResolver({
      limits,
      hosts: upstream.hosts,
      ...(upstream.resolvers.length === 0 ? {} : { servers: upstream.resolvers }),
    }),
  );
  const chain = openChain(input);
  const through = chain === undefined ? {} : { chain };
  const isNever = (address: string, port: number): boolean => input.loops.isForOperators(address, port);
  const common = { resolver, trust, limits };
  // The operator wrote these URLs, so a service on this machine may be meant.
  const own = { ...common, reachesThisMachine: true };
  const serviceDialer = createDialer({ ...own, ...through });
  const loopback = createDialer(own);
  const services = openServiceFetch(
    { dialer: serviceDialer, loopback },
    {
      isUsed:
        Object.keys(config.credentials).length + config.issuers.length > 0 ||
        config.cache?.bucket !== undefined ||
        config.telemetry?.otlp !== undefined ||
        config.notices !== undefined ||
        config.admin?.oidc !== undefined ||
        (config.identity.kind === 'store' && 'vault' in config.identity.keyEncryptionKey) ||
        'vault' in (config.certificateAuthority.passphrase ?? {}),
    },
  );
  return {
    dialer: createDialer({ ...common, ...through, isNever }),
    fetch: stack.use(services).fetch,
    serviceDialer,
    dialersBy: (alone) => ({
      dialer: alone === undefined ? serviceDialer : createDialer({ ...own, ...through, trust: alone }),
      loopback,
    }),
  };
}

/** The way out through another proxy, if the configuration names one. */
function openChain({
  config,
  environment,
  clock,
  trust,
  proxyCa,
  loops,
}: UpstreamInput): ProxyChain | undefined {
  const { proxy } = config.upstream;
  if (proxy === undefined) return undefined;
  const { protocol, hostname, port } = new URL(proxy.url);
  const isTls = protocol === 'https:';
  const { credentials } = proxy;
  const source =
    credentials === undefined
      ? undefined
      : openCredentialSource('upstream.proxy', credentials.source, environment);
  return new ProxyChain({
    proxy: { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isTls ? 443 : 80)) },
    noProxy: proxy.noProxy,
    limits: config.limits,
    via: (incoming) => loops.next(incoming),
    ...(isTls ? { tls: { ca: proxyCa.length === 0 ? trust : proxyCa } } : {}),
    ...(source === undefined || credentials === undefined
      ? {}
      : {
          credentials: async () => {
            const secret = await source.read(clock());
            return new Secret(`${credentials.username}:${secret.reveal()}`);
          },
        }),
  });
}
