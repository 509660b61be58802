// IP addresses as text and as numbers. Strict: one spelling of IPv4, RFC 4291 for IPv6, RFC 5952 on the way out.

/** The eight 16-bit groups of an IPv6 address. */
export type Ipv6Groups = readonly number[];

/** A dotted quad of four decimal numbers without leading zeros as an unsigned 32-bit number; else undefined. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** The dotted quad of an unsigned 32-bit number. */
export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

/** The groups of an IPv6 address without brackets and zone; else undefined. */
export function parseIpv6(text: string): Ipv6Groups | undefined {
  if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const gap = text.indexOf('::');
  if (gap === -1) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? groups : undefined;
  }
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return undefined;
  return [...head, ...Array<number>(missing).fill(0), ...tail];
}

/** The groups between colons; the last may be a dotted quad, which is two groups. */
function parseGroups(text: string, quadAllowed: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (quadAllowed && index === parts.length - 1 && part.includes('.')) {
      const quad = parseIpv4(part);
      if (quad === undefined) return undefined;
      groups.push(quad >>> 16, quad & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** RFC 5952 text: lower case, the first longest run of zeros shortened, IPv4-mapped addresses with a dotted quad. */
export function formatIpv6(groups: Ipv6Groups): string {
  if (isIpv4Mapped(groups)) return `::ffff:${formatIpv4(lastQuad(groups))}`;
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = groups.map((group) => group.toString(16));
  if (best.start === -1) return text.join(':');
  return `${text.slice(0, best.start).join(':')}::${text.slice(best.start + best.length).join(':')}`;
}

/** Whether the address is of `::ffff:0:0/96`, which a socket treats as plain IPv4. */
export function isIpv4Mapped(groups: Ipv6Groups): boolean {
  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
}

/** The last 32 bits as an unsigned number. */
export function lastQuad(groups: Ipv6Groups): number {
  return (((groups[6] ?? 0) << 16) | (groups[7] ?? 0)) >>> 0;
}

/** The canonical text of an address in any accepted spelling; undefined if it is no address. */
export function canonicalAddress(text: string): string | undefined {
  const quad = parseIpv4(text);
  if (quad !== undefined) return formatIpv4(quad);
  const groups = parseIpv6(text);
  return groups === undefined ? undefined : formatIpv6(groups);
}
