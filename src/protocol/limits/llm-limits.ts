// Calls of models.

import { fixedRow, MiB, row, type LimitRow } from './limit-row.ts';

export const llmLimits = {
  llmTokensPerCall: fixedRow(
    2048,
    'limit_exceeded',
    'Set aside for each call under a budget beyond the octets of its body: what services put before it, such as how tools are used.',
  ),
  llmTokensPerItem: fixedRow(
    64,
    'limit_exceeded',
    'Set aside for each message, part of content and tool of a call under a budget: what marks where it begins and ends.',
  ),
  llmResponseBytesMax: row(
    8 * MiB,
    'limit_exceeded',
    'A response of a model, or an event of its stream, is held until it is whole, to read what it took. Of a longer one the most that the call could take is charged.',
  ),
  llmDrainMs: row(
    60_000,
    'timeout',
    'A response of a model whose client went away is read on for so long, to learn what it took. Then the most that the call could take is charged.',
  ),
} as const satisfies Record<string, LimitRow>;
