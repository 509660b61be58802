// What is in force, from a gateway that is followed, while the store is away from this one alone: policies and grants as they were published
// and granted meanwhile, and keys that were rotated. It is asked for only when that one has taken more than has been heard of here.

import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ChangePlace } from '../../store/change-store.ts';
import type { SealedIdentity } from '../../store/gateway-store.ts';
import type { StoreAbsence } from '../../store/store-outage.ts';
import type { KnownStore, StartFacts } from '../changes/known-store.ts';
import type { TakenChanges } from '../changes/taken-changes.ts';
import type { KnownPeer } from './peer-directory.ts';

export interface HeardFactsOptions {
  readonly known: Pick<KnownStore, 'hear' | 'hearIdentity' | 'facts'>;
  readonly changes: Pick<TakenChanges, 'hand' | 'history' | 'number'>;
  readonly absence: StoreAbsence;
  /** The signal gives it up. */
  readonly ask: (peer: KnownPeer, signal: AbortSignal) => Promise<StartFacts>;
  /** Of keys that are in the store: a later version of them can be read, as it is sealed there. Gives whether it was opened and taken. */
  readonly onIdentity?: (identity: SealedIdentity) => Promise<boolean>;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
  readonly onFault: (error: ProxyError) => void;
}

/** The key of what could not be opened may come from a program. */
const refusedMs = 30_000;

export class HeardFacts implements AsyncDisposable {
  readonly #options: HeardFactsOptions;
  #asking: Promise<void> | undefined;
  readonly #stop = new AbortController();
  #fault = '';
  /** Gateways whose version of the identity could not be opened here, with when they are asked again; others are asked all the same. */
  readonly #refused = new Map<string, number>();

  constructor(options: HeardFactsOptions) {
    this.#options = options;
  }

  /** That one has taken so much, and all that ended up to there has been heard. One is asked at a time; it says so again each second. */
  onTaken(peer: KnownPeer, place: ChangePlace): void {
    if (this.#isNews(place)) this.#ask(() => this.#take(peer, place));
  }

  /** That one has that version of the identity in the store. */
  onIdentity(peer: KnownPeer, version: number): void {
    const { known, absence, onIdentity } = this.#options;
    const isLater = version > (known.facts.identity?.version ?? Infinity);
    if (onIdentity === undefined || absence.sinceMs === undefined || !isLater) return;
    if (this.#now() < (this.#refused.get(peer.incarnation) ?? 0)) return;
    this.#ask(async () => {
      const facts = await this.#options.ask(peer, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const heard = await known.hearIdentity(facts, onIdentity);
      this.#refused.delete(peer.incarnation);
      if (heard === 'refused') this.#refuse(peer);
    });
  }

  #refuse({ incarnation }: KnownPeer): void {
    const [oldest] = this.#refused.keys();
    if (oldest !== undefined && this.#refused.size >= defaultLimits.peersAskedMax)
      this.#refused.delete(oldest);
    this.#refused.set(incarnation, this.#now() + refusedMs);
  }

  #now(): number {
    return (this.#options.ticks ?? (() => performance.now()))();
  }

  /** One at a time. */
  #ask(question: () => Promise<void>): void {
    if (this.#stop.signal.aborted || this.#asking !== undefined) return;
    this.#asking = question()
      .then(
        () => (this.#fault = ''),
        (error: unknown) => this.#tell(asProxyError(error)),
      )
      .then(() => {
        this.#asking = undefined;
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#asking;
  }

  #isNews({ history, number }: ChangePlace): boolean {
    const { changes, absence } = this.#options;
    return absence.sinceMs !== undefined && history === changes.history && number > changes.number;
  }

  async #take(peer: KnownPeer, place: ChangePlace): Promise<void> {
    const { ask, known, changes } = this.#options;
    const { signal } = this.#stop;
    const facts = await ask(peer, signal);
    // No less than it has said; and of what it has taken since, the endings may be on their way.
    const isEnough = facts.place.history === place.history && facts.place.number >= place.number;
    if (!isEnough || signal.aborted || !this.#isNews(place) || !known.hear(facts)) return;
    await changes.hand(place);
  }

  #tell(error: ProxyError): void {
    if (this.#stop.signal.aborted || error.message === this.#fault) return;
    this.#fault = error.message;
    this.#options.onFault(error);
  }
}
