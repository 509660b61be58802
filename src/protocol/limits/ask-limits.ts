// Requests that wait until a person says that they may go on.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

const minuteMs = 60_000;

export const askLimits = {
  askTimeoutMs: row(
    50_000,
    'question_open',
    'How long a request is held for an answer. Clients of MCP wait 60 s for a response. Clients that are known to wait less are held for less.',
  ),
  askBodyBytesMax: row(
    1 * MiB,
    'question_impossible',
    'A body that somebody is asked about. It is held whole meanwhile, and nobody reads a longer one.',
  ),
  askBodyTimeoutMs: row(
    10_000,
    'question_impossible',
    'A body that somebody is asked about must arrive within this time, because a body without an end cannot be shown.',
  ),
  askPendingLifetimeMs: row(
    15 * minuteMs,
    'question_open',
    'How long a question can be answered, and how long an answer of once waits for its client to come back.',
  ),
  askAnswerLifetimeMs: fixedRow(
    15 * minuteMs,
    'question_open',
    'How long the answer "for 15 minutes" holds, and how long a denied request is not asked about again.',
  ),
  askPendingPerSessionMax: row(
    10,
    'question_impossible',
    'Questions of one session, and of all that it made, that wait for an answer. People who are asked more approve without reading.',
  ),
  askQuestionsPerSessionMax: row(
    200,
    'question_impossible',
    'Questions of one session, and of all that it made, in total, so that one workload cannot fill the store.',
  ),
  askQuestionsMax: row(
    10_000,
    'question_impossible',
    'Questions of all sessions that the store keeps, at most about 200 MB. Then the oldest answered one makes room.',
  ),
  askShownBodyBytesMax: fixedRow(
    16 * KiB,
    'question_impossible',
    'The part of a body that a person is shown. The question says how long the body is.',
  ),
  askBoundCharactersMax: fixedRow(
    1000,
    'question_impossible',
    'One line of what an answer is bound to. A longer line is cut, and bound all the same by its digest.',
  ),
  askLookIntervalMs: fixedRow(
    250,
    'question_open',
    'How often the store is asked for answers while requests are held, with one query for all of them.',
  ),
  approverSeenMs: fixedRow(
    45_000,
    'question_impossible',
    'An approver who asked for requests for access within this time is there to be asked. A hidden page of the console asks every 30 s.',
  ),
} as const satisfies Record<string, LimitRow>;
