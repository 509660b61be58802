// The one error type of the product.

import type { LimitName } from './limits.ts';
import { faultText } from './fault-reason.ts';
import { type ErrorCode, errorTable } from './error-table.ts';

export interface ProxyErrorOptions {
  readonly cause?: unknown;
  readonly operatorDetail?: string;
  readonly claimed?: Readonly<Record<string, string>>;
  readonly retryAfterSeconds?: number;
  readonly limit?: LimitName;
  readonly credential?: string;
  readonly next?: string;
}

/** The one error type of the product: a closed code, a sentence for a person, and the cause. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: ErrorCode;
  /** For the operator's audit only: internal addresses and the like. Never told to the workload. */
  readonly operatorDetail: string | undefined;
  /** Names that disagreed, for `authority_mismatch`. */
  readonly claimed: Readonly<Record<string, string>> | undefined;
  /** When the same request could be allowed. */
  readonly retryAfterSeconds: number | undefined;
  /** What to do about it, where the code alone does not say it. For the workload too. */
  readonly next: string | undefined;
  /** The limit that was reached, for the metric of that name. */
  readonly limit: LimitName | undefined;
  /** Name of the one that could not be had, for the audit. */
  readonly credential: string | undefined;

  constructor(code: ErrorCode, message: string, options: ProxyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.operatorDetail = options.operatorDetail;
    this.claimed = options.claimed;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.limit = options.limit;
    this.credential = options.credential;
    this.next = options.next;
  }

  get httpStatus(): number {
    return errorTable[this.code].http;
  }

  get wireCode(): number {
    return errorTable[this.code].wire;
  }

  get exitCode(): number {
    return errorTable[this.code].exit;
  }
}

/**
 * Any thrown value as a ProxyError; foreign errors become the cause, and keep their text but for that of the file system. Of what went wrong while an error was
 * cleaned up after, the first error is the one to tell.
 */
export function asProxyError(error: unknown, code: ErrorCode = 'internal'): ProxyError {
  if (error instanceof ProxyError) return error;
  // Runtimes that we refuse have no such class.
  if (typeof SuppressedError === 'function' && error instanceof SuppressedError)
    return asProxyError(error.suppressed, code);
  return new ProxyError(code, faultText(error), { cause: error });
}
