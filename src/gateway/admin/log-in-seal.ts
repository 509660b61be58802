// What is remembered of somebody who was sent to the identity provider: sealed, in a cookie of theirs, so that no stranger fills the gateway
// and any gateway of the same identity takes them back.

import { hkdfSync } from 'node:crypto';
import { z } from 'zod';
import { openOctets, sealingKeyBytes, sealOctets } from '../../system/sealed-octets.ts';
import type { SigningKey } from '../sessions/signing-key.ts';

const sealedSchema = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Where the identity provider sends back to. */
  redirectUri: z.string(),
  /** Where the person wanted to go. */
  to: z.string(),
  untilMs: z.number(),
});

export type SealedLogIn = Readonly<z.output<typeof sealedSchema>>;

/** A cookie has 4,096 bytes, with its name. */
const sealedCharactersMax = 3_900;
/** The signature of this text is the key: Ed25519 gives one text one signature (RFC 8032 §5.1.6), and nobody else can make it. */
const context = 'upstreamproxy log-in cookie 1\0';

export class LogInSeal {
  readonly #signer: Pick<SigningKey, 'kid' | 'signText'>;
  #known: { readonly kid: string; readonly key: Uint8Array } | undefined;

  constructor(signer: Pick<SigningKey, 'kid' | 'signText'>) {
    this.#signer = signer;
  }

  /** Undefined if it is too long for a cookie. */
  seal(logIn: SealedLogIn): string | undefined {
    const text = Buffer.from(JSON.stringify(logIn));
    const sealed = sealOctets(this.#key(), text, context).toString('base64url');
    return sealed.length <= sealedCharactersMax ? sealed : undefined;
  }

  /** Undefined for what was not sealed here, or is over. */
  open(sealed: string, nowMs: number): SealedLogIn | undefined {
    if (sealed.length > sealedCharactersMax || !/^[A-Za-z0-9_-]+$/.test(sealed)) return undefined;
    const text = openOctets(this.#key(), Buffer.from(sealed, 'base64url'), context);
    if (text === undefined) return undefined;
    // Sealed here, so it is what was written here, by this version or by another one.
    const { data } = sealedSchema.safeParse(JSON.parse(text.toString('utf8')));
    return data !== undefined && data.untilMs > nowMs ? data : undefined;
  }

  #key(): Uint8Array {
    const { kid } = this.#signer;
    if (this.#known?.kid !== kid) {
      const signature = this.#signer.signText(Buffer.from(context));
      this.#known = { kid, key: new Uint8Array(hkdfSync('sha256', signature, '', context, sealingKeyBytes)) };
    }
    return this.#known.key;
  }
}
