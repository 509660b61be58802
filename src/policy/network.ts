// IP addresses and networks as a policy writes them. The address guard does the judging; this only reads and checks.

/** An address as bytes: 4 or 16 of them. */
export type AddressBytes = readonly number[];

/** A network of a rule's `addresses`. */
export interface Network {
  /** Canonical CIDR. */
  readonly text: string;
  readonly bytes: AddressBytes;
  readonly prefixBits: number;
}

/** A strict dotted quad: four decimal parts without leading zeros. */
export function parseIpv4(text: string): AddressBytes | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** RFC 4291 text, with `::` and a dotted quad at the end if present; no zone, no brackets. */
export function parseIpv6(text: string): AddressBytes | undefined {
  if (!/^[0-9a-f:.]{2,45}$/i.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string | undefined): number[] | undefined => {
    if (half === undefined || half === '') return [];
    const groups: number[] = [];
    const parts = half.split(':');
    for (const [i, part] of parts.entries()) {
      const quad = i === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined;
      if (quad !== undefined) {
        const [a = 0, b = 0, c = 0, d = 0] = quad;
        groups.push(a * 256 + b, c * 256 + d);
      } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
        groups.push(Number.parseInt(part, 16));
      } else {
        return undefined;
      }
    }
    return groups;
  };
  const head = groupsOf(halves[0]);
  const tail = groupsOf(halves[1]);
  if (head === undefined || tail === undefined) return undefined;
  // A quad is the end of the address, never the end of what stands before `::`.
  if (halves.length === 2 && halves[0]?.includes('.') === true) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 255]);
}

/** RFC 5952: lower case, no leading zeros, the longest run of zeros as `::`. */
export function formatAddress(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
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

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; a string is the reason why it is none. */
export function parseNetwork(text: string): Network | string {
  const [address = '', prefix, ...rest] = text.split('/');
  const bytes = parseIpv4(address) ?? parseIpv6(address);
  if (bytes === undefined || rest.length > 0) {
    return `${JSON.stringify(text.slice(0, 80))} is not a network; write an address with a prefix, such as 10.1.0.0/16 or fd12::/16`;
  }
  const width = bytes.length * 8;
  const prefixBits = prefix === undefined ? width : /^(0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : 999;
  if (prefixBits > width) return `the prefix of ${text.slice(0, 80)} must be a number from 0 to ${width}`;
  const masked = bytes.map(
    (byte, i) => byte & ((0xff << Math.max(0, 8 - Math.max(0, prefixBits - 8 * i))) & 0xff),
  );
  const canonical = `${formatAddress(masked)}/${prefixBits}`;
  if (masked.some((byte, i) => byte !== bytes[i])) {
    return `${text} has bits set behind its prefix; write ${canonical}`;
  }
  return { text: canonical, bytes, prefixBits };
}

const known = (text: string): Network => {
  const network = parseNetwork(text);
  if (typeof network === 'string') throw new TypeError(network);
  return network;
};

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

/** Endpoints that hand out a machine's identity. No rule opens them. */
const metadataAddresses = [
  '169.254.169.254',
  '169.254.170.2',
  '100.100.100.200',
  '168.63.129.16',
  'fd00:ec2::254',
];

/** Why a rule may not open the network; undefined if it may. */
export function refusedNetwork(network: Network): string | undefined {
  const metadata = metadataAddresses.find((address) => network.text === known(address).text);
  if (metadata !== undefined) return `${metadata} is a metadata address, which no rule can open; remove it`;
  const inside = openable
    .map((text) => known(text))
    .some((outer) => outer.prefixBits <= network.prefixBits && networkContains(outer, network.bytes));
  if (inside) return undefined;
  return `${network.text} is not private address space; "addresses" opens private networks only (${openable.join(', ')}), and public addresses need no opening`;
}
