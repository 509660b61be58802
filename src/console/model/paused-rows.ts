// The part of the live list that a reader looks at: what was there when they began, whichever filter they choose meanwhile.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { LiveRows, Note } from './live-rows.ts';

/** Where the part ends that is shown. */
export interface ShownPart {
  readonly rows: number;
  /** How many requests that fit the filter it stands for. */
  readonly fitting: number;
}

interface Held {
  readonly events: readonly AuditEvent[];
  readonly notes: readonly Note[];
}

/** Takes what is held, a piece at a time, so that a page with many events stays quick; remembers where those up to `lastId` end. */
export class RowsTaking {
  readonly live: LiveRows;
  readonly lastId: string | undefined;
  readonly #before: Held;
  #part: ShownPart | undefined;
  #isWhole = false;

  /** Older events that are loaded meanwhile belong to the part. An event that is held no longer, or none, gives all that is there now. */
  constructor(live: LiveRows, { events, notes }: Held, lastId: string | undefined) {
    this.live = live;
    this.lastId = lastId;
    const at = lastId === undefined ? -1 : events.findLastIndex(({ id }) => id === lastId);
    // What was noted behind that event came later.
    this.#before =
      at < 0
        ? { events: events.slice(), notes }
        : { events: events.slice(0, at + 1), notes: notes.filter(({ afterId }) => afterId !== lastId) };
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Of what was held up to `lastId`; undefined until it is taken. */
  get part(): ShownPart | undefined {
    return this.#part;
  }

  /** Goes on with what is held now, until it is whole or `mayGoOn` says no. */
  step({ events, notes }: Held, mayGoOn: () => boolean = () => true): void {
    if (this.#isWhole) return;
    const { live } = this;
    if (this.#part === undefined) {
      if (!live.extend(this.#before.events, this.#before.notes, mayGoOn)) return;
      this.#part = { rows: live.rows.length, fitting: live.fitting };
    }
    this.#isWhole = live.extend(events, notes, mayGoOn);
  }
}

/** All at once. */
export function takePaused(live: LiveRows, held: Held, lastId: string | undefined): ShownPart {
  const taking = new RowsTaking(live, held, lastId);
  taking.step(held);
  return taking.part ?? { rows: live.rows.length, fitting: live.fitting };
}
