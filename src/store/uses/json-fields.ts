// Some members of a JSON object, without reading the others: the thread that stores events has their texts alone.

const quote = 0x22;
const backslash = 0x5c;

/** Names of ASCII, found without a copy of each that stands there: most are others. */
export class FieldNames {
  readonly #byLength: readonly (readonly string[])[];

  constructor(names: readonly string[]) {
    const longest = Math.max(0, ...names.map(({ length }) => length));
    this.#byLength = Array.from({ length: longest + 1 }, (_, length) =>
      names.filter((name) => name.length === length),
    );
  }

  /** The one that stands between these places; undefined for any other. */
  at(text: string, begin: number, end: number): string | undefined {
    return this.#byLength[end - begin]?.find((name) => text.startsWith(name, begin));
  }
}

/**
 * The values of those members of the outermost object that are wanted, as they stand there. `json` is what JSON.stringify wrote of an
 * object; of anything else the result is some part of it, or nothing.
 */
export function jsonFields(
  json: Uint8Array<ArrayBuffer>,
  wanted: FieldNames,
): Readonly<Record<string, unknown>> {
  // Octet by octet: what has a meaning in JSON is ASCII.
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('latin1');
  const found: Record<string, unknown> = {};
  let at = 1;
  while (text.charCodeAt(at) === quote) {
    const nameEnd = endOfText(text, at);
    const end = endOfValue(text, nameEnd + 1);
    const name = wanted.at(text, at + 1, nameEnd - 1);
    if (name !== undefined) found[name] = valueOf(text.slice(nameEnd + 1, end));
    at = end + 1;
  }
  return found;
}

/** Texts without an escape, of ASCII, stand as they are; nearly all do. */
const plainText = /^"[ !#-[\]-~]*"$/;

function valueOf(text: string): unknown {
  if (plainText.test(text)) return text.slice(1, -1);
  try {
    return JSON.parse(Buffer.from(text, 'latin1').toString());
  } catch {
    return undefined;
  }
}

/** Behind the quote that ends the text that begins there. */
function endOfText(text: string, begin: number): number {
  for (let at = begin + 1; ;) {
    const end = text.indexOf('"', at);
    if (end === -1) return text.length;
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before -= 1;
    // An even number of them in front: it is none of the text.
    if ((end - before) % 2 === 1) return end + 1;
    at = end + 1;
  }
}

/** Where the comma or brace behind the value is. */
function endOfValue(text: string, begin: number): number {
  if (text.charCodeAt(begin) === quote) return endOfText(text, begin);
  let depth = 0;
  for (let at = begin; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfText(text, at);
      continue;
    }
    // `{` and `[`
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return at;
      depth -= 1;
    } else if (code === 0x2c && depth === 0) return at;
    at += 1;
  }
  return text.length;
}
