// What the kernel said, as an error that says what was asked.

import { constants } from 'node:os';

/** Throws an Error that names the operation and the errno if `result` is a negated errno; else returns it. */
export function requireDone(operation: string, result: number): number {
  if (result >= 0) return result;
  throw new Error(`${operation}: ${errnoName(-result)}`);
}

/** `EPERM` for 1. */
export function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}
