// Whether IPv6 can be tried on this machine.

import { networkInterfaces } from 'node:os';

export function hasIpv6Loopback(): boolean {
  return Object.values(networkInterfaces()).some((found) => found?.some(({ address }) => address === '::1'));
}
