// Protocols other than HTTP that the gateway ends: what may come before a session has begun.

import { fixedRow, KiB, MiB, row } from './limit-row.ts';

export const databaseLimits = {
  databaseLoginTimeoutMs: row(
    30_000,
    'timeout',
    'Each wait before a session of a database has begun: for what the client wants, for the server to take TLS, and for the log-in and all that the server says with it.',
  ),
  databaseLoginBytesMax: row(
    256 * KiB,
    'login_refused',
    'What a server says before the session has begun is held whole, message by message: settings and notices of some KiB.',
  ),
  databaseLoginIterationsMax: row(
    200_000,
    'login_refused',
    'Rounds of hashing that a server asks for (SCRAM); PostgreSQL asks for 4,096. These take a thread of the gateway some 0.1 s.',
  ),
  databaseLoginsPerSessionMax: row(
    256,
    'limit_exceeded',
    'Log-ins at servers of MySQL that are under way at once, for a session and those that it made. They go on when their client has left; servers have 151 connections unless they are told otherwise.',
  ),
  databasePartingMs: row(
    2000,
    'timeout',
    'How long a client that was told that its session ends has to close its connection. Its connection to the server is closed at once.',
  ),
  databaseStatementBytesMax: row(
    128 * KiB,
    'protocol_denied',
    'A statement that a rule reads is held and parsed whole. Statements have some KiB; data belongs into parameters and COPY, which pass unread.',
  ),
  databaseStatementMemoryBytesMax: fixedRow(
    256 * MiB,
    'protocol_denied',
    'What the thread has for the tree of one statement, beside the parser itself, whose memory grows to 1 GiB at most. Some 100 octets for each of databaseStatementBytesMax were seen.',
  ),
  databaseStatementTimeoutMs: row(
    5000,
    'protocol_denied',
    'To parse a statement takes 0.1 ms, and the slowest of databaseStatementBytesMax a second. One thread parses for all sessions, in turns.',
  ),
};
