// The newest head of a checksum database that gateways of the store saw. A database that shows an older tree, or another one, has to show that
// it is one with that, also to a gateway that started again.

import type { TreeHeadStore } from '../../../store/tree-head-store.ts';
import { type NoteKey, openHead, type SignedHead } from './signed-note.ts';

export class NewestHead {
  readonly #key: NoteKey;
  readonly #store: TreeHeadStore;
  #reading: Promise<void> | undefined;
  #isRead = false;
  #known: SignedHead | undefined;
  /** What the store had when this process looked last. */
  #stored: string | undefined;
  #saving: Promise<void> | undefined;
  /** How often the store had another one than this process knew of. */
  #surprises = 0;

  constructor(key: NoteKey, store: TreeHeadStore) {
    this.#key = key;
    this.#store = store;
  }

  /** @throws ProxyError store_unavailable where the store never said it: it could be of another tree */
  async read(): Promise<SignedHead | undefined> {
    if (!this.#isRead) await (this.#reading ??= this.#readStored());
    return this.#known;
  }

  /**
   * That a head was found to be one with `known`. False where another one is known by now: then it has to be one with that. A store that is away
   * is told with the next head.
   */
  async advance(known: SignedHead | undefined, head: SignedHead): Promise<boolean> {
    if (known !== this.#known) return false;
    if (known !== undefined && known.size >= head.size) return true;
    this.#known = head;
    const surprises = this.#surprises;
    this.#saving ??= this.#save();
    await this.#saving;
    return this.#surprises === surprises;
  }

  async #readStored(): Promise<void> {
    try {
      this.#take(await this.#store.find(this.#key.text));
      this.#isRead = true;
    } finally {
      this.#reading = undefined;
    }
  }

  /** One at a time, each with the newest. */
  async #save(): Promise<void> {
    // Whoever began it knows of it before it ends.
    await Promise.resolve();
    try {
      for (let next = this.#known; next !== undefined && next.note !== this.#stored; next = this.#known) {
        const there = await this.#store.advance(this.#key.text, this.#stored, next.note);
        if (there !== next.note) {
          this.#take(there);
          this.#surprises += 1;
          return;
        }
        this.#stored = there;
      }
    } catch {
      // This process goes on by what it knows, and the next head is saved in its place.
    } finally {
      this.#saving = undefined;
    }
  }

  #take(stored: string | undefined): void {
    this.#stored = stored;
    // What nobody signed says nothing.
    this.#known = stored === undefined ? undefined : openHead(stored, this.#key);
  }
}
