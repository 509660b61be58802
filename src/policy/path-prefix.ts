// What a path begins with, in whole segments: the keys by which rules are found by their paths.

/** Segments of a path that are looked up; what lies deeper is matched. */
const segmentsMax = 12;

/** `/a/b/` and `/a/b/c`, of which the last segment may go on, give `/a/b`; a whole path gives itself. */
export function wholeSegments(prefix: string, isWhole: boolean): string {
  const end = isWhole ? prefix.length : Math.max(0, prefix.lastIndexOf('/'));
  const text = prefix.slice(0, end);
  let at = 0;
  for (let segment = 0; segment < segmentsMax; segment++) {
    const slash = text.indexOf('/', at + 1);
    if (slash < 0) return text;
    at = slash;
  }
  return text.slice(0, at);
}

/** Gives what stands under all keys, made by `wholeSegments`, with which the path may begin. */
export function selectPath<T>(path: string, byPath: ReadonlyMap<string, T>, take: (found: T) => void): void {
  const look = (key: string): void => {
    const found = byPath.get(key);
    if (found !== undefined) take(found);
  };
  look('');
  let slash = 0;
  for (let segment = 0; segment < segmentsMax; segment++) {
    slash = path.indexOf('/', slash + 1);
    look(slash < 0 ? path : path.slice(0, slash));
    if (slash < 0) return;
  }
}

/** How many whole segments of a path such a key stands for. */
export function segmentsOf(key: string): number {
  let count = 0;
  for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1)) count++;
  return count;
}
