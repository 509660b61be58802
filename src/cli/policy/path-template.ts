// Paths that were seen, as a pattern that stands for their like: ids, hashes, UUIDs and versions become named segments.

import { unmeasured } from '../../policy/matching-work.ts';
import { PathReadings, pathsMatch } from '../../policy/path-matching.ts';
import { PathPattern } from '../../policy/path-pattern.ts';

/** What a whole segment must look like to be told from a word, in order. */
const kinds: readonly (readonly [name: string, form: RegExp])[] = [
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i],
  ['id', /^\d+$/],
  ['hash', /^(?:sha\d+[:-])?(?=[0-9a-f]*\d)[0-9a-f]{7,128}$/i],
  ['version', /^v?\d+(?:\.\d+)+(?:[-+.][\w.+-]*)?$/],
  ['date', /^\d{4}-\d{2}(?:-\d{2})?$/],
  ['token', /^(?=(?:.*\d){3})(?=.*[A-Za-z])[\w-]{20,}$/],
];
/** `v1` and `2` at the beginning name a version of an interface, which is meant. */
const firstSegmentKept = /^v?\d{1,2}$/;
/** A file whose name holds a version, such as `left-pad-1.3.0.tgz`. */
const versionedFile = /[-_]v?\d+\.\d+[\w.+-]*\.[A-Za-z][A-Za-z0-9]{0,9}$/;

/** The pattern for one path; `undefined` if none can be written, and any path has to do. */
export function pathTemplate(path: string): string | undefined {
  return [templateOf(path), literalPattern(path), beginningOf(path)].find(
    (pattern) => pattern !== undefined && admits(pattern, path),
  );
}

/** The path itself as a pattern. */
export function literalPattern(path: string): string {
  return path.replaceAll(/[\\{}()*:?+]/g, (char) => (char === '+' ? char : `\\${char}`));
}

/** Of a path that is too long for a pattern: how it begins, and anything behind. */
function beginningOf(path: string): string {
  // Neither half an escape nor half a letter stands at the end.
  return `${literalPattern(path.slice(0, beginningMax).replace(/(?:%[0-9A-F]{0,2})+$/, ''))}*`;
}

function templateOf(path: string): string {
  const names = new Map<string, number>();
  const named = (name: string): string => {
    const count = (names.get(name) ?? 0) + 1;
    names.set(name, count);
    return `:${name}${count === 1 ? '' : count}`;
  };
  return path
    .split('/')
    .map((segment, i) => {
      if (i === 1 && firstSegmentKept.test(segment)) return literalPattern(segment);
      const kind = kinds.find(([, form]) => form.test(segment));
      if (kind !== undefined) return named(kind[0]);
      return versionedFile.test(segment) ? named('file') : literalPattern(segment);
    })
    .join('/');
}

/** Escaped, twice as long at most: below what a pattern may have. */
const beginningMax = 200;

/** Whether a rule with this pattern would allow the path, in every reading that it has. */
export function admits(pattern: string, path: string): boolean {
  const parsed = PathPattern.parse(pattern);
  return typeof parsed !== 'string' && pathsMatch('allow', [parsed], new PathReadings(path), unmeasured);
}

/** Whether a rule with this pattern would allow what may be read as the path. */
export function mayAdmit(pattern: string, path: string): boolean {
  const parsed = PathPattern.parse(pattern);
  return typeof parsed !== 'string' && parsed.matches(path);
}
