// A text by which the paths of a pattern can be told from others though they begin alike: the end of one of their
// segments (`/:owner/repo-1/*`, `/:name.json/x`), or of the whole path (`/*/latest`).

import { append } from './lists-by-key.ts';
import type { PathPart } from './path-syntax.ts';

/** Deeper segments are not looked at. */
const segmentsMax = 12;

/** `text` ends the path, or its segment with that number, counted from 1 and with its slash in front. */
export interface PathTail {
  readonly segment: number | 'last';
  readonly text: string;
}

/**
 * The longest text behind the first `known` segments that every path of these parts has in one place; undefined if there
 * is none.
 */
export function tailOf(parts: readonly PathPart[], known: number): PathTail | undefined {
  const { found, isWhole, tail } = segmentTails(parts);
  const last = parts.at(-1);
  const end = isWhole ? tail : last?.kind === 'literal' ? last.text : '';
  const all: readonly PathTail[] = [
    ...found.filter(({ segment }) => typeof segment === 'number' && segment > known),
    ...(end === '' ? [] : [{ segment: 'last', text: end } as const]),
  ];
  return all.toSorted((a, b) => b.text.length - a.text.length)[0];
}

interface Tails {
  readonly found: readonly PathTail[];
  /** Whether the walk came to the end of the pattern. */
  readonly isWhole: boolean;
  /** What the last segment ends with, as far as the walk came. */
  readonly tail: string;
}

/** The ends of the segments up to the first part that can stand for several. */
function segmentTails(parts: readonly PathPart[]): Tails {
  const found: PathTail[] = [];
  let segment = 0;
  let tail = '';
  const read = (text: string): void => {
    for (const [i, piece] of text.split('/').entries()) {
      if (i > 0) {
        if (tail !== '' && segment > 0) found.push({ segment, text: tail });
        segment += 1;
        tail = '/';
      }
      tail += piece;
    }
  };
  for (const part of parts) {
    if (part.kind === 'literal') {
      read(part.text);
      continue;
    }
    if (part.kind === 'any' || part.modifier !== '') return { found, isWhole: false, tail };
    read(part.prefix);
    if (part.kind === 'segment') tail = '';
    read(part.suffix);
  }
  if (tail !== '' && segment > 0) found.push({ segment, text: tail });
  return { found: found.filter((one) => Number(one.segment) <= segmentsMax), isWhole: true, tail };
}

/** Lists by tails. Texts are looked up by their lengths, of which there are few. */
export class TailIndex<T> {
  readonly #places = new Map<PathTail['segment'], Map<number, Map<string, T[]>>>();

  /** Places at which texts are looked up. */
  get size(): number {
    return this.#places.size;
  }

  add({ segment, text }: PathTail, one: T): void {
    const byLength = this.#places.get(segment) ?? new Map<number, Map<string, T[]>>();
    this.#places.set(segment, byLength);
    const byText = byLength.get(text.length) ?? new Map<string, T[]>();
    byLength.set(text.length, byText);
    append(byText, text, one);
  }

  /** Adds to `found` the lists of all tails that the path has. */
  select(path: string, found: (readonly T[])[]): void {
    if (this.#places.size === 0) return;
    const take = (place: PathTail['segment'], text: string): void => {
      for (const [length, byText] of this.#places.get(place) ?? []) {
        if (length > text.length) continue;
        const list = byText.get(text.slice(text.length - length));
        if (list !== undefined) found.push(list);
      }
    };
    take('last', path);
    let start = 0;
    for (let segment = 1; segment <= segmentsMax && start >= 0; segment++) {
      const end = path.indexOf('/', start + 1);
      take(segment, end < 0 ? path.slice(start) : path.slice(start, end));
      start = end;
    }
  }
}
