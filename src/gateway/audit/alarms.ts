// What of the audit reaches somebody at once: events of sessions are counted, and those that need a look become one line of the log.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { DurableAuditSink } from './audit-log.ts';

/** A sink that tells each event once it was handed on. */
export function observedSink(sink: DurableAuditSink, onEvent: (event: AuditEvent) => void): DurableAuditSink {
  return {
    append: (event) => {
      sink.append(event);
      onEvent(event);
    },
    flush: () => sink.flush(),
    get healthy() {
      return sink.healthy;
    },
  };
}

/** The line for an alarm, or a refusal of somebody who wanted a session; undefined for what is as it should be. */
export function alarmText(event: AuditEvent): string | undefined {
  const { kind, action = '', verdict, message = 'without a message', errorCode, traceId } = event;
  if (kind !== 'alarm' && !(kind === 'session' && verdict === 'deny')) return undefined;
  const { sessionId, principal } = event;
  const who = [
    ...(sessionId === undefined ? [] : [`session ${sessionId}`]),
    ...(principal === undefined ? [] : [`principal ${principal}`]),
  ].join(', ');
  const what = [
    kind === 'alarm' ? 'alarm' : 'session',
    action,
    errorCode === undefined ? '' : `[${errorCode}]`,
  ];
  const head = what.filter((part) => part !== '').join(' ');
  return `${head}${who === '' ? '' : `, ${who}`}: ${message} (trace ${traceId})`;
}
