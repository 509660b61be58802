// What the kernel says no to, as an error that says what was asked, and whether it is a word about this machine or about this moment.

import { constants } from 'node:os';

/** A system call that failed. */
export class KernelFault extends Error {
  /** `EPERM`, … */
  readonly code: string;

  constructor(operation: string, errno: number) {
    const code = errnoName(errno);
    super(`${operation}: ${code}`);
    this.code = code;
  }
}

/**
 * The kernel has it not, or does not let this user. Everything else, such as EAGAIN and ENOMEM, is a state of the moment, which others
 * can bring about.
 */
const refusals: ReadonlySet<string> = new Set([
  'EPERM',
  'EACCES',
  'EROFS',
  'ENOSYS',
  'EOPNOTSUPP',
  'ENOTSUP',
  'EINVAL',
  'ENODEV',
  'ENOENT',
]);

/** Throws a KernelFault that names the operation and the errno if `result` is a negated errno; else returns it. */
export function requireDone(operation: string, result: number): number {
  if (result >= 0) return result;
  throw new KernelFault(operation, -result);
}

/** Whether the kernel, or what is installed, says no for good. An error without an errno is of our own: a condition that was looked at. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === undefined || (typeof code === 'string' && refusals.has(code));
}

/** `EPERM` for 1. */
export function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}
