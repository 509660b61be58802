// Header fields as ordered, case-preserving pairs; never a plain object.

export type HeaderField = readonly [name: string, value: string];

/** An immutable list of header fields in order. Look-ups ignore case; changes give a new list. */
export class HeaderList {
  #fields: readonly HeaderField[];
  /** The names in lower case, once a look-up needs them: there are a dozen look-ups for each message. */
  #lowerCaseNames: readonly string[] | undefined;

  constructor(fields?: Iterable<HeaderField>) {
    this.#fields = fields === undefined ? noFields : [...fields];
  }

  /** A list of fields that nobody else holds, without a copy; with their names in lower case, where they are known. */
  static of(fields: readonly HeaderField[], lowerCaseNames?: readonly string[]): HeaderList {
    const list = new HeaderList();
    list.#fields = fields;
    list.#lowerCaseNames = lowerCaseNames;
    return list;
  }

  /** From Node's `rawHeaders`: name, value, name, value … */
  static fromRaw(raw: readonly string[]): HeaderList {
    const fields: HeaderField[] = [];
    for (let i = 0; i + 1 < raw.length; i += 2) fields.push([raw[i] ?? '', raw[i + 1] ?? '']);
    return HeaderList.of(fields);
  }

  get size(): number {
    return this.#fields.length;
  }

  #names(): readonly string[] {
    return (this.#lowerCaseNames ??= this.#fields.map(([name]) => name.toLowerCase()));
  }

  /** All values of a name, in order. */
  all(name: string): readonly string[] {
    const names = this.#names();
    const wanted = name.toLowerCase();
    let values: string[] | undefined;
    for (let at = names.indexOf(wanted); at !== -1; at = names.indexOf(wanted, at + 1)) {
      (values ??= []).push(this.#fields[at]?.[1] ?? '');
    }
    return values ?? none;
  }

  /** The value of a name that stands once; undefined if absent. With several, the first. */
  first(name: string): string | undefined {
    const at = this.#names().indexOf(name.toLowerCase());
    // An index below zero would be looked up as a property.
    return at === -1 ? undefined : this.#fields[at]?.[1];
  }

  has(name: string): boolean {
    return this.#names().includes(name.toLowerCase());
  }

  /** Whether the name stands more than once. */
  isRepeated(name: string): boolean {
    const wanted = name.toLowerCase();
    const first = this.#names().indexOf(wanted);
    return first !== -1 && this.#names().includes(wanted, first + 1);
  }

  without(...unwanted: readonly string[]): HeaderList {
    const gone = unwanted.map((name) => name.toLowerCase());
    // Most of what is taken off does not stand there, and a look through a short list costs less than a set.
    if (!gone.some((name) => this.#names().includes(name))) return this;
    const lowerCase = new Set(gone);
    return this.filter((name) => !lowerCase.has(name));
  }

  /** Without these and those that CGI-like origins read as them: an underscore is a dash there. */
  withoutAlike(...unwanted: readonly string[]): HeaderList {
    const alike = new Set(unwanted.map(cgiName));
    return this.filter((name) => !alike.has(cgiName(name)));
  }

  /** The names in lower case, in order. */
  get lowerCaseNames(): readonly string[] {
    return this.#names();
  }

  /** The fields whose lower-case name `keep` accepts; the list itself if that is all of them. */
  filter(keep: (lowerCaseName: string) => boolean): HeaderList {
    const names = this.#names();
    // Most lists stay as they are.
    let at = 0;
    while (at < names.length && keep(names[at] ?? '')) at += 1;
    if (at === names.length) return this;
    const fields = this.#fields.slice(0, at);
    const kept = names.slice(0, at);
    for (at += 1; at < names.length; at += 1) {
      const [name, field] = [names[at], this.#fields[at]];
      if (name === undefined || field === undefined || !keep(name)) continue;
      fields.push(field);
      kept.push(name);
    }
    return HeaderList.of(fields, kept);
  }

  /** Replaces every field of the name by this one, at the end. */
  with(name: string, value: string): HeaderList {
    return HeaderList.of([...this.without(name).#fields, [name, value]]);
  }

  /** Name, value, name, value … as Node's `writeHead` and undici take it. */
  toRaw(): string[] {
    const raw: string[] = [];
    for (const [name, value] of this.#fields) raw.push(name, value);
    return raw;
  }

  /** The fields as one text, each as `line` writes it. */
  lines(line: (name: string, value: string) => string): string {
    let text = '';
    for (let at = 0; at < this.#fields.length; at += 1) {
      const field = this.#fields[at];
      if (field !== undefined) text += line(field[0], field[1]);
    }
    return text;
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.#fields[Symbol.iterator]();
  }
}

/** Two names that give the same are one variable to a CGI-like origin (RFC 3875 §4.1.18). */
export function cgiName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

const none: readonly string[] = [];
const noFields: readonly HeaderField[] = [];
