// Follows a few other gateways for what ended: while the store is away from this one alone, they know. They hand on what they heard
// from others, and who follows whom is a ring, so each gateway hears of all as long as there is a way.

import { setTimeout as wait } from 'node:timers/promises';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ChangePlace } from '../../store/change-store.ts';
import type { NumberedEnding } from '../../store/store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { areSiblings } from '../tunnels/incarnation.ts';
import { linesOf, readChangeLine, sendLine, toldSchema } from './change-lines.ts';
import { connectPeer } from './peer-connection.ts';
import type { KnownPeer, PeerDirectory } from './peer-directory.ts';
import { changesProtocol, type PeerIdentity } from './peer-identity.ts';
import { UnreachedPeers } from './unreached-peers.ts';

const lookIntervalMs = 500;
/** One that could not be reached is passed over for so long. */
const retryMs = 5000;
/** What is taken is said in the store first; who reaches it has said it by then. */
const sayIntervalMs = 300;

export interface FollowedPeersOptions {
  readonly identity: PeerIdentity;
  readonly directory: PeerDirectory;
  /** Where others reach this one. */
  readonly address?: string;
  /** Up to which number endings were read from the store. */
  readonly sequence: () => number;
  /** Ends those of them that live here. */
  readonly hear: (endings: readonly NumberedEnding[], history: string | undefined) => void;
  /** One has taken all up to that change; its endings have been heard. */
  readonly onTaken?: (peer: KnownPeer, place: ChangePlace) => void;
  /** One has that version of the identity in the store. */
  readonly onIdentity?: (peer: KnownPeer, version: number) => void;
  /** Of which history of the store the numbers here are. */
  readonly history: () => string | undefined;
  /** What was taken here and could not be said in the store. */
  readonly unsaid: () => number | undefined;
  readonly onFault: (error: ProxyError) => void;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
}

export class FollowedPeers implements AsyncDisposable {
  readonly #options: FollowedPeersOptions;
  readonly #repeated: RepeatedLook;
  readonly #following = new Map<string, Promise<void>>();
  /** Until when one is passed over. */
  readonly #failed = new Map<string, number>();
  readonly #unreached: UnreachedPeers;
  readonly #stop = new AbortController();

  constructor(options: FollowedPeersOptions) {
    this.#options = options;
    const { onFault } = options;
    this.#unreached = new UnreachedPeers(onFault, () => this.#now());
    this.#repeated = new RepeatedLook({
      look: () => this.#look(),
      intervalMs: lookIntervalMs,
      firstMs: 0,
      onFault,
    });
    this.#repeated.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#repeated.close();
    await Promise.all(this.#following.values());
  }

  #look(): void {
    const { identity, directory } = this.#options;
    const nowMs = this.#now();
    for (const [name, untilMs] of this.#failed) if (untilMs <= nowMs) this.#failed.delete(name);
    this.#unreached.keep(directory.lastCurrent);
    for (const peer of behind(identity.incarnation, directory.lastCurrent)) {
      if (this.#following.size >= defaultLimits.peerFeedsMax) return;
      const { incarnation } = peer;
      if (this.#following.has(incarnation) || this.#failed.has(incarnation)) continue;
      const following = this.#follow(peer)
        .catch((error: unknown) => this.#unreached.failed(peer, error))
        .then(() => {
          this.#following.delete(incarnation);
          this.#failed.set(incarnation, this.#now() + retryMs);
        });
      this.#following.set(incarnation, following);
    }
  }

  #now(): number {
    return (this.#options.ticks ?? (() => performance.now()))();
  }

  /** Until the connection ends. Rejects with why. */
  async #follow(peer: KnownPeer): Promise<void> {
    const { incarnation, address } = peer;
    const { identity, address: at, sequence, hear, history } = this.#options;
    const found = await connectPeer(address, incarnation, identity, changesProtocol);
    if (found.kind === 'absent') throw new Error('no gateway, or another one, responds');
    this.#unreached.reached(peer);
    const { socket } = found;
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    const stop = (): void => void socket.destroy();
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    try {
      if (this.#stop.signal.aborted) return;
      await sendLine(socket, { above: sequence(), history: history(), at });
      const saying = this.#say(socket, gone.signal);
      for await (const line of linesOf(socket)) {
        const told = readChangeLine(toldSchema, line);
        if (told.endings.length > 0) hear(told.endings, told.history);
        const { history: ofPeer, taken: number, identity: version } = told;
        if (ofPeer !== undefined && number !== undefined)
          this.#options.onTaken?.(peer, { history: ofPeer, number });
        if (version !== undefined) this.#options.onIdentity?.(peer, version);
      }
      await saying;
    } finally {
      this.#stop.signal.removeEventListener('abort', stop);
      socket.destroy();
    }
  }

  async #say(socket: Parameters<typeof sendLine>[0], gone: AbortSignal): Promise<void> {
    while (!gone.aborted) {
      await wait(sayIntervalMs, undefined, { signal: gone }).catch(() => undefined);
      const taken = this.#options.unsaid();
      await sendLine(socket, taken === undefined ? {} : { taken, history: this.#options.history() });
    }
  }
}

/** Others in the order of their names, from the own one on and around. */
function behind(own: string, known: readonly KnownPeer[]): readonly KnownPeer[] {
  const others = known
    .filter(({ incarnation }) => !areSiblings(incarnation, own))
    .toSorted((a, b) => (a.incarnation < b.incarnation ? -1 : 1));
  const next = others.findIndex(({ incarnation }) => incarnation > own);
  return next === -1 ? others : [...others.slice(next), ...others.slice(0, next)];
}
