// The exchange that an operator wants explained, as the audit has it.

import type { AuditEvent } from '../../api/audit-event.ts';
import { recordedDecision, type RecordedDecision } from '../../gateway/policies/recorded-decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { harmlessText } from '../terminal/text-table.ts';
import type { ExchangeExplained } from './judging-backend.ts';

/** A trace, or the beginning of one; ids of events have hyphens. */
export function isTrace(text: string): boolean {
  return /^[0-9a-f]{4,32}$/.test(text);
}

/** The one that was decided, of those of a trace. @throws ProxyError usage */
export function exchangeOf(events: readonly AuditEvent[], id: string): AuditEvent {
  const event = events.find(({ kind }) => kind === 'exchange' || kind === 'stream') ?? events[0];
  if (event !== undefined) return event;
  throw new ProxyError(
    'usage',
    `the audit has no event ${JSON.stringify(id)}: take its id, as audit tail --json has it, or the trace that a denial names`,
  );
}

/** @throws ProxyError usage where nothing was decided, or the event does not say about what */
export function decisionOf(event: AuditEvent): RecordedDecision {
  const recorded = recordedDecision(event);
  if (recorded === undefined || typeof recorded === 'string')
    throw new ProxyError('usage', `nothing was decided of it: ${recorded ?? 'it is no exchange'}`);
  const { partial } = recorded;
  if (partial === undefined) return recorded;
  throw new ProxyError(
    'usage',
    `it can't be told what decides about it: only the beginning of its ${partial.field} is recorded`,
  );
}

/** What only the audit knows, and is missing in an explanation. */
export function recordedNotes({ rule, access, event }: RecordedDecision): readonly string[] {
  return [
    ...(rule.startsWith('access-grant:')
      ? ['it was decided by a grant, which is part of no policy; access list --all has it']
      : []),
    ...(access.depth === 'request'
      ? ['its header fields are not recorded: rules that look at them are asked as if it had none']
      : []),
    ...(event.deniedField === undefined
      ? []
      : [`it was refused for its field ${event.deniedField}, whose value is not recorded`]),
  ];
}

/** A note where nothing is kept of its session. */
export const sessionGone =
  'its session is not kept any more: rules that look at it are asked as if it had no claims';

/** A note where it is not known what another session left to its session. */
export const narrowingGone =
  'the policy that its session was narrowed by is not kept: it cannot be told what that allowed, and nothing is shown as allowed';

/** A note where the policy of then is not kept. */
export function policyGone(asked: string): string {
  return `the policy that decided is not kept: ${asked} is asked, which is in force now`;
}

export function exchangeText({ event, notes, text }: ExchangeExplained): string {
  const { id, time, verdict, rule = 'no rule', policyVersion = 'unknown' } = event;
  const lines = [
    `event ${id} of ${time}: ${verdict} by ${rule}, policy ${policyVersion}`,
    ...notes.map((note) => `  note: ${note}`),
  ];
  return `${lines.map(harmlessText).join('\n')}\n\n${text}`;
}
