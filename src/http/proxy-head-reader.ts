// Collects the first head of a proxy client from pieces of any size, at a cost that grows with its octets and not with their square.

import type { Limits } from '../protocol/limits.ts';
import { parseProxyHead, parseProxyRequest, type ProxyHead, type ProxyRequest } from './proxy-head.ts';

const LF = 0x0a;
const CR = 0x0d;
/** By then it is clear whether the bytes are HTTP at all. */
const openingBytes = 16;
const firstCapacity = 1024;
const connectMethod = Uint8Array.from('CONNECT ', (character) => character.charCodeAt(0));

interface Incomplete {
  readonly state: 'incomplete';
}

/** Also behind an empty line. */
function isConnectLine(bytes: Uint8Array): boolean {
  const start = bytes[0] === CR ? 2 : 0;
  return connectMethod.every((octet, i) => bytes[start + i] === octet);
}

class HeadReader<Head> {
  readonly #limits: Limits;
  readonly #parse: (bytes: Uint8Array, limits: Limits) => Head | Incomplete;
  #buffer = new Uint8Array(firstCapacity);
  #length = 0;
  #hasLine = false;
  /** Beyond its bound a head is refused, so that nothing is parsed again. */
  #isConnect = false;

  constructor(limits: Limits, parse: (bytes: Uint8Array, limits: Limits) => Head | Incomplete) {
    this.#limits = limits;
    this.#parse = parse;
  }

  /** All bytes so far; valid until the next `push`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Takes the next bytes. The result, and what it throws, are those of the parser over all of them. */
  push(chunk: Uint8Array): Head | Incomplete {
    const start = this.#length;
    this.#append(chunk);
    return this.#isDue(start) ? this.#parse(this.bytes, this.#limits) : { state: 'incomplete' };
  }

  /** Whether the bytes from `start` on can have changed the outcome: a line, the head, an excess, or what is no HTTP. */
  #isDue(start: number): boolean {
    const bytes = this.#buffer;
    let isDue = start < openingBytes;
    for (let i = start; i < this.#length; i++) {
      const isAfterCr = i > 0 && bytes[i - 1] === CR;
      if (bytes[i] === LF) {
        const isBlank = i > 2 && bytes[i - 2] === LF;
        isDue ||= !this.#hasLine || isBlank || !isAfterCr;
        if (!this.#hasLine || bytes[0] === CR) this.#isConnect = isConnectLine(bytes);
        this.#hasLine = true;
      } else if (isAfterCr) isDue = true;
    }
    const { headBytesMax, connectHeadBytesMax } = this.#limits;
    return isDue || this.#length > (this.#isConnect ? connectHeadBytesMax : headBytesMax);
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }
}

/** Of CONNECT the head is read whole, of another request its first line. */
export class ProxyHeadReader extends HeadReader<ProxyHead> {
  constructor(limits: Limits) {
    super(limits, parseProxyHead);
  }
}

/** Every head is read whole. */
export class ProxyRequestReader extends HeadReader<ProxyRequest> {
  constructor(limits: Limits) {
    super(limits, parseProxyRequest);
  }
}
