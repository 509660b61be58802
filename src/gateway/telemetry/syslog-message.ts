// An event of the audit as a message of syslog (RFC 5424), framed by its length (RFC 5425 §4.3).

import type { AuditEvent } from '../../api/audit-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface SyslogSender {
  /** RFC 5424 §6.2.1. */
  readonly facility: number;
  /** RFC 5424 §6.2.4: a name, or `-`. */
  readonly hostname: string;
  readonly processId: number;
  /** RFC 5424 §6.3.2: `name@enterprise number`. */
  readonly structuredDataId: string;
}

/** Alert, error, warning, informational (RFC 5424 §6.2.1). */
const severities = { alert: 1, error: 3, warning: 4, informational: 6 } as const;

function severityOf({ kind, verdict }: AuditEvent): number {
  if (kind === 'alarm') return severities.alert;
  switch (verdict) {
    case 'error':
      return severities.error;
    case 'deny':
    case 'unknown':
      return severities.warning;
    case 'allow':
    case 'info':
      return severities.informational;
  }
}

/**
 * The octets of one message with their count before them. What follows the structured data is the event's JSON in ASCII, so no reader
 * has to know its charset (§6.4); an event for which there is no room has the structured data alone.
 */
export function syslogFrame(event: AuditEvent, json: string, sender: SyslogSender): Buffer {
  const head = `${headOf(event, sender)} ${structuredData(event, sender.structuredDataId)}`;
  const whole = Buffer.from(`${head} ${asciiJson(json)}`);
  const message = whole.length <= defaultLimits.syslogMessageBytesMax ? whole : Buffer.from(head);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

function headOf(event: AuditEvent, { facility, hostname, processId }: SyslogSender): string {
  const priority = facility * 8 + severityOf(event);
  const messageId = printable(event.action ?? event.kind, 32);
  return `<${priority}>1 ${event.time} ${printable(hostname, 255)} upstreamproxy ${processId} ${messageId}`;
}

/** §6: PRINTUSASCII, which has no space; nothing is `-`. */
function printable(text: string, charactersMax: number): string {
  const kept = text.replace(/[^\x21-\x7e]/g, '').slice(0, charactersMax);
  return kept === '' ? '-' : kept;
}

function structuredData(event: AuditEvent, id: string): string {
  const { kind, action, traceId, sessionId, principal, verdict, rule } = event;
  const { method, host, port, status, errorCode, limit } = event;
  const parameters = Object.entries({
    id: event.id,
    kind,
    action,
    traceId,
    sessionId,
    principal,
    verdict,
    rule,
    method,
    host,
    port,
    status,
    errorCode,
    limit,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${parameterValue(String(value))}"`]));
  return `[${id} ${parameters.join(' ')}]`;
}

/**
 * §6.3.3: a quotation mark, a backslash and a bracket are escaped. Controls could begin a line of its own in a receiver that writes
 * lines, so they do not go out.
 */
function parameterValue(text: string): string {
  return (
    text
      .slice(0, defaultLimits.telemetryTextCharactersMax)
      .toWellFormed()
      // eslint-disable-next-line no-control-regex -- these are what is taken out
      .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')
      .replace(/["\\\]]/g, (one) => `\\${one}`)
  );
}

/** The same JSON without any octet that is not printable ASCII. */
function asciiJson(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
