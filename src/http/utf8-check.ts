// Whether octets that come one by one are well-formed UTF-8 (RFC 3629 §4).

export class Utf8Check {
  #following = 0;
  #low = 0x80;
  #high = 0xbf;
  #isBad = false;

  /** One octet; call it for ASCII as well, which ends what came before. */
  octet(octet: number): void {
    if (octet < 0x80) {
      if (this.#following > 0) this.#isBad = true;
      this.#following = 0;
      return;
    }
    if (this.#following === 0) {
      this.#begin(octet);
      return;
    }
    if (octet < this.#low || octet > this.#high) this.#isBad = true;
    this.#following -= 1;
    this.#low = 0x80;
    this.#high = 0xbf;
  }

  /** What the octets since the last call were; everything begins anew. */
  ended(): boolean {
    const isWellFormed = !this.#isBad && this.#following === 0;
    this.#following = 0;
    this.#low = 0x80;
    this.#high = 0xbf;
    this.#isBad = false;
    return isWellFormed;
  }

  #begin(octet: number): void {
    if (octet < 0xc2 || octet > 0xf4) this.#isBad = true;
    this.#following = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
    if (octet === 0xe0) this.#low = 0xa0;
    else if (octet === 0xed) this.#high = 0x9f;
    else if (octet === 0xf0) this.#low = 0x90;
    else if (octet === 0xf4) this.#high = 0x8f;
  }
}
