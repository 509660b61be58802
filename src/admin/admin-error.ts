// What went wrong with a call of the admin API: the code, where, what to do, and whether the same call may be tried again.

import { errorAdvice } from '../protocol/error-advice.ts';
import { ProxyError, type ProxyErrorOptions } from '../protocol/error.ts';
import { knownErrorCode, type ErrorCode } from '../protocol/error-table.ts';
import { printable } from '../protocol/printable.ts';

export interface AdminFault {
  /** Origin of the admin port, or path of its socket. */
  readonly server: string;
  readonly operation: string;
  /** Undefined where no response came. */
  readonly status?: number | undefined;
  /** The fault may be over when it is tried again. */
  readonly isPassing?: boolean;
  /** Names this failure in the log of the gateway. */
  readonly traceId?: string | undefined;
}

/** `code` and `message` as everywhere; the other fields say where it was, and what to do. */
export class AdminError extends ProxyError {
  readonly server: string;
  readonly operation: string;
  readonly status: number | undefined;
  readonly isPassing: boolean;
  readonly traceId: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    { cause, retryAfterSeconds, ...fault }: AdminFault & ProxyErrorOptions,
  ) {
    super(code, message, {
      ...(cause === undefined ? {} : { cause }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
    this.server = fault.server;
    this.operation = fault.operation;
    this.status = fault.status;
    this.isPassing = fault.isPassing === true;
    this.traceId = fault.traceId;
  }

  /** What to do about it. */
  get advice(): string {
    return errorAdvice[this.code];
  }
}

/** What a response says that is no success. */
export interface Refusal {
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  /** The body, if it is JSON. */
  readonly json: unknown;
}

/** Statuses that say "not now". */
const passingStatuses = new Set([429, 502, 503, 504]);

/** The refusal of a response as an error. Nothing of its text acts on a terminal. */
export function refusalOf(
  { server, operation }: Pick<AdminFault, 'server' | 'operation'>,
  { status, retryAfterSeconds, json }: Refusal,
): AdminError {
  const isPassing = passingStatuses.has(status);
  const fault = {
    server,
    operation,
    status,
    isPassing,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
  if (status >= 300 && status < 400)
    return new AdminError('admin_unreachable', `${server}: it redirects, and no redirect is followed`, fault);
  const { code, detail, trace_id: traceId } = isObject(json) ? json : {};
  const known = knownErrorCode(code);
  if (known === undefined || typeof detail !== 'string')
    return new AdminError('admin_unreachable', `${server}: it responds with status ${status}`, fault);
  const trace = typeof traceId === 'string' && /^[0-9a-f]{32}$/.test(traceId) ? { traceId } : {};
  return new AdminError(known, printable(detail), { ...fault, ...trace });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Seconds to wait, of a `Retry-After` (RFC 9110 §10.2.3); undefined for none, and for one that is none. */
export function readRetryAfter(field: string | undefined, nowMs: number): number | undefined {
  if (field === undefined || field.length > 40) return undefined;
  if (/^\d{1,15}$/.test(field)) return Number(field);
  const at = Date.parse(field);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000));
}
