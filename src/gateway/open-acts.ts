// What operators did in the database itself, into the audit.

import type { Store } from '../store/store.ts';
import { ActRecorder } from './audit/act-recorder.ts';
import { observedSink } from './audit/alarms.ts';
import type { AuditLog, DurableAuditSink } from './audit/audit-log.ts';
import type { Start } from './gateway-start.ts';

/** Gives the audit as others write to it, with what is told at once. */
export function openActs(
  { stack, incarnation, isOnDuty, onFault, onSessionEvent }: Start,
  { store, audit }: { readonly store: Store; readonly audit: AuditLog },
): DurableAuditSink {
  const sink = observedSink(audit, onSessionEvent);
  const recorder = stack.use(
    new ActRecorder({ acts: store.acts, audit: sink, taker: incarnation, isOnDuty, onFault }),
  );
  stack.defer(store.onChange(() => recorder.soon()));
  return sink;
}
