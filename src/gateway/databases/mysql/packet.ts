// Packets of MySQL: three octets of length, one that counts them, and what they carry. What is longer goes on in the next packet.

/** Length and number. */
export const packetHeadBytes = 4;
/** Of one packet; one that is as long as this goes on in the next. */
export const payloadBytesMax = 0xff_ffff;

/** First octets of what a server says. */
export const fromServer = {
  ok: 0x00,
  moreData: 0x01,
  switchMethod: 0xfe,
  error: 0xff,
} as const;

export interface PacketHead {
  /** Octets behind the head. */
  readonly length: number;
  readonly sequence: number;
}

/** @param bytes at least a head from there on */
export function readHead(bytes: Uint8Array, at: number): PacketHead {
  const [low = 0, middle = 0, high = 0, sequence = 0] = bytes.subarray(at, at + packetHeadBytes);
  return { length: low + middle * 2 ** 8 + high * 2 ** 16, sequence };
}

/** @param sequence is taken by its last octet @param payload shorter than payloadBytesMax */
export function packetOf(sequence: number, ...payload: readonly (Uint8Array | string)[]): Uint8Array {
  const parts = payload.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part));
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([littleEndian(length, 3), Uint8Array.of(sequence & 0xff), ...parts]);
}

/** @param count octets, up to six */
export function littleEndian(value: number, count: number): Uint8Array {
  const octets = Buffer.alloc(count);
  octets.writeUIntLE(value, 0, count);
  return octets;
}

/** Takes one value after the other; what is not there makes all of it malformed, which is asked for at the end. */
export class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;
  #isMalformed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isMalformed(): boolean {
    return this.#isMalformed;
  }

  get leftBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** @param count octets, up to six */
  number(count: number): number {
    const octets = this.bytes(count);
    return octets.length === count ? octets.readUIntLE(0, count) : 0;
  }

  bytes(count: number): Buffer {
    if (count > this.leftBytes) {
      this.#isMalformed = true;
      return Buffer.alloc(0);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  rest(): Buffer {
    return this.bytes(this.leftBytes);
  }

  /** Up to an octet of zero, which has to be there unless it may end with the packet. */
  text({ mayEndThere = false } = {}): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end !== -1) {
      const text = this.bytes(end - this.#at).toString('utf8');
      this.#at += 1;
      return text;
    }
    if (!mayEndThere) this.#isMalformed = true;
    return this.rest().toString('utf8');
  }

  /** A number that says its own length; those beyond 2 ** 48 have no place here. */
  countedNumber(): number {
    const first = this.number(1);
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.number(2);
    if (first === 0xfd) return this.number(3);
    this.#isMalformed = true;
    return 0;
  }
}

/** What a server says that refuses. */
export interface MysqlRefusal {
  readonly code: number;
  /** Five characters. */
  readonly sqlState: string;
  readonly message: string;
}

/** Longer ones are cut, as servers do it (MYSQL_ERRMSG_SIZE). */
const errorBytesMax = 511;

/** @param hasState not before a client has said that it knows of states */
export function errorPacket(
  sequence: number,
  { code, sqlState, message }: MysqlRefusal,
  hasState = true,
): Uint8Array {
  const text = Buffer.from(message.replaceAll('\0', ''), 'utf8').subarray(0, errorBytesMax);
  return packetOf(
    sequence,
    Uint8Array.of(fromServer.error),
    littleEndian(code, 2),
    hasState ? `#${sqlState}` : '',
    text,
  );
}

/** @param payload of an error @param charactersMax of its text */
export function readError(payload: Uint8Array, charactersMax: number): MysqlRefusal {
  const reader = new PayloadReader(payload.subarray(1));
  const code = reader.number(2);
  const text = reader.rest().toString('utf8');
  const hasState = text.startsWith('#') && text.length >= 6;
  return {
    code,
    sqlState: hasState ? text.slice(1, 6) : 'HY000',
    message: (hasState ? text.slice(6) : text).slice(0, charactersMax),
  };
}

/** The session has changed: a list of what follows, which is of the server's own log-in. */
const statusOfChanges = 0x4000;

/** That a log-in was taken, with nothing of what the server has beside it: MariaDB proves there that it knows the password. */
export function okPacket(sequence: number, status: number): Uint8Array {
  return packetOf(
    sequence,
    Uint8Array.of(fromServer.ok, 0, 0),
    littleEndian(status & ~statusOfChanges, 2),
    littleEndian(0, 2),
  );
}

/** Of a server's OK; undefined: it is none. */
export function okStatus(payload: Uint8Array): number | undefined {
  const reader = new PayloadReader(payload.subarray(1));
  reader.countedNumber();
  reader.countedNumber();
  const status = reader.number(2);
  return reader.isMalformed ? undefined : status;
}
