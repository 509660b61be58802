// Header fields as ordered, case-preserving pairs; never a plain object.

export type HeaderField = readonly [name: string, value: string];

/** An immutable list of header fields in order. Look-ups ignore case; changes give a new list. */
export class HeaderList {
  readonly #fields: readonly HeaderField[];

  constructor(fields: Iterable<HeaderField> = []) {
    this.#fields = [...fields];
  }

  /** From Node's `rawHeaders`: name, value, name, value … */
  static fromRaw(raw: readonly string[]): HeaderList {
    const fields: HeaderField[] = [];
    for (let i = 0; i + 1 < raw.length; i += 2) fields.push([raw[i] ?? '', raw[i + 1] ?? '']);
    return new HeaderList(fields);
  }

  get size(): number {
    return this.#fields.length;
  }

  /** All values of a name, in order. */
  all(name: string): readonly string[] {
    const wanted = name.toLowerCase();
    return this.#fields.filter(([field]) => field.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** The value of a name that stands once; undefined if absent. With several, the first. */
  first(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.#fields.find(([field]) => field.toLowerCase() === wanted)?.[1];
  }

  has(name: string): boolean {
    return this.first(name) !== undefined;
  }

  without(...names: readonly string[]): HeaderList {
    const unwanted = new Set(names.map((name) => name.toLowerCase()));
    return new HeaderList(this.#fields.filter(([field]) => !unwanted.has(field.toLowerCase())));
  }

  /** Replaces every field of the name by this one, at the end. */
  with(name: string, value: string): HeaderList {
    return new HeaderList([...this.without(name), [name, value]]);
  }

  /** Name, value, name, value … as Node's `writeHead` and undici take it. */
  toRaw(): string[] {
    return this.#fields.flat();
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.#fields[Symbol.iterator]();
  }
}
