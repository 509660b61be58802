// The bucket of the cache, with what the configuration leaves out.

import { isIP } from 'node:net';
import { asList } from '../../policy/schema-parts.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import type { CredentialSourceConfig } from '../credentials/sources/source-config.ts';
import { sourceSettings } from '../credentials/sources/source-settings.ts';
import type { CacheBucketDocument } from './cache-bucket-schema.ts';

export interface CacheBucketSettings {
  readonly url: string;
  readonly name: string;
  readonly region: string;
  readonly prefix: string;
  readonly pathStyle: boolean;
  /** Paths of PEM files; empty: what the gateway's own services are verified against. */
  readonly ca: readonly string[];
  readonly accessKeyId: CredentialSourceConfig;
  /** Of the secret access key. */
  readonly source: CredentialSourceConfig;
  readonly sessionToken?: CredentialSourceConfig;
  readonly keepBytes: number;
}

const keepBytesDefault = 100 * 1024 ** 3;

export function cacheBucketSettings(
  document: CacheBucketDocument | undefined,
  absolute: (path: string) => string,
): { readonly bucket?: CacheBucketSettings } {
  if (document === undefined) return {};
  const { url, name, region, prefix, pathStyle, ca, accessKeyId, source, sessionToken, keepBytes } = document;
  return {
    bucket: {
      url,
      name,
      region: region ?? 'us-east-1',
      prefix: prefix ?? 'upstreamproxy',
      pathStyle: pathStyle ?? true,
      ca: asList(ca).map(absolute),
      accessKeyId: sourceSettings(accessKeyId, absolute),
      source: sourceSettings(source, absolute),
      ...(sessionToken === undefined ? {} : { sessionToken: sourceSettings(sessionToken, absolute) }),
      keepBytes: keepBytes ?? keepBytesDefault,
    },
  };
}

/** Where the bucket stands before the host, an address is none any more, and a name is not known to be this machine's. */
export function checkCacheBucket(
  document: CacheBucketDocument | undefined,
  report: (path: YamlPath, message: string) => void,
): void {
  if (document?.pathStyle !== false) return;
  const { protocol, hostname } = new URL(document.url);
  if (protocol !== 'https:' || isIP(hostname.replaceAll(/^\[|\]$/g, '')) !== 0)
    report(
      ['cache', 'bucket', 'pathStyle'],
      'the bucket can stand before a name alone, over https; leave it away',
    );
}
