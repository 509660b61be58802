// When an agent that is refused for now is asked to come again (`Retry-After`).

import type { ProxyError } from '../../protocol/error.ts';

/** Undefined where another attempt may do better at once, or none ever will. */
export function askAgainSeconds({ code, httpStatus, retryAfterSeconds }: ProxyError): number | undefined {
  if (retryAfterSeconds !== undefined) return retryAfterSeconds;
  // Another gateway takes it, where there is one.
  if (code === 'shutting_down') return undefined;
  return httpStatus === 429 || httpStatus === 503 ? 1 : undefined;
}
