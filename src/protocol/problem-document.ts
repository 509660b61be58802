// What a program is told of a fault: one form (RFC 9457) for requests that are not served and for the agent's own.

import { type ErrorCode, errorTable } from './error-table.ts';

export const problemType = 'application/problem+json';

/** The members that every problem has, whoever sends it. */
export interface ProblemDocument {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly trace_id?: string;
}

/** `status`: where the response has another one than that of its code. */
export function problemDocument(
  code: ErrorCode,
  detail: string,
  { traceId, status = errorTable[code].http }: { readonly traceId?: string; readonly status?: number } = {},
): ProblemDocument {
  const { meaning } = errorTable[code];
  const members = { type: 'about:blank', title: meaning, status, detail, code } as const;
  return traceId === undefined ? members : { ...members, trace_id: traceId };
}
