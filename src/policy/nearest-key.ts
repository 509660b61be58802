// Which known word a mistyped one was meant to be.

/** Edit distance of two short words, counting a swap of neighbours as one edit. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** The known word that is nearest to `word`, or undefined if none is near enough to be meant. */
export function nearestKey(word: string, known: readonly string[]): string | undefined {
  const wanted = word.slice(0, 64).toLowerCase().replaceAll(/[-_]/g, '');
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  const ranked = known
    .map((key) => ({ key, edits: distance(wanted, key.toLowerCase()) }))
    .toSorted((a, b) => a.edits - b.edits);
  const [best] = ranked;
  return best !== undefined && best.edits <= limit ? best.key : undefined;
}

/**
 * The sentence for an unknown key: the key it was meant to be, or the list of keys that exist there.
 * `synonyms` maps words of other products to ours.
 */
export function unknownKeyMessage(
  word: string,
  known: readonly string[],
  synonyms: Readonly<Record<string, string>> = {},
): string {
  const synonym = Object.hasOwn(synonyms, word) ? synonyms[word] : undefined;
  const near = synonym ?? nearestKey(word, known);
  const shown = JSON.stringify(word.slice(0, 64));
  if (near !== undefined) return `unknown key ${shown}; write ${near.includes(' ') ? near : `"${near}"`}`;
  return `unknown key ${shown}; the keys here are ${known.join(', ')}`;
}
