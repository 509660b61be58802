// The gateway's own way to services, for tests: fixed names on loopback, one trust.

import { openServiceFetch } from '../../../src/gateway/forward/service-fetch.ts';
import { createDialer } from '../../../src/net/dialer.ts';
import { createResolver } from '../../../src/net/resolver.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

/** @param trust PEM certificates; `hosts` are names of 127.0.0.1 */
export function openTestServices(
  trust: readonly string[],
  hosts: readonly string[] = ['localhost'],
): ReturnType<typeof openServiceFetch> {
  const resolver = createResolver({
    limits: defaultLimits,
    hosts: Object.fromEntries(hosts.map((host) => [host, ['127.0.0.1']])),
    hostsFile: false,
  });
  const dialer = createDialer({ resolver, trust, limits: defaultLimits });
  return openServiceFetch({ dialer, loopback: dialer }, { isUsed: true });
}
