// The bucket of the cache, as the configuration says: how it is reached, and with which keys it is asked.

import { checkCertificates } from '../pki/pem.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { BucketClient } from './cache/bucket-client.ts';
import type { CacheBucketSettings } from './config/cache-bucket-settings.ts';
import { openSource } from './credentials/kinds/open-source.ts';
import { AwsKeySet } from './credentials/sigv4/aws-keys.ts';
import { BackgroundRenewals } from './credentials/sources/background-renewals.ts';
import type { CredentialSource } from './credentials/sources/credential-source.ts';
import type { CredentialSourceConfig } from './credentials/sources/source-config.ts';
import { Vaults } from './credentials/vault/vaults.ts';
import { dialService } from './forward/dial-service.ts';
import { readFiles } from './gateway-parts.ts';
import type { Upstream } from './upstream.ts';

export interface BucketNeeds {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
  readonly limits: Limits;
  readonly upstream: Pick<Upstream, 'fetch' | 'dialersBy'>;
  /** What is opened for it ends with this. */
  readonly stack: AsyncDisposableStack;
}

/** Nothing is asked of it yet. @throws ProxyError config_invalid */
export async function openBucketClient(
  settings: CacheBucketSettings,
  { environment, clock, limits, upstream, stack }: BucketNeeds,
): Promise<BucketClient> {
  const { accessKeyId, source, sessionToken, ca, ...place } = settings;
  const background = stack.use(new BackgroundRenewals(limits));
  const vaults = stack.use(new Vaults({ environment, fetch: upstream.fetch, background }));
  const open = (one: CredentialSourceConfig): CredentialSource =>
    openSource('of cache.bucket', one, { environment, vaults });
  const keys = new AwsKeySet('of cache.bucket', {
    keyId: open(accessKeyId),
    secret: open(source),
    token: sessionToken === undefined ? undefined : open(sessionToken),
  });
  const closing = new AbortController();
  stack.defer(() => closing.abort(new ProxyError('shutting_down', 'the gateway ends')));
  const dialers = upstream.dialersBy(ca.length === 0 ? undefined : await certificates(ca));
  const dial = dialService('cache.bucket', BucketClient.urlOf(place), {
    dialers,
    client: undefined,
    signal: closing.signal,
  });
  return stack.use(new BucketClient({ place, keys, dial, clock }));
}

async function certificates(paths: readonly string[]): Promise<readonly string[]> {
  try {
    return (await readFiles(paths)).flatMap(checkCertificates);
  } catch (cause) {
    const reason = asProxyError(cause).message;
    throw new ProxyError('config_invalid', `cache.bucket.ca: ${reason}`, { cause });
  }
}
