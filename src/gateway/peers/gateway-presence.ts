// Says in the store that this process serves, where others reach it, and up to which change it has ended sessions.

import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayNote, GatewayStore } from '../../store/gateway-store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { PeerDirectory } from './peer-directory.ts';

export interface GatewayPresenceOptions {
  readonly store: GatewayStore;
  readonly incarnation: string;
  readonly peerAddress: string | undefined;
  readonly changeSeen: () => number;
  /** Of an identity in the store: names of the keys that can open it here. */
  readonly identityKeys: () => readonly string[] | undefined;
  readonly directory: PeerDirectory;
  /** Whether it also forgets those that are long gone. One of several is enough. */
  readonly isOnDuty: () => boolean;
  readonly onFault: (error: ProxyError) => void;
  /** How long those are remembered that say nothing any more. */
  readonly rememberedMs: number;
}

/** Says it again and again until it is closed, and then that it leaves. */
export class GatewayPresenceWriter implements AsyncDisposable {
  readonly #options: GatewayPresenceOptions;
  readonly #repeated: RepeatedLook;
  #state: GatewayNote['state'] = 'serving';
  #looks = 0;
  #said = 0;
  #saidMs = 0;

  private constructor(options: GatewayPresenceOptions) {
    this.#options = options;
    this.#repeated = new RepeatedLook({
      look: () => this.#look(),
      intervalMs: defaultLimits.gatewayNoteMs,
      onFault: options.onFault,
    });
  }

  /** Before anybody is served: who has a tunnel of this process finds it. Throws ProxyError `store_unavailable`. */
  static async open(options: GatewayPresenceOptions): Promise<GatewayPresenceWriter> {
    const writer = new GatewayPresenceWriter(options);
    await writer.#look();
    writer.#repeated.start();
    return writer;
  }

  /** What has not been said in the store, or not for as long as a lease may be without it. */
  get unsaid(): number | undefined {
    const taken = this.#options.changeSeen();
    const isOld = performance.now() - this.#saidMs > 2 * defaultLimits.gatewayNoteMs;
    return isOld || taken > this.#said ? taken : undefined;
  }

  /** A change was seen: it is said soon. */
  changed(): void {
    this.#repeated.soon();
  }

  /** From now on it takes nothing new. */
  drain(): void {
    this.#state = 'draining';
    this.#repeated.soon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#repeated.close();
    this.#state = 'left';
    await this.#note().catch((error: unknown) => this.#options.onFault(asProxyError(error)));
  }

  async #look(): Promise<void> {
    const { directory, store, isOnDuty, rememberedMs } = this.#options;
    await this.#note();
    await directory.learn();
    this.#looks += 1;
    // Nearly always there is nothing.
    if (this.#looks % 100 === 1 && isOnDuty()) await store.prune(rememberedMs);
  }

  async #note(): Promise<void> {
    const { store, incarnation, peerAddress, changeSeen, identityKeys } = this.#options;
    const said = changeSeen();
    const begunMs = performance.now();
    await store.note(
      { incarnation, peerAddress, state: this.#state, changeSeen: said, identityKeys: identityKeys() },
      defaultLimits.gatewayLeaseMs,
    );
    this.#said = said;
    this.#saidMs = begunMs;
  }
}
