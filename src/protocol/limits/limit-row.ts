// One limit: its value, in the unit that its name ends with, the error beyond it, and the reason.

import type { ErrorCode } from '../error-table.ts';

export interface LimitRow {
  readonly value: number;
  readonly code: ErrorCode;
  readonly reason: string;
  /** It is no setting of the gateway. */
  readonly isFixed?: true;
}

export const KiB = 1024;
export const MiB = 1024 * KiB;

export function row(value: number, code: ErrorCode, reason: string): LimitRow {
  return { value, code, reason };
}

/**
 * A limit of the agent, which reads no configuration, or one by which a policy is read and decides: `policy check` and
 * `policy explain`, which know no gateway, say the same as every gateway.
 */
export function fixedRow(value: number, code: ErrorCode, reason: string): LimitRow {
  return { value, code, reason, isFixed: true };
}
