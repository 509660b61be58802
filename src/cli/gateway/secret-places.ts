// Where a configuration says that secrets are: one list for all that has to do with them, so that no place can be forgotten in one of them.

import { upstreamProxies } from '../../gateway/config/upstream-settings.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';

export interface SecretPlace {
  /** What the secret is called in messages. */
  readonly name: string;
  readonly at: YamlPath;
  /** A source, or what has sources in it. */
  readonly part: unknown;
}

/** All but the identity of the gateway and the key of kept bodies, which have forms of their own. */
export function secretPlaces(config: GatewayConfig): readonly SecretPlace[] {
  const {
    credentials,
    deciders,
    upstream,
    storeAccess,
    admin,
    notices = [],
    callbacks,
    cache,
    certificateAuthority,
  } = config;
  return [
    ...Object.entries(credentials).map(([name, part]) => ({ name, at: ['credentials', name], part })),
    ...Object.entries(deciders).map(([name, { source }]) => ({
      name: `of the decider ${name}`,
      at: ['deciders', name, 'source'],
      part: source,
    })),
    ...Object.entries(deciders).flatMap(([name, { clientCertificate = {} }]) =>
      Object.entries(clientCertificate).map(([key, part]) => ({
        name: `of the client certificate of the decider ${name} (${key})`,
        at: ['deciders', name, 'clientCertificate', key],
        part,
      })),
    ),
    ...(['accessKeyId', 'source', 'sessionToken'] as const).map((key) => ({
      name: `of cache.bucket (${key})`,
      at: ['cache', 'bucket', key],
      part: cache?.bucket?.[key],
    })),
    ...upstreamProxies(upstream).map(({ at, proxy }) => ({
      name: at.join('.'),
      at: [...at, 'source'],
      part: proxy.credentials?.source,
    })),
    {
      name: 'certificateAuthority.passphrase',
      at: ['certificateAuthority', 'passphrase'],
      part: certificateAuthority.passphrase,
    },
    ...parentPlaces(config),
    { name: 'of the store', at: ['store', 'source'], part: storeAccess?.source },
    { name: 'of admin.oidc', at: ['admin', 'oidc', 'clientSecret'], part: admin?.oidc?.clientSecret },
    ...telemetryPlaces(config),
    ...notices.flatMap(({ name, url, secret }) => [
      {
        name: `of the URL of notices ${name}`,
        at: ['notices', name, 'urlFrom'],
        // A URL that stands in the file is none.
        part: typeof url === 'string' ? undefined : url,
      },
      { name: `of notices ${name}`, at: ['notices', name, 'secret'], part: secret },
    ]),
    ...[...(callbacks?.senders ?? [])].map(([name, { secret }]) => ({
      name: `of callbacks ${name}`,
      at: ['callbacks', 'senders', name, 'secret'],
      part: secret,
    })),
  ];
}

/** Those of the authority that signs: of each kind, its sources. */
function parentPlaces({ certificateAuthority: { signedBy } }: GatewayConfig): readonly SecretPlace[] {
  if (signedBy === undefined) return [];
  const { kind, ...parts } = signedBy.parent;
  return Object.entries(parts).map(([key, part]: readonly [string, unknown]) => ({
    name: `of certificateAuthority.signedBy (${key})`,
    // What reaches a vault stands beside what is asked of it.
    at: ['certificateAuthority', 'signedBy', kind, ...(key === 'server' ? [] : [key])],
    part: typeof part === 'object' ? part : undefined,
  }));
}

function telemetryPlaces({ telemetry }: GatewayConfig): readonly SecretPlace[] {
  const headers = Object.entries(telemetry?.otlp?.headers ?? {}).map(([name, part]) => ({
    name: `of the header ${name}`,
    at: ['telemetry', 'otlp', 'headers', name],
    part,
  }));
  const certificates = (['otlp', 'syslog'] as const).flatMap((receiver) =>
    Object.entries(telemetry?.[receiver]?.clientCertificate ?? {}).map(([key, part]) => ({
      name: `of the client certificate (${key})`,
      at: ['telemetry', receiver, 'clientCertificate', key],
      part,
    })),
  );
  return [...headers, ...certificates];
}

/** Planted, and no secret of the gateway: a workload may meet them. */
export function canaryPlaces({ canaries }: GatewayConfig): readonly SecretPlace[] {
  return Object.entries(canaries).map(([name, part]) => ({
    name: `of the canary ${name}`,
    at: ['canaries', name, 'source'],
    part,
  }));
}
