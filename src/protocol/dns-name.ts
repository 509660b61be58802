// Names in messages of DNS (RFC 1035 §3.1, §4.1.4), read in one way wherever they are read. Pure and strict: nothing is allocated from a claimed
// length.

export const dnsHeaderBytes = 12;

const labelBytesMax = 63;
const nameBytesMax = 255;

/** Lower case, labels joined by dots, no dot at the end; empty for the root. */
export interface DnsName {
  readonly text: string;
  /** Behind it. */
  readonly end: number;
}

/** A question has nothing that a name could point back to, so a pointer is malformed here. */
export function readDnsName(bytes: Uint8Array, start: number): DnsName | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > labelBytesMax) return undefined;
    at += 1;
    if (length === 0) return { text: labels.join('.').toLowerCase(), end: at };
    if (at + length > bytes.length || at + length - start >= nameBytesMax) return undefined;
    const label = String.fromCharCode(...bytes.subarray(at, at + length));
    // A dot inside a label would look like two labels later.
    if (label.includes('.')) return undefined;
    labels.push(label);
    at += length;
  }
}

/** A name as a record's data. Throws a RangeError if it is no name of the length that DNS has. */
export function encodeDnsName(name: string): Uint8Array {
  const labels = name === '' ? [] : name.split('.');
  const octets: number[] = [];
  for (const label of labels) {
    if (label.length === 0 || label.length > labelBytesMax)
      throw new RangeError('a label has 1 to 63 octets');
    octets.push(label.length, ...Array.from(label, (character) => character.charCodeAt(0) & 0xff));
  }
  octets.push(0);
  if (octets.length > nameBytesMax) throw new RangeError('a name has at most 255 octets');
  return Uint8Array.from(octets);
}
