// One limit: its value, in the unit that its name ends with, the error beyond it, and the reason.

import type { ErrorCode } from '../error.ts';

export interface LimitRow {
  readonly value: number;
  readonly code: ErrorCode;
  readonly reason: string;
}

export const KiB = 1024;
export const MiB = 1024 * KiB;

export function row(value: number, code: ErrorCode, reason: string): LimitRow {
  return { value, code, reason };
}
