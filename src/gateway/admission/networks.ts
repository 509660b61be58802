// Networks of a configuration as something that an address is or is not in.

import { BlockList, isIP } from 'node:net';

/** `network` is an address, or an address and the length of a prefix: `10.0.0.0/8`. Undefined if it is neither. */
export function networkList(networks: readonly string[]): ((address: string) => boolean) | undefined {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix);
    if (family === 0 || !/^(?:0|[1-9][0-9]{0,2})$/.test(prefix ?? '0') || bits > (family === 4 ? 32 : 128))
      return undefined;
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const plain = plainAddress(address);
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** An IPv4 address that a socket of both families gives as `::ffff:192.0.2.1`, without that. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
