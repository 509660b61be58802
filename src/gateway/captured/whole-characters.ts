// Octets of a stream, cut where a character of UTF-8 ends: what is cut off waits for its rest.

export class WholeCharacters {
  #rest: Uint8Array = new Uint8Array();

  /** All octets come out once, in their order, also those that are not UTF-8. */
  take(chunk: Uint8Array): Buffer {
    const octets = Buffer.concat([this.#rest, chunk]);
    const end = endOfCharacters(octets);
    this.#rest = octets.subarray(end);
    return octets.subarray(0, end);
  }

  /** What still waits, which is cut off for good. */
  end(): Buffer {
    const rest = Buffer.from(this.#rest);
    this.#rest = new Uint8Array();
    return rest;
  }
}

/** Before the last character, if its first octet says that more of it comes (RFC 3629 §3). */
function endOfCharacters(octets: Buffer): number {
  const from = Math.max(0, octets.length - 3);
  for (let at = octets.length - 1; at >= from; at -= 1) {
    const octet = octets[at] ?? 0;
    if (octet >= 0x80 && octet < 0xc0) continue;
    return at + lengthOf(octet) > octets.length ? at : octets.length;
  }
  return octets.length;
}

function lengthOf(first: number): number {
  if (first >= 0xf0 && first <= 0xf4) return 4;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xc2 && first < 0xe0 ? 2 : 1;
}
