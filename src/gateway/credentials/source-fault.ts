// What a workload is told of a credential that cannot be had: servers, files and variables are the operator's business.

import { ProxyError } from '../../protocol/error.ts';

/** The error for the response, with the reason for the audit only; others as they are. */
export function withoutReason(error: unknown): unknown {
  if (!(error instanceof ProxyError) || error.code !== 'credential_unavailable') return error;
  const cause = error.operatorDetail ?? (error.cause instanceof Error ? error.cause.message : undefined);
  return new ProxyError(
    error.code,
    'a credential that the rule puts on this request cannot be had; the reason is in the audit, for the operator to see',
    {
      cause: error,
      operatorDetail: cause === undefined ? error.message : `${error.message}: ${cause}`,
      ...(error.credential === undefined ? {} : { credential: error.credential }),
    },
  );
}

/** The same of a credential that could not be had, with its name; others as they are. */
export function withCredential(error: unknown, credential: string | undefined): unknown {
  if (!(error instanceof ProxyError) || error.code !== 'credential_unavailable' || credential === undefined)
    return error;
  const { message, cause, operatorDetail, retryAfterSeconds } = error;
  return new ProxyError(error.code, message, {
    cause,
    credential,
    ...(operatorDetail === undefined ? {} : { operatorDetail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}
