// `policy learn` and `policy replay` on a list of events.

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { type KnownSessions, noteSession, type SessionFacts } from '../../src/cli/operator/session-facts.ts';
import { PolicyProposal } from '../../src/cli/policy/policy-proposal.ts';
import { PolicyReplay, type Replay } from '../../src/gateway/policies/policy-replay.ts';
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts';

export function proposePolicy(events: Iterable<AuditEvent>): string {
  const proposal = new PolicyProposal();
  for (const event of events) proposal.note(event);
  return proposal.text();
}

export function replay(events: Iterable<AuditEvent>, policy: CompiledPolicy, sessions: SessionFacts): Replay {
  const replaying = new PolicyReplay(policy, sessions);
  for (const event of events) replaying.note(event);
  return replaying.result();
}

export function sessionsOfEvents(events: Iterable<AuditEvent>): SessionFacts {
  const known: KnownSessions = new Map();
  for (const event of events) noteSession(known, event);
  return known;
}
