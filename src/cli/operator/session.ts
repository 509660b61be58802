// `upstreamproxy session list` and `revoke`: who is connected, and ending a session from outside.

import type { sessionDefinition } from '../commands/session-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { askedConfirmation, tellConfirmation } from './confirmation-line.ts';
import { openOperatorBackend } from './operator-place.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { jsonLine, noteFullList, textTable } from '../terminal/text-table.ts';
import { tellDone } from '../terminal/notes.ts';

type Actions = (typeof sessionDefinition)['actions'];

export async function listSessions({ options }: Input<Actions[0]>): Promise<number> {
  const { all, number: limit, json } = options;
  await using backend = await openOperatorBackend(options, 'read');
  const summaries = await backend.sessions({ all, limit });
  noteFullList(summaries.length, limit);
  if (json) {
    process.stdout.write(summaries.map(jsonLine).join(''));
    return 0;
  }
  const title = [
    'id',
    'principal',
    'state',
    'created',
    'last seen',
    'tunnels',
    'expires',
    'policy',
    'posture',
  ];
  const rows = summaries.map(
    ({ id, principal, state, created, lastSeen, tunnels, expires, policy, posture }) => [
      id,
      principal,
      state,
      shortTime(created),
      shortTime(lastSeen ?? '-'),
      String(tunnels),
      shortTime(expires),
      policy ?? '-',
      posture.length === 0 ? 'nothing holds' : posture.join(','),
    ],
  );
  process.stdout.write(textTable([title, ...rows], tableStyle({ hasTitle: true })));
  return 0;
}

/** To the second, in UTC. */
function shortTime(time: string): string {
  return time.replace(/\.\d{3}Z$/, 'Z');
}

export async function revokeSession({ options, arguments: { ID: id } }: Input<Actions[1]>): Promise<number> {
  const reason = (options.reason ?? 'an operator revoked it').slice(0, 1000);
  await using backend = await openOperatorBackend(options, 'write');
  await backend.revokeSession(id, reason);
  if (!options.json) tellDone(options, `revoked ${id}\n`);
  const confirmation = await askedConfirmation(() => backend.confirm());
  if (options.json) process.stdout.write(jsonLine({ id, state: 'revoked', ...confirmation }));
  else tellConfirmation(options, confirmation);
  return 0;
}
