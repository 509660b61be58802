// A list that keeps still while a pointer is over it: what is there stays where it is, with its newest values; what came waits.

export interface HeldList<Item> {
  readonly items: readonly Item[];
  /** How many came or went since it is held. */
  readonly waiting: number;
}

interface Named {
  readonly id: string;
}

/** `gone`: what has become of one that is in the list no longer. */
export function holdList<Item extends Named>(
  before: readonly Item[],
  now: readonly Item[],
  gone: ReadonlyMap<string, Item> = new Map(),
): HeldList<Item> {
  const current = new Map(now.map((one) => [one.id, one]));
  const was = new Set(before.map(({ id }) => id));
  const items = before.map((one) => current.get(one.id) ?? gone.get(one.id) ?? one);
  const left = before.filter(({ id }) => !current.has(id)).length;
  return { items, waiting: left + now.filter(({ id }) => !was.has(id)).length };
}
