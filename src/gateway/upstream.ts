// The gateway's way out: name servers, fixed names, another proxy in between; for requests of workloads and for its own.

import { createDialer } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';
import { createResolver } from '../net/resolver.ts';
import type { GatewayConfig } from './config/config.ts';
import { openExits } from './open-exits.ts';
import type { UpstreamFiles } from './open-exits.ts';
import { openServiceFetch } from './forward/service-fetch.ts';
import type { OpenServiceFetch, ServiceDialers, ServiceOctetFetch } from './forward/service-fetch.ts';
import type { LoopGuard } from './forward/loop-guard.ts';

export interface UpstreamInput {
  readonly config: GatewayConfig;
  readonly clock: () => number;
  /** PEM certificates that origins and issuers are verified against. */
  readonly trust: readonly string[];
  /** What the files say that the proxies and scripts on the way out name. */
  readonly files: UpstreamFiles;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stack: AsyncDisposableStack;
  readonly loops: LoopGuard;
}

export interface Upstream {
  /** For what workloads ask for. */
  readonly dialer: Dialer;
  /** For what the gateway itself asks of issuers and keepers of secrets. */
  readonly fetch: ServiceOctetFetch;
  /** For what it asks a server of a workload, as that could: which addresses are open, a rule says. Who needs it prepares it. */
  readonly guarded: OpenServiceFetch;
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
  const through = openExits({ ...input, resolver });
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
  const dialer = createDialer({ ...common, ...through, isNever });
  return {
    dialer,
    guarded: stack.use(openServiceFetch({ dialer, loopback: dialer }, { isUsed: false })),
    fetch: stack.use(services).fetch,
    serviceDialer,
    dialersBy: (alone) => ({
      dialer: alone === undefined ? serviceDialer : createDialer({ ...own, ...through, trust: alone }),
      loopback,
    }),
  };
}
