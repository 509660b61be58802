// Pieces of which the schemas of the configuration are made.

import { z } from 'zod';

/** Text of a sensible length. */
export const text = (hint: string) =>
  z.string({ error: hint }).min(1, { error: hint }).max(4096, { error: hint });

export function oneOrMany<T extends z.ZodType>(item: T, hint: string) {
  return z.union([item, z.array(item, { error: hint }).min(1, { error: hint }).max(1000, { error: hint })], {
    error: hint,
  });
}

/** One value or a list of them, as a list. */
export const asList = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  // Array.isArray does not narrow a union with a readonly array; the runtime check is the proof.
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

export const pathHint = 'write the path of a file, relative to the folder of this one or absolute';
