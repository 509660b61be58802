// Sets and tables through which much goes. Those of the language make another table for each few entries that come and go, and each table
// leads to the next one: once one is old, V8 takes all behind it for old as well, with what is in them. These stay where they are.

/** Objects, each in one roster of its kind at a time. In no order. */
export class Roster<T extends object> {
  readonly #kind: symbol;
  readonly #members: T[] = [];

  /** @param kind one symbol for all rosters of a kind: under it a member has its place */
  constructor(kind: symbol) {
    this.#kind = kind;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Those of now: who goes through them may take them out. */
  get members(): readonly T[] {
    return [...this.#members];
  }

  has(member: T): boolean {
    return this.#placeOf(member) !== undefined;
  }

  add(member: T): void {
    if (this.#placeOf(member) !== undefined) return;
    this.#put(member, this.#members.length);
    this.#members.push(member);
  }

  /** Whether it was in. */
  delete(member: T): boolean {
    const place = this.#placeOf(member);
    if (place === undefined) return false;
    const last = this.#members.pop();
    if (last !== undefined && last !== member) {
      this.#members[place] = last;
      this.#put(last, place);
    }
    this.#put(member, undefined);
    return true;
  }

  #placeOf(member: T): number | undefined {
    // Nobody else has the symbol.
    return (member as Record<symbol, number | undefined>)[this.#kind];
  }

  #put(member: T, place: number | undefined): void {
    (member as Record<symbol, number | undefined>)[this.#kind] = place;
  }
}

const slotsInitial = 16;

/** Values by whole numbers from 1 on. */
export class NumberTable<T> {
  /** Odd, and nobody's guess: who chooses the numbers chooses no places. */
  readonly #factor = Math.floor(Math.random() * 2 ** 31) * 2 + 1;
  #keys: number[] = emptyKeys(slotsInitial);
  #values: (T | undefined)[] = emptyValues(slotsInitial);
  #shift = 32 - Math.log2(slotsInitial);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Those of now, in the order of their numbers: who goes through them may take them out. */
  get values(): readonly T[] {
    const keys = this.#keys.filter((key) => key !== 0).sort((a, b) => a - b);
    // What a key stands beside is a value, which can be undefined as well.
    return keys.map((key) => this.#values[this.#find(key)] as T);
  }

  get(key: number): T | undefined {
    const at = this.#find(key);
    return this.#keys[at] === key ? this.#values[at] : undefined;
  }

  set(key: number, value: T): void {
    const at = this.#find(key);
    if (this.#keys[at] !== key) {
      if (this.#size * 2 >= this.#keys.length) {
        this.#grow();
        return this.set(key, value);
      }
      this.#keys[at] = key;
      this.#size += 1;
    }
    this.#values[at] = value;
  }

  /** Whether it was in. */
  delete(key: number): boolean {
    let hole = this.#find(key);
    if (this.#keys[hole] !== key) return false;
    const mask = this.#keys.length - 1;
    // Whoever was put behind its place for want of room comes nearer to it, so that no search ends too early.
    for (let at = (hole + 1) & mask; this.#keys[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.#keys[at] ?? 0);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#keys[hole] = this.#keys[at] ?? 0;
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    this.#keys[hole] = 0;
    this.#values[hole] = undefined;
    this.#size -= 1;
    return true;
  }

  /** Where it is, or would be. */
  #find(key: number): number {
    const mask = this.#keys.length - 1;
    let at = this.#home(key);
    while (this.#keys[at] !== key && this.#keys[at] !== 0) at = (at + 1) & mask;
    return at;
  }

  #home(key: number): number {
    return Math.imul(key, this.#factor) >>> this.#shift;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = emptyKeys(keys.length * 2);
    this.#values = emptyValues(keys.length * 2);
    this.#shift -= 1;
    for (const [from, key] of keys.entries()) {
      if (key === 0) continue;
      const at = this.#find(key);
      this.#keys[at] = key;
      this.#values[at] = values[from];
    }
  }
}

function emptyKeys(slots: number): number[] {
  return Array.from({ length: slots }, () => 0);
}

function emptyValues<T>(slots: number): (T | undefined)[] {
  return Array.from({ length: slots }, (): T | undefined => undefined);
}
