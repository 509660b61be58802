// Keys and algorithms of HTTP Message Signatures (RFC 9421 §3.3). Signing is done in the pool of the runtime: RSA takes a millisecond or more.

import { Buffer } from 'node:buffer';
import { constants, createHmac, createPrivateKey, sign } from 'node:crypto';
import type { KeyObject, SignKeyObjectInput } from 'node:crypto';
import { defaultLimits } from '../../../protocol/limits.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';

export const signatureAlgorithms = ['ed25519', 'ecdsa-p256-sha256', 'rsa-pss-sha512', 'hmac-sha256'] as const;
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

interface Asymmetric {
  readonly digest: string | null;
  readonly options: Omit<SignKeyObjectInput, 'key'>;
  isFit(key: KeyObject): boolean;
  /** For errors. */
  readonly wants: string;
}

const asymmetric: Readonly<Record<Exclude<SignatureAlgorithm, 'hmac-sha256'>, Asymmetric>> = {
  ed25519: {
    digest: null,
    options: {},
    isFit: ({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519',
    wants: 'a key of Ed25519',
  },
  'ecdsa-p256-sha256': {
    digest: 'sha256',
    options: { dsaEncoding: 'ieee-p1363' },
    isFit: ({ asymmetricKeyDetails }) => asymmetricKeyDetails?.namedCurve === 'prime256v1',
    wants: 'a key of P-256',
  },
  'rsa-pss-sha512': {
    digest: 'sha512',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
    isFit: ({ asymmetricKeyType, asymmetricKeyDetails }) => {
      const { signatureKeyBitsMin, signatureKeyBitsMax } = defaultLimits;
      const bits = asymmetricKeyDetails?.modulusLength ?? 0;
      return (
        (asymmetricKeyType === 'rsa' || asymmetricKeyType === 'rsa-pss') &&
        bits >= signatureKeyBitsMin &&
        bits <= signatureKeyBitsMax
      );
    },
    wants: 'a key of RSA with 2,048 to 8,192 bits',
  },
};

/** Signs with what the source has at that moment; a key is read once, however often it is used. */
export class MessageSigner {
  readonly #name: string;
  readonly #algorithm: SignatureAlgorithm;
  readonly #keyEncoding: 'text' | 'base64';
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  #known: { readonly secret: Secret<string>; readonly key: KeyObject } | undefined;

  /** `name` is the credential's, for errors. */
  constructor(name: string, algorithm: SignatureAlgorithm, keyEncoding: 'text' | 'base64') {
    this.#name = name;
    this.#algorithm = algorithm;
    this.#keyEncoding = keyEncoding;
  }

  /** @throws ProxyError credential_unavailable, with nothing of the key */
  async sign(text: string, secret: Secret<string>): Promise<Buffer> {
    if (this.#algorithm === 'hmac-sha256')
      return createHmac('sha256', this.#sharedKey(secret)).update(text, 'latin1').digest();
    const { digest, options } = asymmetric[this.#algorithm];
    const input = { key: this.#keyOf(secret, asymmetric[this.#algorithm]), ...options };
    await this.#turn();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    try {
      sign(digest, Buffer.from(text, 'latin1'), input, (error, signature) => {
        if (error === null) resolve(signature);
        else reject(error);
      });
      return await promise;
    } catch {
      // Such as a key that is bound to another hash.
      throw this.#unusable(`it does not sign by ${this.#algorithm}`);
    } finally {
      this.#over();
    }
  }

  /** The pool of the runtime has four threads, in which files are read and names looked up too. Each that waits is a request. */
  async #turn(): Promise<void> {
    if (this.#running < defaultLimits.signaturesAtOnceMax) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #over(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }

  #sharedKey(secret: Secret<string>): Buffer {
    const text = secret.reveal();
    if (this.#keyEncoding === 'text') return Buffer.from(text);
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0)
      throw this.#unusable('the secret is not base64, as "keyEncoding" says');
    return Buffer.from(text, 'base64');
  }

  #keyOf(secret: Secret<string>, { isFit, wants }: Asymmetric): KeyObject {
    if (this.#known?.secret === secret) return this.#known.key;
    let key: KeyObject;
    try {
      key = createPrivateKey(`${secret.reveal()}\n`);
    } catch {
      // The library's reason may have some of the key in it.
      throw this.#unusable('it is not a private key as PEM, without a passphrase');
    }
    if (!isFit(key)) throw this.#unusable(`${this.#algorithm} needs ${wants}`);
    this.#known = { secret, key };
    return key;
  }

  #unusable(reason: string): ProxyError {
    return new ProxyError('credential_unavailable', `credential ${this.#name}: ${reason}`);
  }
}
