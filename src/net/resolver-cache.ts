// What is known of names, until when. Nobody sees what another principal asked, and who fills it loses what is its own.

export interface KnownName {
  /** None: the name was looked for and is not there. */
  readonly addresses: readonly string[];
  readonly expiresMs: number;
  /** The names that it leads to, once somebody wants them. */
  aliases?: Promise<readonly string[]>;
}

export interface NameOfPrincipal {
  readonly principalId: string;
  readonly host: string;
}

interface Entry {
  readonly name: KnownName;
  /** Whose share it is in. */
  readonly payer: string;
}

/**
 * A bounded map. Room is made by the payer who holds most: of its entries the one that was used longest ago goes. So whoever
 * asks for many names evicts its own, as soon as it holds more than the others.
 */
export class ResolverCache {
  readonly #max: number;
  readonly #entries = new Map<string, Entry>();
  /** Keys by payer, in the order of their use. */
  readonly #shares = new Map<string, Set<string>>();
  /** Payers by how many entries they hold, which is the place in the list. */
  readonly #payersByCount: (Set<string> | undefined)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What is known, be it out of date. */
  get(name: NameOfPrincipal): KnownName | undefined {
    const key = keyOf(name);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const share = this.#shares.get(entry.payer);
    share?.delete(key);
    share?.add(key);
    return entry.name;
  }

  /** Keeps it in the share of `payer`, whoever paid for what was known of it before. */
  set(name: NameOfPrincipal, known: KnownName, payer: string): void {
    const key = keyOf(name);
    this.#delete(key);
    if (this.#max <= 0) return;
    const share = this.#shares.get(payer) ?? new Set<string>();
    this.#shares.set(payer, share);
    share.add(key);
    this.#entries.set(key, { name: known, payer });
    this.#move(payer, share.size - 1, share.size);
    if (this.#entries.size > this.#max) this.#makeRoom();
  }

  #makeRoom(): void {
    // Filled up to its end: the last place has somebody.
    const [largest] = this.#payersByCount.at(-1) ?? [];
    const [oldest] = this.#shares.get(largest ?? '') ?? [];
    if (oldest !== undefined) this.#delete(oldest);
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const share = this.#shares.get(entry.payer);
    if (share === undefined) return;
    share.delete(key);
    this.#move(entry.payer, share.size + 1, share.size);
    if (share.size === 0) this.#shares.delete(entry.payer);
  }

  #move(payer: string, from: number, to: number): void {
    const left = this.#payersByCount[from];
    left?.delete(payer);
    if (left?.size === 0) this.#payersByCount[from] = undefined;
    if (to > 0) (this.#payersByCount[to] ??= new Set()).add(payer);
    while (this.#payersByCount.length > 0 && this.#payersByCount.at(-1) === undefined)
      this.#payersByCount.pop();
  }
}

/** A host has no zero octet, so the last one is the border. */
function keyOf({ principalId, host }: NameOfPrincipal): string {
  return `${principalId}\0${host}`;
}
