// What a segment of a path looks like, if it is no word: a workload chose it, so it is read in one way through.

/** What a whole segment must look like to be told from a word, in order. */
const kinds: readonly (readonly [name: string, is: (segment: string) => boolean])[] = [
  ['uuid', (segment) => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(segment)],
  ['id', (segment) => /^\d+$/.test(segment)],
  ['hash', isHash],
  ['version', (segment) => /^v?\d+\.\d+(?:[-+.][\w.+-]*)?$/.test(segment)],
  ['date', (segment) => /^\d{4}-\d{2}(?:-\d{2})?$/.test(segment)],
  ['token', isToken],
  ['file', isVersionedFile],
];

/** The name of the kind; undefined for a word. */
export function segmentKind(segment: string): string | undefined {
  return kinds.find(([, is]) => is(segment))?.[0];
}

/** `9f86d081`, also behind `sha256:`. */
function isHash(segment: string): boolean {
  const algorithm = /^sha\d{1,9}[:-]/i.exec(segment)?.[0] ?? '';
  const digits = segment.slice(algorithm.length);
  return /^[0-9a-f]{7,128}$/i.test(digits) && /\d/.test(digits);
}

function isToken(segment: string): boolean {
  if (segment.length < 20 || !/^[\w-]+$/.test(segment) || !/[A-Za-z]/.test(segment)) return false;
  let digits = 0;
  for (let at = 0; at < segment.length && digits < 3; at++) if (isDigit(segment.charCodeAt(at))) digits += 1;
  return digits === 3;
}

/** A file whose name holds a version, such as `left-pad-1.3.0.tgz`. */
function isVersionedFile(segment: string): boolean {
  const dot = segment.lastIndexOf('.');
  if (!/^[A-Za-z][A-Za-z0-9]{0,9}$/.test(segment.slice(dot + 1, dot + 12))) return false;
  // From here on all may stand behind the beginning of a version.
  let allowed = dot;
  while (allowed > 0 && /[\w.+-]/.test(segment[allowed - 1] ?? '')) allowed -= 1;
  for (let at = 0; at < dot; at++) {
    if (segment[at] !== '-' && segment[at] !== '_') continue;
    const behind = versionEnd(segment, at + 1);
    if (behind !== undefined && behind <= dot && behind >= allowed) return true;
  }
  return false;
}

/** Behind `v1.2`, of which one digit is enough at the end; undefined if no version begins there. */
function versionEnd(segment: string, from: number): number | undefined {
  const start = segment[from] === 'v' ? from + 1 : from;
  let at = start;
  while (isDigit(segment.charCodeAt(at))) at += 1;
  if (at === start || segment[at] !== '.' || !isDigit(segment.charCodeAt(at + 1))) return undefined;
  return at + 2;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
