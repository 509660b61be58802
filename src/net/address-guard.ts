// Which addresses the gateway may dial. Pure: no resolution, no sockets. The table is in docs/reference/address-guard.md.

import {
  formatIpv4,
  formatIpv6,
  isIpv4Mapped,
  lastQuad,
  parseIpv4,
  parseIpv6,
  type Ipv6Groups,
} from '../http/ip-address.ts';

export type AddressClass =
  | 'public'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'broadcast'
  | 'unspecified'
  | 'reserved';

export type AddressVerdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly reason: string;
      /** Set where no rule can open it. */
      readonly never?: AddressClass;
    };

/** A range as prefix and length; the class of the first range that holds the address counts. */
type Ipv4Range = readonly [cidr: string, class_: AddressClass];

/** Services that hand out credentials or configuration to whoever asks from inside the machine. */
const metadataV4: readonly string[] = [
  '169.254.169.0/24', // AWS, Google, Azure, DigitalOcean, OpenStack and their neighbours (DNS, time)
  '169.254.170.0/24', // AWS container and pod credentials
  '169.254.42.42/32', // Scaleway
  '169.254.0.23/32', // Tencent
  '100.100.100.200/32', // Alibaba
  '168.63.129.16/32', // Azure, the wire server
  '192.0.0.192/32', // Oracle
];
const metadataV6: readonly string[] = [
  'fd00:ec2::/32', // AWS
  'fd20:ce::/32', // Google
  'fd00:c1::/32', // Oracle
  'fd00:42::42/128', // Scaleway
  'fe80::a9fe:a9fe/128', // OpenStack
];

/** The blocks that IANA's registry of special-purpose addresses (RFC 6890) calls not globally reachable, but for 203.0.113.0/24. */
const rangesV4: readonly Ipv4Range[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'private'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'reserved'],
  ['198.51.100.0/24', 'reserved'],
  ['224.0.0.0/4', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
  ['240.0.0.0/4', 'reserved'],
];

const rangesV6: readonly Ipv4Range[] = [
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'private'],
  ['fc00::/7', 'private'],
  ['ff00::/8', 'multicast'],
  // Teredo, ORCHID, benchmarking and other assignments that are no host on the internet.
  ['2001::/23', 'reserved'],
  ['2001:db8::/32', 'reserved'],
  ['2002::/16', 'reserved'],
  ['3fff::/20', 'reserved'],
  ['2000::/3', 'public'],
  ['64:ff9b::/96', 'public'],
];

/** Nothing opens these: no rule has a reason to, and each is a way to the gateway's own machine or its credentials. */
const neverOpened: ReadonlySet<AddressClass> = new Set(['metadata', 'multicast', 'broadcast', 'unspecified']);

/** Worst first: with an address inside an address, the worse class counts. */
const severity: readonly AddressClass[] = [
  'metadata',
  'unspecified',
  'broadcast',
  'multicast',
  'loopback',
  'link-local',
  'private',
  'reserved',
  'public',
];

/**
 * The class of an address. IPv6 forms that carry an IPv4 address (mapped, compatible, translated, NAT64, 6to4,
 * Teredo, ISATAP) have the worse class of the two. Text that is no address is `reserved`.
 */
export function classifyAddress(ip: string): AddressClass {
  const quad = parseIpv4(ip);
  if (quad !== undefined) return classifyQuad(quad);
  const groups = parseIpv6(ip);
  if (groups === undefined) return 'reserved';
  const own = classifyGroups(groups);
  if (isIpv4Mapped(groups)) return classifyQuad(lastQuad(groups));
  return embeddedQuads(groups).map(classifyQuad).reduce(worse, own);
}

/**
 * Whether the address may be dialled: public ones always, others only if a CIDR of the rule holds it, and metadata,
 * multicast, broadcast and unspecified never. `own` are addresses of this machine: loopback apart, they have to be
 * opened one by one (`/32`, `/128`), since a rule for a network does not mean the gateway in it.
 */
export function checkAddress(
  ip: string,
  opened: readonly string[],
  own: ReadonlySet<string> = new Set(),
): AddressVerdict {
  const found = classifyAddress(ip);
  if (neverOpened.has(found))
    return { allowed: false, reason: `${found} addresses are never dialled`, never: found };
  const isOwn = found !== 'loopback' && own.has(plainAddress(ip));
  if (found === 'public' && !isOwn) return { allowed: true };
  const holders = opened.filter((cidr) => cidrContains(cidr, ip));
  if (isOwn && !holders.some(isSingleAddress)) {
    return { allowed: false, reason: 'it is an address of the gateway itself, and no rule names it alone' };
  }
  return holders.length > 0
    ? { allowed: true }
    : { allowed: false, reason: `it is ${found}, and the rule does not open its network` };
}

/** The one spelling of an address that is compared and dialled: canonical, IPv4-mapped addresses as IPv4. */
export function plainAddress(ip: string): string {
  const groups = parseIpv6(ip);
  if (groups === undefined) return ip;
  return isIpv4Mapped(groups) ? formatIpv4(lastQuad(groups)) : formatIpv6(groups);
}

/**
 * Whether `cidr` (`10.0.0.0/8`, `fd00::/8`, or a single address) holds the address. IPv4-mapped addresses count as
 * IPv4; other IPv6 forms only match IPv6 ranges. A malformed range holds nothing.
 */
export function cidrContains(cidr: string, ip: string): boolean {
  const range = parseCidr(cidr);
  const bits = addressBits(ip);
  if (range === undefined || bits === undefined || range.bits.width !== bits.width) return false;
  const shift = BigInt(bits.width - range.length);
  return range.bits.value >> shift === bits.value >> shift;
}

interface Bits {
  readonly width: 32 | 128;
  readonly value: bigint;
}

function addressBits(ip: string): Bits | undefined {
  const quad = parseIpv4(ip);
  if (quad !== undefined) return { width: 32, value: BigInt(quad) };
  const groups = parseIpv6(ip);
  if (groups === undefined) return undefined;
  if (isIpv4Mapped(groups)) return { width: 32, value: BigInt(lastQuad(groups)) };
  return { width: 128, value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

function parseCidr(cidr: string): { readonly bits: Bits; readonly length: number } | undefined {
  const slash = cidr.indexOf('/');
  const bits = addressBits(slash === -1 ? cidr : cidr.slice(0, slash));
  if (bits === undefined) return undefined;
  const length = slash === -1 ? String(bits.width) : cidr.slice(slash + 1);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits.width) return undefined;
  return { bits, length: Number(length) };
}

function isSingleAddress(cidr: string): boolean {
  const range = parseCidr(cidr);
  return range !== undefined && range.length === range.bits.width;
}

function classifyQuad(quad: number): AddressClass {
  const ip = formatIpv4(quad);
  if (metadataV4.some((cidr) => cidrContains(cidr, ip))) return 'metadata';
  return rangesV4.find(([cidr]) => cidrContains(cidr, ip))?.[1] ?? 'public';
}

/** Without regard to what is embedded; outside 2000::/3 nothing is assigned to hosts. */
function classifyGroups(groups: Ipv6Groups): AddressClass {
  const ip = groups.map((group) => group.toString(16)).join(':');
  if (metadataV6.some((cidr) => cidrContains(cidr, ip))) return 'metadata';
  return rangesV6.find(([cidr]) => cidrContains(cidr, ip))?.[1] ?? 'reserved';
}

/** Every IPv4 address that a router or a stack could take out of the address. */
function embeddedQuads(groups: Ipv6Groups): readonly number[] {
  const at = (index: number): number => groups[index] ?? 0;
  const pair = (index: number): number => ((at(index) << 16) | at(index + 1)) >>> 0;
  const isZero = (end: number): boolean => groups.slice(0, end).every((group) => group === 0);
  const quads: number[] = [];
  const isSelf = isZero(7) && at(7) <= 1;
  if (isZero(6) && !isSelf) quads.push(pair(6)); // compatible, ::/96
  if (isZero(4) && at(4) === 0xffff && at(5) === 0) quads.push(pair(6)); // translated, ::ffff:0:0:0/96
  if (at(0) === 0x64 && at(1) === 0xff9b) quads.push(...nat64Quads(groups));
  if (at(0) === 0x2002) quads.push(pair(1)); // 6to4
  if (at(0) === 0x2001 && at(1) === 0) quads.push(pair(2), ~pair(6) >>> 0); // Teredo: server, and client inverted
  if ((at(4) & 0xfdff) === 0 && at(5) === 0x5efe) quads.push(pair(6)); // ISATAP
  return quads;
}

/** RFC 6052 §2.2: behind a prefix of 48, 56, 64 or 96 bits, with bits 64 to 71 left out. */
function nat64Quads(groups: Ipv6Groups): readonly number[] {
  const bytes = groups.flatMap((group) => [group >>> 8, group & 0xff]);
  const quadAt = (places: readonly number[]): number =>
    places.reduce((quad, place) => quad * 256 + (bytes[place] ?? 0), 0);
  const last = quadAt([12, 13, 14, 15]);
  if (groups[2] === 0) return [last];
  // Which prefix length a network uses cannot be seen; places that hold zeros are the suffix of another.
  const quads = [quadAt([6, 7, 9, 10]), quadAt([7, 9, 10, 11]), quadAt([9, 10, 11, 12]), last];
  return quads.filter((quad) => quad >>> 24 !== 0);
}

function worse(a: AddressClass, b: AddressClass): AddressClass {
  return severity.indexOf(a) <= severity.indexOf(b) ? a : b;
}
