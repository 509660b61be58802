// Which name somebody may have meant who typed another.

/** Longer ones are no slip of the finger, and comparing them would cost their square. */
const typedLengthMax = 40;

/** The nearest of the names, or undefined if none is near: two slips at most, and one in a short name. */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  if (typed.length < 2 || typed.length > typedLengthMax) return undefined;
  const begun = names.filter((name) => name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  const slipsMax = typed.length < 5 ? 1 : 2;
  let nearest: string | undefined;
  let least = slipsMax + 1;
  for (const name of names) {
    if (Math.abs(name.length - typed.length) >= least) continue;
    const slips = slipsBetween(typed, name);
    if (slips < least) [nearest, least] = [name, slips];
  }
  return nearest;
}

/** Letters left out, added, exchanged, or in the wrong order: the optimal string alignment distance. */
export function slipsBetween(one: string, other: string): number {
  let before: number[] = [];
  let above = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row++) {
    const line = [row];
    for (let at = 1; at <= other.length; at++) {
      const isSame = one[row - 1] === other[at - 1];
      const isSwapped = row > 1 && at > 1 && one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1];
      const slips = Math.min(
        (above[at - 1] ?? 0) + (isSame ? 0 : 1),
        (above[at] ?? 0) + 1,
        (line[at - 1] ?? 0) + 1,
        isSwapped ? (before[at - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
      line.push(slips);
    }
    [before, above] = [above, line];
  }
  return above[other.length] ?? 0;
}

/** `; did you mean X?`, or nothing. */
export function suggestion(typed: string, names: readonly string[], prefix = ''): string {
  const nearest = nearestName(typed, names);
  return nearest === undefined ? '' : `; did you mean ${prefix}${nearest}?`;
}
