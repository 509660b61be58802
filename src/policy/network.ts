// IP addresses and networks as a policy writes them. The address guard does the judging; this only reads and checks.

import { formatIpv6, parseIpv4, parseIpv6 } from '../http/ip-address.ts';

/** An address as bytes: 4 or 16 of them. */
export type AddressBytes = readonly number[];

/** A network of a rule's `addresses`. */
export interface Network {
  /** Canonical CIDR. */
  readonly text: string;
  readonly bytes: AddressBytes;
  readonly prefixBits: number;
}

/** The bytes of an IP address in text; undefined if it is none. */
export function parseAddress(text: string): AddressBytes | undefined {
  const quad = parseIpv4(text);
  if (quad !== undefined) return [quad >>> 24, (quad >>> 16) & 255, (quad >>> 8) & 255, quad & 255];
  return parseIpv6(text)?.flatMap((group) => [group >> 8, group & 255]);
}

function formatBytes(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  return formatIpv6(Array.from({ length: 8 }, (_, i) => (bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)));
}

/** Whether the network holds the address; families never mix. */
export function networkContains(network: Network, address: AddressBytes): boolean {
  if (network.bytes.length !== address.length) return false;
  for (let bit = 0; bit < network.prefixBits; bit += 8) {
    const index = bit / 8;
    const mask = (0xff << Math.max(0, 8 - (network.prefixBits - bit))) & 0xff;
    if (((network.bytes[index] ?? 0) & mask) !== ((address[index] ?? 0) & mask)) return false;
  }
  return true;
}

/** Whether the first network, in canonical text, holds all of the second. */
export function networkCovers(outer: string, inner: string): boolean {
  if (outer === inner) return true;
  const [wide, narrow] = [parseNetwork(outer), parseNetwork(inner)];
  if (typeof wide === 'string' || typeof narrow === 'string') return false;
  return wide.prefixBits <= narrow.prefixBits && networkContains(wide, narrow.bytes);
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; a string is the reason why it is none. */
export function parseNetwork(text: string): Network | string {
  const [address = '', prefix, ...rest] = text.split('/');
  const bytes = parseAddress(address);
  if (bytes === undefined || rest.length > 0) {
    return `${JSON.stringify(text.slice(0, 80))} is not a network; write an address with a prefix, such as 10.1.0.0/16 or fd12::/16`;
  }
  const width = bytes.length * 8;
  const prefixBits = prefix === undefined ? width : /^(0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : 999;
  if (prefixBits > width) return `the prefix of ${text.slice(0, 80)} must be a number from 0 to ${width}`;
  const masked = bytes.map(
    (byte, i) => byte & ((0xff << Math.max(0, 8 - Math.max(0, prefixBits - 8 * i))) & 0xff),
  );
  const canonical = `${formatBytes(masked)}/${prefixBits}`;
  if (masked.some((byte, i) => byte !== bytes[i])) {
    return `${text} has bits set behind its prefix; write ${canonical}`;
  }
  return { text: canonical, bytes, prefixBits };
}

/** What a rule may open: private, shared and loopback space, and unique local IPv6. */
const openable = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '127.0.0.0/8',
  'fc00::/7',
  '::1/128',
];

/** Networks of endpoints that hand out a machine's identity. No rule opens them, and the address guard dials none of them. */
const metadataNetworks = [
  '169.254.169.0/24',
  '169.254.170.0/24',
  '169.254.42.42/32',
  '169.254.0.23/32',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  'fd00:ec2::/32',
  'fd20:ce::/32',
  'fd00:c1::/32',
  'fd00:42::42/128',
];

/** Why a rule may not open the network; undefined if it may. */
export function refusedNetwork(network: Network): string | undefined {
  const metadata = metadataNetworks.find((outer) => networkCovers(outer, network.text));
  if (metadata !== undefined) {
    const isOne = network.prefixBits === 8 * network.bytes.length;
    const what = isOne
      ? `${network.text.split('/', 1)[0]} is a metadata address`
      : `${network.text} has metadata addresses only`;
    return `${what}, which no rule can open; remove it`;
  }
  const inside = openable.some((outer) => networkCovers(outer, network.text));
  if (inside) return undefined;
  return `${network.text} is not private address space; "addresses" opens private networks only (${openable.join(', ')}), and public addresses need no opening`;
}
