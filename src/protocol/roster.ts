// Sets and tables through which much goes. Those of the language make another table for each few entries that come and go, and each table
// leads to the next one: once one is old, V8 takes all behind it for old as well, with what is in them. These stay where they are.

/** Where a member is. Who adds it keeps this: a property of the member would cost many of them their shape. */
export interface RosterPlace<T> {
  readonly member: T;
  /** Undefined once it is out. */
  at: number | undefined;
}

/** Members in no order. */
export class Roster<T> {
  readonly #places: RosterPlace<T>[] = [];

  get size(): number {
    return this.#places.length;
  }

  /** Those of now: who goes through them may take them out. */
  get members(): readonly T[] {
    return this.#places.map(({ member }) => member);
  }

  add(member: T): RosterPlace<T> {
    const place = { member, at: this.#places.length };
    this.#places.push(place);
    return place;
  }

  /** Taking it out twice is harmless. */
  remove(place: RosterPlace<T>): void {
    const { at } = place;
    if (at === undefined) return;
    const last = this.#places.pop();
    if (last !== undefined && last !== place) {
      this.#places[at] = last;
      last.at = at;
    }
    place.at = undefined;
  }
}

const slotsInitial = 16;
const shiftInitial = 32 - Math.log2(slotsInitial);
/** 2^32 by the golden ratio: numbers that follow each other come far from each other (Knuth, The Art of Computer Programming, 6.4). */
const golden = 0x9e37_79b1;

/** Of 2^(32 - shift). The seed is nobody's guess: who chooses the numbers can make some share their slots, and not many of them. */
export function slotOf(key: number, seed: number, shift: number): number {
  return Math.imul(key ^ seed, golden) >>> shift;
}

/** Values by whole numbers from 1 on. */
export class NumberTable<T> {
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  #keys: number[] = emptyKeys(slotsInitial);
  #values: (T | undefined)[] = emptyValues(slotsInitial);
  #shift = shiftInitial;
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
    if (this.#size === 0 && this.#shift !== shiftInitial) this.#beginAnew();
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
    return slotOf(key, this.#seed, this.#shift);
  }

  /** What many needed is given back once there is none. */
  #beginAnew(): void {
    this.#keys = emptyKeys(slotsInitial);
    this.#values = emptyValues(slotsInitial);
    this.#shift = shiftInitial;
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
