// Fields as node:http2 takes them beside a head: an object, whatever names a peer chose.

/**
 * Names in lower case, values in lists. Without a prototype: a field may be called `constructor`, and what every object
 * has under that name is none of its values.
 */
export function http2FieldObject(raw: readonly string[]): Record<string, string[]> {
  // An object without a prototype has any key or none.
  const fields = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i + 1 < raw.length; i += 2)
    (fields[(raw[i] ?? '').toLowerCase()] ??= []).push(raw[i + 1] ?? '');
  return fields;
}
