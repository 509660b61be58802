// The signing key of the gateway as its place has it, and what is accepted beside it: a rotation is taken without a restart.

import type { KeyObject } from 'node:crypto';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProxyError } from '../../protocol/error.ts';
import { type JwtMembers, type SigningKey, thumbprintOf, type UnknownToken } from './signing-key.ts';

/** Three small files. The next key is accepted from then on, and may sign 30 s after it was made. */
const lookIntervalMs = 15_000;

/**
 * What is known behind a reading. `current`: there is no newer key. `late`: its place may bring one a little later. `unread`: it could not be
 * read.
 */
export type KeysReading = 'current' | 'late' | 'unread';

/** RFC 7638 with SHA-256. */
const kidForm = /^[A-Za-z0-9_-]{43}$/;

export interface FollowedSigningKeyOptions {
  readonly place: {
    /** Makes the key where there is none and it may. Throws `signing_key_unusable`. */
    open(): Promise<SigningKey>;
    /** Makes nothing. Throws `signing_key_unusable`. */
    read(): Promise<SigningKey>;
    /** Calls the listener when there is something else to read. */
    watch?(listener: () => void): void;
  };
  /** Reads what the place has its keys from. */
  readonly readAgain?: () => Promise<KeysReading>;
  readonly log: (level: 'info' | 'error', message: string) => void;
}

/** Looks until it is closed. What cannot be used changes nothing, and no new key is made for one that is missing. */
export class FollowedSigningKey implements SigningKey, AsyncDisposable {
  readonly #options: FollowedSigningKeyOptions;
  readonly #repeated: RepeatedLook;
  #keys: SigningKey;
  /** Told once, and again when it is another one. */
  #fault = '';
  #earlier: readonly SigningKey[] = [];
  #reading: Promise<KeysReading> | undefined;
  #last: KeysReading = 'current';
  #lastMs = Number.NEGATIVE_INFINITY;

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

  async soughtKey({ kid, iat, nowMs }: UnknownToken): Promise<KeyObject | undefined> {
    const known = this.publicKeyOf(kid);
    if (known !== undefined || typeof kid !== 'string' || !kidForm.test(kid) || this.#signedBefore(kid))
      return known;
    const reading = await this.#readAgain();
    const found = this.publicKeyOf(kid);
    if (found !== undefined || reading === 'current') return found;
    const madeMs = typeof iat === 'number' ? iat * 1000 : Number.NEGATIVE_INFINITY;
    if (reading === 'late' && Math.abs(nowMs - madeMs) > defaultLimits.newKeyWaitMs) return undefined;
    throw mayCome();
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

  #signedBefore(kid: string): boolean {
    return this.#earlier.some((keys) => keys.publicKeyOf(kid) !== undefined);
  }

  /** Whoever asks waits with the others, and strangers make nobody read all the time. */
  async #readAgain(): Promise<KeysReading> {
    const nowMs = performance.now();
    if (this.#reading === undefined && nowMs - this.#lastMs < defaultLimits.keySoughtIntervalMs)
      return this.#last === 'current' ? 'late' : this.#last;
    this.#reading ??= this.#read(nowMs).finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  async #read(nowMs: number): Promise<KeysReading> {
    const reading = (await this.#options.readAgain?.()) ?? 'current';
    const isRead = await this.#repeated.taken();
    this.#lastMs = nowMs;
    return (this.#last = isRead ? reading : 'unread');
  }

  async #look(): Promise<void> {
    const before = this.kid;
    const earlier = this.#keys;
    this.#keys = await this.#options.place.read();
    this.#fault = '';
    const names = (keys: SigningKey): string => keys.publicKeys.map((key) => thumbprintOf(key, '')).join();
    if (names(earlier) !== names(this.#keys))
      this.#earlier = [earlier, ...this.#earlier].slice(0, defaultLimits.retiredKeysKeptMax);
    if (this.kid !== before) this.#options.log('info', 'another key signs tokens now');
  }

  #tell({ message }: ProxyError): void {
    if (message === this.#fault) return;
    this.#fault = message;
    this.#options.log('error', `${message} The key of before serves on.`);
  }
}

function mayCome(): ProxyError {
  return new ProxyError(
    'store_unavailable',
    'The key that signed this token is not known here, and may be one that is new; try again later.',
    { retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
  );
}
