// `upstreamproxy session`: what operators ask of sessions, and a command with a session that may less.

import { sessionDefinition } from '../commands/session-definition.ts';
import { groupOf } from '../terminal/command.ts';

// Each is loaded when it is used: what a container needs loads nothing of a gateway.
export const sessionCommand = groupOf(sessionDefinition, {
  list: async (input) => await (await import('../operator/session.ts')).listSessions(input),
  revoke: async (input) => await (await import('../operator/session.ts')).revokeSession(input),
  narrow: async (input) => await (await import('./narrow.ts')).narrow(input),
});
