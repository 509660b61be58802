// SCRAM-SHA-256 towards a client (RFC 5802, RFC 7677): it proves the text that stands in its container in place of a password, and sees
// that it speaks to the gateway that it has the certificate of (RFC 5929 §4.1).

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { preparedPassword, ScramError } from './scram.ts';

const derive = promisify(pbkdf2);

/** As PostgreSQL has it. What is proven here is no secret, so more would be for nothing. */
const iterations = 4096;
/** `[a-z]=` names what is not known here, and `,` ends the nonce. */
const clientFirstPattern = /^(p=tls-server-end-point|y|n),,(n=[^,\0]*,r=([\x21-\x2b\x2d-\x7e]{1,256}))$/;
const clientFinalPattern =
  /^(c=([A-Za-z0-9+/]+={0,2}),r=([\x21-\x2b\x2d-\x7e]{1,512})),p=([A-Za-z0-9+/]{43}=)$/;

export interface ScramServerOptions {
  readonly password: string;
  /** Random, printable, without a comma. */
  readonly nonce: string;
  readonly salt: Uint8Array;
  /** Hash of the certificate that the client was shown; undefined: there is none, or nothing can be bound to it. */
  readonly binding: Uint8Array | undefined;
}

/** One log-in: `first` with what the client said first, then `final`. */
export class ScramServer {
  readonly mechanisms: readonly string[];
  readonly #options: ScramServerOptions;
  #begun:
    | { readonly channel: Buffer; readonly bare: string; readonly first: string; readonly nonce: string }
    | undefined;

  constructor(options: ScramServerOptions) {
    this.#options = options;
    this.mechanisms = [...(options.binding === undefined ? [] : ['SCRAM-SHA-256-PLUS']), 'SCRAM-SHA-256'];
  }

  /** What goes back. @throws ScramError */
  first(mechanism: string, clientFirst: string): string {
    if (!this.mechanisms.includes(mechanism))
      throw new ScramError('it chose a mechanism that was not offered');
    const said = clientFirstPattern.exec(clientFirst);
    if (said === null) throw new ScramError('its first message is not one of SCRAM');
    const [, flag = '', bare = '', clientNonce = ''] = said;
    const { binding, nonce, salt } = this.#options;
    const binds = mechanism === 'SCRAM-SHA-256-PLUS';
    if (binds !== flag.startsWith('p='))
      throw new ScramError('its mechanism and what it says of channel binding do not go together');
    // It saw no offer of what was offered: somebody took it out on the way.
    if (flag === 'y' && binding !== undefined)
      throw new ScramError('it could bind the channel, and did not see that this was offered');
    const whole = clientNonce + nonce;
    const first = `r=${whole},s=${Buffer.from(salt).toString('base64')},i=${String(iterations)}`;
    const bound = binds ? binding : undefined;
    const channel = Buffer.concat([Buffer.from(`${flag},,`), bound ?? new Uint8Array(0)]);
    this.#begun = { channel, bare, first, nonce: whole };
    return first;
  }

  /** What goes back where the client has shown that it knows the text. @throws ScramError */
  async final(clientFinal: string): Promise<string> {
    const begun = this.#begun;
    this.#begun = undefined;
    const said = clientFinalPattern.exec(clientFinal);
    if (begun === undefined || said === null) throw new ScramError('its last message is not one of SCRAM');
    const [, withoutProof = '', channel = '', nonce = '', proof = ''] = said;
    if (!isSame(Buffer.from(channel, 'base64'), begun.channel))
      throw new ScramError('it is bound to another certificate than the one of this connection');
    if (nonce !== begun.nonce) throw new ScramError('its nonce is another one');
    const { password, salt } = this.#options;
    const salted = await derive(preparedPassword(password), salt, iterations, 32, 'sha256');
    const signed = `${begun.bare},${begun.first},${withoutProof}`;
    const storedKey = sha256(hmac(salted, 'Client Key'));
    const clientKey = Buffer.from(proof, 'base64');
    for (const [i, octet] of hmac(storedKey, signed).entries()) clientKey[i] = (clientKey[i] ?? 0) ^ octet;
    if (!isSame(sha256(clientKey), storedKey)) throw new ScramError('it has another password');
    return `v=${hmac(hmac(salted, 'Server Key'), signed).toString('base64')}`;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
