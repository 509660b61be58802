// Proofs that this process has seen, for the time in which the store cannot say: what it took before counts for them too.

import type { ProofStore, SeenProof } from '../../store/store.ts';

export class ProofMemory implements Pick<ProofStore, 'remember'> {
  /** By key and name; the oldest first. */
  readonly #seen = new Map<string, number>();
  readonly #byKey = new Map<string, number>();

  async remember(
    { keyThumbprint, jti, expiresMs }: SeenProof,
    bounds: { readonly nowMs: number; readonly proofsPerKeyMax: number; readonly proofsMax: number },
  ): Promise<'new' | 'seen' | 'full'> {
    const { nowMs, proofsPerKeyMax, proofsMax } = bounds;
    this.#forget(nowMs);
    const name = `${keyThumbprint} ${jti}`;
    if (this.#seen.has(name)) return 'seen';
    const ofKey = this.#byKey.get(keyThumbprint) ?? 0;
    if (ofKey >= proofsPerKeyMax || this.#seen.size >= proofsMax) return 'full';
    this.#seen.set(name, expiresMs);
    this.#byKey.set(keyThumbprint, ofKey + 1);
    return 'new';
  }

  #forget(nowMs: number): void {
    for (const [name, expiresMs] of this.#seen) {
      // Those behind it were made later, but for clocks of agents that differ: they stay a little longer than they must.
      if (expiresMs > nowMs) return;
      this.#seen.delete(name);
      const [keyThumbprint = ''] = name.split(' ', 1);
      const left = (this.#byKey.get(keyThumbprint) ?? 1) - 1;
      if (left > 0) this.#byKey.set(keyThumbprint, left);
      else this.#byKey.delete(keyThumbprint);
    }
  }
}
