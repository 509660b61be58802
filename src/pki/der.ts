// DER (X.690): the little that certificates need, written and read by hand.

/** Universal tags that occur in certificates. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: tag, length, contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of contents) length += part.length;
  return Buffer.concat([Uint8Array.of(tag, ...derLength(length)), ...contents]);
}

function derLength(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

export function derSequence(...contents: readonly Uint8Array[]): Uint8Array {
  return der(derTag.sequence, ...contents);
}

/** A non-negative INTEGER from its big-endian magnitude. */
export function derInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.subarray(start);
  const first = digits[0] ?? 0;
  return first >= 0x80 || digits.length === 0
    ? der(derTag.integer, Uint8Array.of(0), digits)
    : der(derTag.integer, digits);
}

/** DER writes only `true`: `false` is the default in every structure of a certificate and is left out. */
export function derTrue(): Uint8Array {
  return der(derTag.boolean, Uint8Array.of(0xff));
}

/** An OBJECT IDENTIFIER from its dotted text. */
export function derOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const group = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) group.unshift((left & 0x7f) | 0x80);
    octets.push(...group);
  }
  return der(derTag.oid, Uint8Array.from(octets));
}

export function derOctetString(contents: Uint8Array): Uint8Array {
  return der(derTag.octetString, contents);
}

/** A BIT STRING; `unusedBits` counts the bits at the end of the last octet that do not belong to it. */
export function derBitString(contents: Uint8Array, unusedBits = 0): Uint8Array {
  return der(derTag.bitString, Uint8Array.of(unusedBits), contents);
}

export function derUtf8String(text: string): Uint8Array {
  return der(derTag.utf8String, Buffer.from(text, 'utf8'));
}

/** A Time as RFC 5280 §4.1.2.5 wants it: UTCTime up to 2049, GeneralizedTime after; whole seconds. */
export function derTime(timeMs: number): Uint8Array {
  const digits = new Date(timeMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return Number(digits.slice(0, 4)) < 2050
    ? der(derTag.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : der(derTag.generalizedTime, Buffer.from(digits, 'latin1'));
}

/** One element that was read. */
export interface DerElement {
  readonly tag: number;
  readonly contents: Uint8Array;
  /** Tag, length and contents. */
  readonly whole: Uint8Array;
}

/** Reads the elements that fill `bytes`; throws RangeError where it is not DER. */
export function readDerElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const element = readElement(bytes, offset);
    elements.push(element);
    offset += element.whole.length;
  }
  return elements;
}

/** Reads the one element that fills `bytes`, of the given tag; throws RangeError otherwise. */
export function readDerElement(bytes: Uint8Array, tag: number): DerElement {
  const element = readElement(bytes, 0);
  if (element.whole.length !== bytes.length) throw new RangeError('DER: bytes behind the element');
  if (element.tag !== tag) throw new RangeError('DER: unexpected tag');
  return element;
}

function readElement(bytes: Uint8Array, offset: number): DerElement {
  const tag = bytes[offset];
  const lead = bytes[offset + 1];
  if (tag === undefined || lead === undefined || (tag & 0x1f) === 0x1f)
    throw new RangeError('DER: no element');
  let start = offset + 2;
  let length = lead;
  if (lead >= 0x80) {
    const count = lead & 0x7f;
    // Four octets of length are more than any certificate; 0x80 is BER's indefinite form.
    if (count === 0 || count > 4) throw new RangeError('DER: length not allowed');
    length = 0;
    for (const octet of bytes.subarray(start, start + count)) length = length * 256 + octet;
    start += count;
    if (length < 0x80 || length < 256 ** (count - 1)) throw new RangeError('DER: length not minimal');
  }
  const end = start + length;
  if (end > bytes.length) throw new RangeError('DER: element longer than its container');
  return { tag, contents: bytes.subarray(start, end), whole: bytes.subarray(offset, end) };
}

/** The time of a UTCTime or GeneralizedTime element in milliseconds; throws RangeError if it is none. */
export function readDerTime(element: DerElement): number {
  const text = Buffer.from(element.contents).toString('latin1');
  const digits =
    element.tag === derTag.utcTime && /^\d{12}Z$/.test(text)
      ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`
      : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  if (match === null) throw new RangeError('DER: not a time');
  const [, year, month, day, hour, minute, second] = match;
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(timeMs)) throw new RangeError('DER: not a time');
  return timeMs;
}

/** The dotted text of an OBJECT IDENTIFIER element. */
export function readDerOid(element: DerElement): string {
  const arcs: number[] = [];
  let value = 0;
  for (const octet of element.contents) {
    value = value * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(value);
      value = 0;
    }
  }
  const first = arcs.shift() ?? 0;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...arcs].join('.');
}
