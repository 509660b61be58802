// Where other gateways are: what the store says of them, kept for the time in which the store says nothing.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayPresence, GatewayStore } from '../../store/gateway-store.ts';

export type PeerPlace =
  | { readonly kind: 'at'; readonly address: string }
  /** It said that it leaves. */
  | { readonly kind: 'gone' }
  /** The store has not heard of it, or not any more, and may be behind. */
  | { readonly kind: 'unknown' }
  /** It is there, or was a moment ago, and nobody can be sent to it. */
  | { readonly kind: 'unreachable' };

/** One that others reach. */
export interface KnownPeer {
  readonly incarnation: string;
  readonly address: string;
}

export class PeerDirectory {
  readonly #store: Pick<GatewayStore, 'find' | 'current'>;
  /** The addresses of processes, which never change. */
  readonly #addresses = new Map<string, string>();

  #lastCurrent: readonly KnownPeer[] = [];

  constructor(store: Pick<GatewayStore, 'find' | 'current'>) {
    this.#store = store;
  }

  /** Learns who is there. Throws ProxyError `store_unavailable`. */
  async learn(): Promise<void> {
    const current = await this.#store.current(defaultLimits.peersKnownMax);
    for (const one of current) this.#keep(one);
    this.#lastCurrent = current.flatMap(({ incarnation, peerAddress: address }) =>
      address === undefined ? [] : [{ incarnation, address }],
    );
  }

  /** One says where it is: the store may not. */
  heard(peer: KnownPeer): void {
    const { incarnation, address } = peer;
    this.#keep({ incarnation, peerAddress: address });
    // Whoever was there before is gone.
    const others = this.#lastCurrent.filter(
      (one) => one.address !== address && one.incarnation !== incarnation,
    );
    this.#lastCurrent = [...others.slice(-defaultLimits.peersKnownMax + 1), peer];
  }

  /** Those that served when the store was last asked, and those that were heard of since. */
  get lastCurrent(): readonly KnownPeer[] {
    return this.#lastCurrent;
  }

  /** Throws ProxyError `peer_unreachable` where the store does not say. */
  async find(incarnation: string): Promise<PeerPlace> {
    const address = this.#addresses.get(incarnation);
    if (address !== undefined) return { kind: 'at', address };
    const found = await this.#ask(incarnation);
    if (found === undefined) return { kind: 'unknown' };
    if (found.state === 'left') return { kind: 'gone' };
    if (found.peerAddress === undefined) return { kind: found.isCurrent ? 'unreachable' : 'unknown' };
    this.#keep(found);
    return { kind: 'at', address: found.peerAddress };
  }

  /** Whether it said that it leaves. Throws as `find` does. */
  async hasLeft(incarnation: string): Promise<boolean> {
    return (await this.#ask(incarnation))?.state === 'left';
  }

  /** It could not be reached: whether the store knows that it is gone. Throws as `find` does. */
  async isGone(incarnation: string): Promise<boolean> {
    const found = await this.#ask(incarnation);
    const isGone = found === undefined || found.state === 'left' || !found.isCurrent;
    if (isGone) this.#addresses.delete(incarnation);
    return isGone;
  }

  async #ask(incarnation: string): Promise<GatewayPresence | undefined> {
    try {
      return await this.#store.find(incarnation);
    } catch (error) {
      throw new ProxyError('peer_unreachable', 'it is not known which gateway has the tunnel', {
        cause: error,
      });
    }
  }

  #keep({ incarnation, peerAddress }: Pick<GatewayPresence, 'incarnation' | 'peerAddress'>): void {
    if (peerAddress === undefined) return;
    const [oldest] = this.#addresses.keys();
    if (oldest !== undefined && this.#addresses.size >= defaultLimits.peersKnownMax)
      this.#addresses.delete(oldest);
    this.#addresses.set(incarnation, peerAddress);
  }
}
