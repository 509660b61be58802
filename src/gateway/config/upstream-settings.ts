// What the configuration says of the way out.

import { asList } from '../../policy/schema-parts.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { GatewayConfigDocument } from './config-schema.ts';

/** Another proxy that is the gateway's way out. */
interface UpstreamProxySettings {
  readonly url: string;
  readonly credentials?: { readonly username: string; readonly source: PlainSourceConfig };
  readonly noProxy: readonly string[];
  /** PEM files for an https proxy; empty: what origins are verified against. */
  readonly ca: readonly string[];
}

export interface UpstreamSettings {
  readonly systemTrust: boolean;
  readonly ca: readonly string[];
  /** Empty: those of the system. */
  readonly resolvers: readonly string[];
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  /** The way out through another proxy. */
  readonly proxy?: UpstreamProxySettings;
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
    hosts: Object.fromEntries(
      Object.entries(upstream.hosts ?? {}).map(([host, list]) => [host, asList(list)]),
    ),
  };
}

function proxySettings(
  {
    url,
    username,
    source,
    noProxy,
    ca,
  }: NonNullable<NonNullable<GatewayConfigDocument['upstream']>['proxy']>,
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
