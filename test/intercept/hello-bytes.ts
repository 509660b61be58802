// Builds ClientHello messages octet by octet, well-formed or not.

export type Extension = readonly [type: number, contents: Uint8Array];

export interface HelloParts {
  readonly version?: number;
  readonly sessionId?: Uint8Array;
  readonly cipherSuites?: Uint8Array;
  readonly compression?: Uint8Array;
  /** Undefined leaves the whole block out, as TLS 1.2 allows. */
  readonly extensions?: readonly Extension[] | undefined;
  /** Octets behind the extensions. */
  readonly behind?: Uint8Array;
}

export const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
export const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

/** A vector with a length of 1 to 3 octets before it. */
export function vector(lengthOctets: 1 | 2 | 3, ...contents: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(contents);
  const length = [16, 8, 0].slice(3 - lengthOctets).map((shift) => (body.length >>> shift) & 0xff);
  return Buffer.concat([octets(...length), body]);
}

export const serverName = (...names: readonly Uint8Array[]): Extension => [
  0,
  vector(2, ...names.map((name) => Buffer.concat([octets(0), vector(2, name)]))),
];
export const alpn = (...names: readonly Uint8Array[]): Extension => [
  16,
  vector(2, ...names.map((name) => vector(1, name))),
];
export const versions = (...values: readonly number[]): Extension => [
  43,
  vector(1, ...values.map((value) => octets(value >>> 8, value & 0xff))),
];

/** The handshake message, without a record around it. */
export function helloMessage(parts: HelloParts): Uint8Array {
  const {
    version = 0x0303,
    sessionId = octets(),
    cipherSuites = octets(0x13, 0x01),
    compression = octets(0),
  } = parts;
  const extensions = parts.extensions?.map(([type, contents]) =>
    Buffer.concat([octets(type >>> 8, type & 0xff), vector(2, contents)]),
  );
  const body = Buffer.concat([
    octets(version >>> 8, version & 0xff),
    new Uint8Array(32).fill(7),
    vector(1, sessionId),
    vector(2, cipherSuites),
    vector(1, compression),
    ...(extensions === undefined ? [] : [vector(2, ...extensions)]),
    parts.behind ?? octets(),
  ]);
  return Buffer.concat([octets(1), vector(3, body)]);
}

/** The message in records of at most `recordBytes`. */
export function records(message: Uint8Array, recordBytes = 16_384): Uint8Array {
  const found: Uint8Array[] = [];
  for (let offset = 0; offset < message.length; offset += recordBytes) {
    found.push(octets(22, 3, 1), vector(2, message.subarray(offset, offset + recordBytes)));
  }
  return Buffer.concat(found);
}

/** A whole hello in one record. */
export function hello(parts: HelloParts): Uint8Array {
  return records(helloMessage(parts));
}
