// What a decision changes of a request before it goes on.

import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import { type ContinuedTraces, forwardedTraceparent } from '../telemetry/trace-context.ts';
import type { ExchangeRecord } from './exchange-record.ts';

/** Without the fields that the rule lets no client say, and in the client's trace where the rule goes on with it and it is sent on. */
export function decidedRequest(
  asked: ValidatedRequest,
  { removedFields = [], continuesTrace }: AllowDecision,
  { traces, clock }: { readonly traces?: ContinuedTraces; readonly clock: () => number },
  record: ExchangeRecord,
): ValidatedRequest {
  const fields = asked.head.headers;
  const kept = removedFields.length === 0 ? fields : fields.without(...removedFields);
  const sent = kept.all('traceparent');
  const context = continuesTrace === true ? traces?.take(sent, clock()) : undefined;
  if (context !== undefined) {
    record.continuesTrace(sent[0] ?? '');
    const headers = kept.with('traceparent', forwardedTraceparent(context, record.traceId));
    return { ...asked, head: { ...asked.head, headers } };
  }
  return kept === fields ? asked : { ...asked, head: { ...asked.head, headers: kept } };
}
