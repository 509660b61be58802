// Lists by a key, such as the rules that can match under it: what the indexes are made of.

/** Adds one behind those of its key, once, however often it is added in a row. */
export function append<K, V>(map: Map<K, V[]>, key: K, one: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [one]);
  else if (list.at(-1) !== one) list.push(one);
}
