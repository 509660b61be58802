// What the configuration says of the way out.

import { asList } from '../../policy/schema-parts.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { GatewayConfigDocument } from './config-schema.ts';

/** Another proxy that is the gateway's way out. */
export interface UpstreamProxySettings {
  readonly url: string;
  readonly credentials?: { readonly username: string; readonly source: PlainSourceConfig };
  /** Hosts that go without it. */
  readonly noProxy: readonly string[];
  /** PEM files for an https proxy; empty: what origins are verified against. */
  readonly ca: readonly string[];
}

/** A way out that rules name. */
export interface ExitSettings {
  readonly proxy?: UpstreamProxySettings;
  readonly pac?: {
    readonly file: string;
    readonly proxies: readonly UpstreamProxySettings[];
    readonly direct: boolean;
  };
  /** One of each family at most; empty: the system chooses, or the interface says. */
  readonly from: readonly string[];
  readonly interface?: string;
}

export interface UpstreamSettings {
  readonly systemTrust: boolean;
  readonly ca: readonly string[];
  /** Empty: those of the system. */
  readonly resolvers: readonly string[];
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  /** The way out through another proxy. */
  readonly proxy?: UpstreamProxySettings;
  readonly exits: Readonly<Record<string, ExitSettings>>;
  /** The one of all that name none; absent: `proxy`, or none. */
  readonly exit?: string;
}

/** Every proxy on the way out, with its place in the file. */
export function upstreamProxies({
  proxy,
  exits,
}: UpstreamSettings): readonly { readonly at: YamlPath; readonly proxy: UpstreamProxySettings }[] {
  const all = proxy === undefined ? [] : [{ at: ['upstream', 'proxy'] as YamlPath, proxy }];
  for (const [name, exit] of Object.entries(exits)) {
    const at = ['upstream', 'exits', name];
    if (exit.proxy !== undefined) all.push({ at: [...at, 'proxy'], proxy: exit.proxy });
    for (const [i, one] of (exit.pac?.proxies ?? []).entries())
      all.push({ at: [...at, 'pac', 'proxies', i], proxy: one });
  }
  return all;
}

/** With what is not written in the file. */
export function upstreamSettings(
  { upstream = {} }: GatewayConfigDocument,
  absolute: (path: string) => string,
): UpstreamSettings {
  return {
    systemTrust: upstream.systemTrust ?? true,
    ca: asList(upstream.ca).map(absolute),
    resolvers: asList(upstream.resolvers),
    ...(upstream.proxy === undefined ? {} : { proxy: proxySettings(upstream.proxy, absolute) }),
    exits: Object.fromEntries(
      Object.entries(upstream.exits ?? {}).map(([name, exit]) => [name, exitSettings(exit, absolute)]),
    ),
    ...(upstream.exit === undefined ? {} : { exit: upstream.exit }),
    hosts: Object.fromEntries(
      Object.entries(upstream.hosts ?? {}).map(([host, list]) => [host, asList(list)]),
    ),
  };
}

type UpstreamDocument = NonNullable<GatewayConfigDocument['upstream']>;

function exitSettings(
  { proxy, pac, from, interface: name }: NonNullable<UpstreamDocument['exits']>[string],
  absolute: (path: string) => string,
): ExitSettings {
  return {
    ...(proxy === undefined ? {} : { proxy: proxySettings(proxy, absolute) }),
    ...(pac === undefined
      ? {}
      : {
          pac: {
            file: absolute(pac.file),
            proxies: (pac.proxies ?? []).map((one) => proxySettings(one, absolute)),
            direct: pac.direct ?? false,
          },
        }),
    from: asList(from),
    ...(name === undefined ? {} : { interface: name }),
  };
}

function proxySettings(
  { url, username, source, noProxy, ca }: NonNullable<UpstreamDocument['proxy']>,
  absolute: (path: string) => string,
): UpstreamProxySettings {
  return {
    url,
    noProxy: asList(noProxy).map((host) => host.toLowerCase()),
    ca: asList(ca).map(absolute),
    ...(username === undefined || source === undefined
      ? {}
      : { credentials: { username, source: plainSourceSettings(source, absolute) } }),
  };
}
