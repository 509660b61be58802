// Calls of models.

import { fixedRow, MiB, row, type LimitRow } from './limit-row.ts';

export const llmLimits = {
  llmTokensPerCall: fixedRow(
    2048,
    'limit_exceeded',
    'Set aside for each call under a budget, beyond the octets of its body: text that services put before it, such as how to use tools.',
  ),
  llmTokensPerItem: fixedRow(
    64,
    'limit_exceeded',
    'Set aside for each message, part of content and tool of a call under a budget: the marks of its beginning and end.',
  ),
  llmResponseBytesMax: row(
    8 * MiB,
    'limit_exceeded',
    'A response of a model, or an event of its stream. It is held until it is whole, to read how much it used. A longer one is charged with the most that the call could use.',
  ),
  llmDrainMs: row(
    60_000,
    'timeout',
    'How long a response of a model is read on after its client went away, to learn how much it used. Then the call is charged with the most that it could use.',
  ),
} as const satisfies Record<string, LimitRow>;
