// An opaque box for a secret: printing, serialising or inspecting it never shows the value.

/** What every printed form of a secret shows instead of the value. */
export const secretMarker = '[secret]';

/**
 * Holds a secret value. `reveal()` is the only way in, so every use can be found by searching for it.
 * All printed forms (string, JSON, `util.inspect`) show `[secret]`.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return secretMarker;
  }

  toJSON(): string {
    return secretMarker;
  }

  // `util.inspect` looks this symbol up in the global registry, so no Node import is needed.
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return secretMarker;
  }
}
