// Notices to people and their systems, and what they send back.

import { fixedRow, KiB, type LimitRow } from './limit-row.ts';

const minuteMs = 60_000;

export const noticeLimits = {
  noticeTimeoutMs: fixedRow(
    10_000,
    'limit_exceeded',
    'One attempt to hand over a notice, from the dial to the end of the response, or `telemetryTimeoutMs` if that is less.',
  ),
  noticeRepeatMs: fixedRow(
    10 * minuteMs,
    'limit_exceeded',
    'A denial or a used-up budget of the same session, host and rule is told once in this time. A workload that tries again is not news.',
  ),
  noticeRepeatsMax: fixedRow(
    5_000,
    'limit_exceeded',
    'Denials and budgets that a receiver was told of and that are remembered. Beyond it, the oldest may be told again, within the rate of the receiver.',
  ),
  slackSectionCharactersMax: fixedRow(
    3_000,
    'limit_exceeded',
    'A text in a section of a chat message (Block Kit). A longer one is cut. The audit has it.',
  ),
  callbackSignaturesMax: fixedRow(
    8,
    'operator_unknown',
    'Signatures in one message that are compared. A sender that changes its secret sends two.',
  ),
  callbackFieldBytesMax: fixedRow(
    2 * KiB,
    'operator_unknown',
    'A header field of a message that is read: its id, its time, its signatures.',
  ),
  callbackBodyBytesMax: fixedRow(
    64 * KiB,
    'body_too_large',
    'A message of a sender. One of Slack repeats the message with the button, and has some kilobytes.',
  ),
  callbackClockMs: fixedRow(
    5 * minuteMs,
    'operator_unknown',
    "How far the time of a message may be from the gateway's clock. Standard Webhooks and Slack ask for as much.",
  ),
  callbackSeenMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Messages with a right signature that are remembered against replay, for ten minutes each.',
  ),
  callbackTimeoutMs: fixedRow(10_000, 'timeout', 'From the beginning to the end of a message.'),
  callbackConnectionsMax: fixedRow(
    64,
    'limit_exceeded',
    'Connections to the listener for callbacks. Further ones are closed unread.',
  ),
} as const satisfies Record<string, LimitRow>;
