// SCRAM-SHA-256 towards a server (RFC 5802, RFC 7677), with the server's certificate bound to it where both can (RFC 5929 §4.1).

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { LimitName } from '../../../protocol/limits.ts';
import type { Secret } from '../../../protocol/secret.ts';

const derive = promisify(pbkdf2);

export interface ScramOptions {
  readonly password: Secret<string>;
  /** Random, printable, without a comma. */
  readonly nonce: string;
  /** Hash of the server's certificate; undefined: nothing is bound. */
  readonly binding: Uint8Array | undefined;
  /** Whether the server offers what binds. */
  readonly isBindingOffered: boolean;
  /** A server that asks for fewer rounds of hashing, or for more, is refused. */
  readonly iterationsMin: number;
  readonly iterationsMax: number;
}

/** What the server says is not as it must be. The text has nothing of a secret. */
export class ScramError extends Error {
  override readonly name = 'ScramError';
  readonly limit: LimitName | undefined;

  constructor(message: string, limit?: LimitName) {
    super(message);
    this.limit = limit;
  }
}

/** One log-in: `first`, then `final` with what the server said, then `verify`. */
export class ScramLogin {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS';
  readonly first: string;
  readonly #options: ScramOptions;
  readonly #header: string;
  readonly #bare: string;
  #serverSignature: Buffer | undefined;

  constructor(options: ScramOptions) {
    this.#options = options;
    const { binding, isBindingOffered, nonce } = options;
    const binds = binding !== undefined && isBindingOffered;
    this.mechanism = binds ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256';
    // `y`: we could, and saw no offer. A server that did offer it then knows that somebody took the offer out.
    this.#header = binds ? 'p=tls-server-end-point,,' : binding === undefined ? 'n,,' : 'y,,';
    // PostgreSQL takes the name of the start-up, whatever stands here.
    this.#bare = `n=,r=${nonce}`;
    this.first = `${this.#header}${this.#bare}`;
  }

  /** The proof for the server's first message. @throws ScramError */
  async final(serverFirst: string): Promise<string> {
    const { nonce, password, binding, iterationsMin, iterationsMax } = this.#options;
    const said = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})$/.exec(serverFirst);
    if (said === null) throw new ScramError('its first message is not one of SCRAM');
    const [, serverNonce = '', salt = '', rounds = ''] = said;
    if (!serverNonce.startsWith(nonce) || serverNonce.length === nonce.length)
      throw new ScramError('its nonce does not go on from ours');
    const iterations = Number(rounds);
    if (iterations < iterationsMin)
      throw new ScramError(
        `it asks for ${rounds} iterations without TLS, and fewer than ${String(iterationsMin)} would help to guess the password`,
      );
    if (iterations > iterationsMax)
      throw new ScramError(
        `it asks for ${rounds} iterations, and no more than ${String(iterationsMax)} are done (databaseLoginIterationsMax)`,
        'databaseLoginIterationsMax',
      );
    const bound = this.mechanism === 'SCRAM-SHA-256-PLUS' ? binding : undefined;
    const channel = Buffer.concat([Buffer.from(this.#header), bound ?? new Uint8Array(0)]).toString('base64');
    const withoutProof = `c=${channel},r=${serverNonce}`;
    const salted = await derive(
      preparedPassword(password.reveal()),
      Buffer.from(salt, 'base64'),
      iterations,
      32,
      'sha256',
    );
    const signed = `${this.#bare},${serverFirst},${withoutProof}`;
    const clientKey = hmac(salted, 'Client Key');
    const proof = hmac(createHash('sha256').update(clientKey).digest(), signed);
    for (const [i, octet] of clientKey.entries()) proof[i] = (proof[i] ?? 0) ^ octet;
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), signed);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Whether the server's last message shows that it knows the password too. */
  verify(serverFinal: string): boolean {
    const expected = this.#serverSignature;
    const said = /^v=([A-Za-z0-9+/]+={0,2})$/.exec(serverFinal);
    if (expected === undefined || said === null) return false;
    const signature = Buffer.from(said[1] ?? '', 'base64');
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Code points from the first to the second. */
type Ranges = readonly (readonly [first: number, last: number])[];
/** Spaces that are mapped to the plain one, and what is mapped to nothing (RFC 3454, tables C.1.2 and B.1). */
const otherSpaces: Ranges = [
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200b],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const nothing: Ranges = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x1806, 0x1806],
  [0x180b, 0x180d],
  [0x200c, 0x200d],
  [0x2060, 0x2060],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
];
/** Prohibited beside what is of no use, unassigned or private (table C). */
const prohibited: Ranges = [
  [0x340, 0x341],
  [0x200e, 0x200f],
  [0x202a, 0x202e],
  [0x206a, 0x206f],
  [0x2ff0, 0x2ffb],
  [0xfff9, 0xfffd],
];

/** SASLprep (RFC 4013) without its rule for text that runs both ways, for which PostgreSQL takes the password as it is. */
export function preparedPassword(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password;
  const mapped = [...password].map((one) => (isIn(otherSpaces, one) ? ' ' : isIn(nothing, one) ? '' : one));
  const prepared = mapped.join('').normalize('NFKC');
  const isProhibited = [...prepared].some(
    (one) => /[\p{Cc}\p{Cn}\p{Co}\p{Cs}]/u.test(one) || isIn(prohibited, one),
  );
  // Then PostgreSQL takes it as it is.
  return prepared === '' || isProhibited ? password : prepared;
}

function isIn(ranges: Ranges, character: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  return ranges.some(([first, last]) => first <= point && point <= last);
}
