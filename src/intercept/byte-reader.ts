// Reads TLS presentation-language values (RFC 8446 §3) from bytes, bounded by the bytes that are there.

/** Thrown when a value is longer than its container. */
export class ByteReaderError extends Error {
  override readonly name = 'ByteReaderError';
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  /** Of what is in `bytes` from `start` up to `end`. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** A big-endian unsigned number of 1 to 3 octets. */
  number(octets: 1 | 2 | 3): number {
    const end = this.#skip(octets);
    let value = 0;
    for (let index = end - octets; index < end; index++) value = value * 256 + (this.#bytes[index] ?? 0);
    return value;
  }

  take(length: number): Uint8Array {
    const end = this.#skip(length);
    return this.#bytes.subarray(end - length, end);
  }

  /** A vector with a length of 1 or 2 octets before it. */
  vector(lengthOctets: 1 | 2): ByteReader {
    const length = this.number(lengthOctets);
    const end = this.#skip(length);
    return new ByteReader(this.#bytes, end - length, end);
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  /** Where what comes next ends; it is behind us then. */
  #skip(length: number): number {
    if (length > this.remaining) throw new ByteReaderError('a value is longer than its container');
    return (this.#offset += length);
  }
}
