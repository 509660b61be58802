// Tokens that all gateways on one store share. Whoever asks for the next ones says so in the store first, and writes them there before anybody uses
// them: so no two gateways ask with one refresh token, and one that is killed leaves behind that it asked.

import { setTimeout as wait } from 'node:timers/promises';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { KeptToken, KeptTokenStore } from '../../../store/kept-token-store.ts';
import type { KeptSeal } from './kept-seal.ts';
import { type KeptValue, keptValueSchema } from './kept-value.ts';

/** A row, opened. */
export interface Kept extends Pick<KeptToken, 'version' | 'lifetimeMs' | 'ageMs' | 'attempts'> {
  readonly value: KeptValue;
}

/** What a server said to the question for new tokens. */
export type Renewal =
  | { readonly kind: 'given'; readonly value: KeptValue; readonly lifetimeMs: number | undefined }
  /** Whoever asks again gets the same: only a new log-in helps. `word`: RFC 6749 §5.2. */
  | { readonly kind: 'refused'; readonly word: string }
  /** Nothing came of it. `isSent`: the server may have seen the question. */
  | { readonly kind: 'failed'; readonly isSent: boolean; readonly error: ProxyError };

/** What people are told of. */
export type KeptTold =
  /** A gateway asked with the same refresh token before, and wrote no response down. */
  | { readonly kind: 'asked_again'; readonly id: string; readonly attempts: number }
  | {
      readonly kind: 'refused';
      readonly id: string;
      readonly word: string;
      /** How often a response may have got lost before. */
      readonly attempts: number;
    };

export interface KeptTokensOptions {
  readonly store: KeptTokenStore;
  readonly seal: KeptSeal;
  /** This process. */
  readonly holderId: string;
  readonly onFault: (error: ProxyError) => void;
  readonly onTold?: (told: KeptTold) => void;
  /** For tests. */
  readonly pause?: (ms: number) => Promise<void>;
}

/** No tokens, or none that are taken: a person has to log in. */
export class NotLoggedIn extends ProxyError {}

export class KeptTokens implements AsyncDisposable {
  readonly #options: KeptTokensOptions;
  readonly #pause: (ms: number) => Promise<void>;
  /** New tokens that the store does not have yet. */
  readonly #unwritten = new Map<string, Promise<void>>();
  #isClosed = false;

  constructor(options: KeptTokensOptions) {
    this.#options = options;
    this.#pause = options.pause ?? ((ms) => wait(ms));
  }

  /** @throws NotLoggedIn; ProxyError credential_unavailable, store_unavailable */
  async read(id: string): Promise<Kept> {
    await this.#written(id, defaultLimits.keptTokenWaitMs);
    const row = await this.#options.store.read(id);
    if (row === undefined) throw notLoggedIn(id, 'nobody has logged in');
    return await this.#opened(row);
  }

  /** Of a log-in: whatever was there before. @throws ProxyError credential_unavailable, store_unavailable */
  async put(id: string, value: KeptValue, lifetimeMs: number | undefined): Promise<void> {
    const { store, seal } = this.#options;
    await store.put(id, { sealed: await seal.seal(id, value), lifetimeMs });
  }

  /**
   * What follows that version: asked for by this process, or by another one meanwhile. `ask` never throws.
   * @throws NotLoggedIn; ProxyError credential_unavailable, store_unavailable
   */
  async renew(id: string, version: number, ask: (value: KeptValue) => Promise<Renewal>): Promise<Kept> {
    const { store, holderId, onTold } = this.#options;
    const { keptTokenClaimMs: claimMs, keptTokenWaitMs, keptTokenRetryMs } = defaultLimits;
    for (let waitedMs = 0; ;) {
      const kept = await this.read(id);
      if (kept.version !== version) return kept;
      const claim = await store.claim(id, { version, holderId, claimMs });
      if (claim.kind === 'changed') continue;
      if (claim.kind === 'taken') {
        if (waitedMs >= keptTokenWaitMs)
          throw new ProxyError(
            'credential_unavailable',
            'another gateway asks for new tokens, and has none yet; try again later',
          );
        await this.#pause(keptTokenRetryMs);
        waitedMs += keptTokenRetryMs;
        continue;
      }
      const { attempts, isLeft } = claim;
      if (isLeft) onTold?.({ kind: 'asked_again', id, attempts });
      if (await this.#asked(id, { ...kept, attempts }, ask)) return await this.read(id);
    }
  }

  /** False if somebody else wrote meanwhile, so that it is looked at again. */
  async #asked(id: string, kept: Kept, ask: (value: KeptValue) => Promise<Renewal>): Promise<boolean> {
    const { store, holderId, onTold } = this.#options;
    const { version, attempts } = kept;
    const renewal = await ask(kept.value);
    switch (renewal.kind) {
      case 'given': {
        const { value, lifetimeMs } = renewal;
        const written = this.#write(id, { version, value, lifetimeMs });
        this.#unwritten.set(id, written);
        await this.#written(id, defaultLimits.keptTokenWaitMs);
        return true;
      }
      case 'refused': {
        const { word } = renewal;
        // Another gateway may have had the response of before after all.
        if (!(await store.refuse(id, { version, word }))) return false;
        onTold?.({ kind: 'refused', id, word, attempts });
        throw refusedError(id, word, attempts);
      }
      case 'failed':
        await store
          .letGo(id, { version, holderId, isSent: renewal.isSent })
          .catch((error: unknown) => this.#options.onFault(asProxyError(error)));
        throw renewal.error;
    }
  }

  /** At the end of the process: what the store does not have yet is tried for a moment longer. */
  async [Symbol.asyncDispose](): Promise<void> {
    const unwritten = [...this.#unwritten.keys()];
    await Promise.allSettled(unwritten.map((id) => this.#written(id, defaultLimits.keptTokenFarewellMs)));
    this.#isClosed = true;
  }

  /** The write goes on, whoever waits for it no longer. @throws ProxyError credential_unavailable */
  async #written(id: string, waitMs: number): Promise<void> {
    const writing = this.#unwritten.get(id);
    if (writing === undefined) return;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new ProxyError('credential_unavailable', 'new tokens cannot be written to the store yet'));
    }, waitMs);
    await Promise.race([writing, late]).finally(() => clearTimeout(timer));
  }

  /** Until the store has it: there is no other place where the new refresh token is. */
  async #write(
    id: string,
    {
      version,
      value,
      lifetimeMs,
    }: { readonly version: number; readonly value: KeptValue; readonly lifetimeMs: number | undefined },
  ): Promise<void> {
    const { store, seal, onFault } = this.#options;
    const beganMs = performance.now();
    try {
      for (let isTold = false; ;) {
        try {
          const sealed = await seal.seal(id, value);
          const passedMs = Math.round(performance.now() - beganMs);
          const leftMs = lifetimeMs === undefined ? undefined : Math.max(0, lifetimeMs - passedMs);
          // What somebody else wrote meanwhile is of a later log-in, or as good.
          await store.commit(id, { version, sealed, lifetimeMs: leftMs });
          return;
        } catch (error) {
          if (this.#isClosed) return;
          if (!isTold) onFault(asProxyError(error));
          isTold = true;
          await this.#pause(defaultLimits.keptTokenRetryMs);
        }
      }
    } finally {
      this.#unwritten.delete(id);
    }
  }

  async #opened(row: KeptToken): Promise<Kept> {
    const { id, state, version, lifetimeMs, ageMs, attempts } = row;
    if (state === 'refused') throw refusedError(id, row.word ?? 'invalid_grant', 0);
    const value = keptValueSchema.safeParse(await this.#options.seal.open(id, row.sealed));
    if (!value.success)
      throw notLoggedIn(id, 'its tokens in the store are sealed by a key that is lost, or were changed');
    return { version, lifetimeMs, ageMs, attempts, value: value.data };
  }
}

/** What is sealed by a key of before goes with it. */
export function logInWord(id: string): string {
  return `log in by "upstreamproxy credential login ${id.replace(/^credential\//, '')}"`;
}

function notLoggedIn(id: string, why: string): NotLoggedIn {
  return new NotLoggedIn('credential_unavailable', `${why}: ${logInWord(id)}`);
}

function refusedError(id: string, word: string, attempts: number): NotLoggedIn {
  const lost =
    attempts === 0
      ? ''
      : '; an earlier response of the server got lost, for a gateway ended before it could write it down or the connection broke, and this server takes no refresh token twice';
  return notLoggedIn(id, `the server takes the refresh token no more (${word})${lost}`);
}
