// Whom limits by source count together: an IPv4 address, or a /64 of IPv6, which is what one subscriber gets (RFC 6177).

import { isIP } from 'node:net';
import { parseIpv6 } from '../../http/ip-address.ts';
import { plainAddress } from './networks.ts';

/** The same text for addresses that count as one. */
export function sourceKey(address: string | undefined): string {
  const plain = plainAddress((address ?? '').split('%', 1)[0] ?? '');
  if (isIP(plain) !== 6) return plain;
  const groups = parseIpv6(plain) ?? [];
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}
