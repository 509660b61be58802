// SSH that the gateway ends.

import { fixedRow, KiB, MiB, row } from './limit-row.ts';

export const sshLimits = {
  sshAgentMessageOctetsMax: fixedRow(
    16 * KiB,
    'ssh_agent_refused',
    'A message to the agent of SSH: a log-in with a key of RSA has 2 KiB. A request to the gateway has two at most.',
  ),
  sshAgentBodyBytesMax: row(
    40 * KiB,
    'body_too_large',
    'A request of a session to the agent of SSH: the bind of a connection, and a message.',
  ),
  sshAgentMessagesMax: fixedRow(
    256,
    'ssh_agent_refused',
    'Messages of one connection to the agent of SSH, which is then closed: a log-in has three, and a client tries a few keys.',
  ),
  sshAgentConnectionsMax: fixedRow(
    32,
    'limit_exceeded',
    'Connections to the agent of SSH of one session at once. A client has one while it logs in.',
  ),
  sshAgentIdleTimeoutMs: fixedRow(
    600_000,
    'timeout',
    'How long a connection to the agent of SSH may say nothing: a person may be asked for something else meanwhile.',
  ),
  sshLoginTimeoutMs: row(
    30_000,
    'timeout',
    'Each wait before a command runs: for the client to say which, and for the server to take the log-in. Also the wait for a side to close.',
  ),
  sshLoginAttemptsMax: row(
    6,
    'protocol_denied',
    'Log-ins that a client tries in one connection. The first one is taken, so only one that wants what there is not has more.',
  ),
  sshWaitingOctetsMax: row(
    1 * MiB,
    'internal',
    'Octets that wait to be written to one side, from which on nothing more of it is read that could be responded to.',
  ),
  sshHeldOctets: row(
    8 * MiB,
    'limit_exceeded',
    'What one connection may hold of both sides, counted for its session (heldOctetsPerSessionMax) while it lasts: a window of 2 MiB each way, and as much that waits to be written.',
  ),
  sshUnreadOctetsMax: row(
    6 * MiB,
    'limit_exceeded',
    'Octets of a channel that nobody has taken yet. A client that keeps to its window of 2 MiB never has more than 4 MiB here.',
  ),
  sshErrorOctetsMax: row(
    16 * MiB,
    'limit_exceeded',
    'What a command writes to its standard error, beside what it gives: the rest is left out.',
  ),
  sshKeyOctetsMax: row(
    32 * 1024 * MiB,
    'limit_exceeded',
    'Octets of one connection with the same keys: half of what RFC 4344 §3.2 gives AES. OpenSSH asks for new ones after 1 to 4 GiB.',
  ),
};
