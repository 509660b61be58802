// What waits for what follows goes on when nothing came for a second: a client may wait for a response before it goes on.

import { defaultLimits } from '../../protocol/limits.ts';

export class QuietTimer implements Disposable {
  readonly #letGo: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(letGo: () => void) {
    this.#letGo = letGo;
  }

  /** Something came. */
  restart(): void {
    if (this.#timer !== undefined) this.#timer.refresh();
    else this.#timer = setTimeout(this.#letGo, defaultLimits.leakQuietMs).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
