// What an audit event says of a refusal, without what the operator alone is told.

import {
  refusalPathCharacters,
  refusalTextCharacters,
  type SessionRefusal,
} from '../protocol/session-refusals.ts';
import type { AuditEvent } from './audit-event.ts';

/** Undefined if nothing was refused. */
export function refusalOf(event: AuditEvent): SessionRefusal | undefined {
  const { kind, verdict, errorCode: code = 'refused', details } = event;
  if (verdict !== 'deny' || (kind !== 'exchange' && kind !== 'stream')) return undefined;
  const { port } = event;
  const [method, scheme, host, rule] = [event.method, event.scheme, event.host, event.rule].map(cut);
  const path = event.path?.replace(/\?.*$/s, '').slice(0, refusalPathCharacters + 1);
  const together = details?.['refused'] ?? event.count;
  return {
    kind,
    ...(method === undefined ? {} : { method }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
    code,
    ...(rule === undefined ? {} : { rule }),
    count: typeof together === 'number' && together > 0 ? together : 1,
  };
}

function cut(text: string | undefined): string | undefined {
  return text?.slice(0, refusalTextCharacters);
}
