// The signing key of the gateway as its place has it, and what is accepted beside it: a rotation is taken without a restart.

import type { KeyObject } from 'node:crypto';
import type { ProxyError } from '../../protocol/error.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { JwtMembers, SigningKey } from './signing-key.ts';

/** Three small files. The next key is accepted from then on, and may sign 30 s after it was made. */
const lookIntervalMs = 15_000;

export interface FollowedSigningKeyOptions {
  readonly place: {
    /** Makes the key where there is none and it may. Throws `signing_key_unusable`. */
    open(): Promise<SigningKey>;
    /** Makes nothing. Throws `signing_key_unusable`. */
    read(): Promise<SigningKey>;
    /** Calls the listener when there is something else to read. */
    watch?(listener: () => void): void;
  };
  readonly log: (level: 'info' | 'error', message: string) => void;
}

/** Looks until it is closed. What cannot be used changes nothing, and no new key is made for one that is missing. */
export class FollowedSigningKey implements SigningKey, AsyncDisposable {
  readonly #options: FollowedSigningKeyOptions;
  readonly #repeated: RepeatedLook;
  #keys: SigningKey;
  /** Told once, and again when it is another one. */
  #fault = '';

  private constructor(options: FollowedSigningKeyOptions, keys: SigningKey) {
    this.#options = options;
    this.#keys = keys;
    const onFault = (error: ProxyError): void => this.#tell(error);
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: lookIntervalMs, onFault });
    this.#repeated.start();
    options.place.watch?.(() => void this.look());
  }

  /** Makes the key where its place does. Throws ProxyError `signing_key_unusable`. */
  static async open(options: FollowedSigningKeyOptions): Promise<FollowedSigningKey> {
    return new FollowedSigningKey(options, await options.place.open());
  }

  get kid(): string {
    return this.#keys.kid;
  }

  get publicKey(): KeyObject {
    return this.#keys.publicKey;
  }

  get publicKeys(): readonly KeyObject[] {
    return this.#keys.publicKeys;
  }

  publicKeyOf(kid: unknown): KeyObject | undefined {
    return this.#keys.publicKeyOf(kid);
  }

  signText(text: Uint8Array): Uint8Array {
    return this.#keys.signText(text);
  }

  signJwt(typ: string, claims: JwtMembers): string {
    return this.#keys.signJwt(typ, claims);
  }

  /** Looks now. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(): Promise<void> {
    const before = this.kid;
    this.#keys = await this.#options.place.read();
    this.#fault = '';
    if (this.kid !== before) this.#options.log('info', 'another key signs tokens now');
  }

  #tell({ message }: ProxyError): void {
    if (message === this.#fault) return;
    this.#fault = message;
    this.#options.log('error', `${message} The key of before serves on.`);
  }
}
