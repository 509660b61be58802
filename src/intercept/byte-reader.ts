// Reads TLS presentation-language values (RFC 8446 §3) from bytes, bounded by the bytes that are there.

/** Thrown when a value is longer than its container. */
export class ByteReaderError extends Error {
  override readonly name = 'ByteReaderError';
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** A big-endian unsigned number of 1 to 3 octets. */
  number(octets: 1 | 2 | 3): number {
    let value = 0;
    for (const octet of this.take(octets)) value = value * 256 + octet;
    return value;
  }

  take(length: number): Uint8Array {
    if (length > this.remaining) throw new ByteReaderError('a value is longer than its container');
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return taken;
  }

  /** A vector with a length of 1 or 2 octets before it. */
  vector(lengthOctets: 1 | 2): ByteReader {
    return new ByteReader(this.take(this.number(lengthOctets)));
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }
}
