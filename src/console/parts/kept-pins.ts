// Events that somebody marked: they stay at hand while the list goes on, also where what is held begins behind them. They are gone with the log-in.

import type { AuditEvent } from '../../api/audit-event.ts';

const pinsMost = 50;

export class KeptPins {
  #pins: ReadonlyMap<string, AuditEvent> = new Map();
  readonly #listeners = new Set<() => void>();

  readonly current = (): ReadonlyMap<string, AuditEvent> => this.#pins;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  /** Marks it, or takes the mark away. False: there are as many as there can be. */
  readonly toggle = (event: AuditEvent): boolean => {
    const pins = new Map(this.#pins);
    if (!pins.delete(event.id)) {
      if (pins.size >= pinsMost) return false;
      pins.set(event.id, event);
    }
    this.#take(pins);
    return true;
  };
  readonly clear = (): void => this.#take(new Map());

  #take(pins: ReadonlyMap<string, AuditEvent>): void {
    this.#pins = pins;
    for (const listener of this.#listeners) listener();
  }
}
