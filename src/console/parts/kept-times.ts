// How times are written: by the local clock, by UTC, or as how long ago. One choice for the page, which `.` changes.

import { writeTimesByUtc } from '../model/display.ts';

const styles = ['local', 'UTC', 'ago'] as const;
export type TimeStyle = (typeof styles)[number];
const key = 'upstreamproxy.times';

export class KeptTimes {
  #style: TimeStyle = 'local';
  readonly #listeners = new Set<() => void>();

  constructor() {
    this.#take(styles.find((one) => one === sessionStorage.getItem(key)) ?? 'local');
  }

  readonly current = (): TimeStyle => this.#style;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly next = (): TimeStyle => {
    const style = styles[(styles.indexOf(this.#style) + 1) % styles.length] ?? 'local';
    sessionStorage.setItem(key, style);
    this.#take(style);
    for (const listener of this.#listeners) listener();
    return style;
  };

  #take(style: TimeStyle): void {
    this.#style = style;
    writeTimesByUtc(style === 'UTC');
  }
}
