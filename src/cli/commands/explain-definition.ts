// `upstreamproxy explain`, as a definition.

import { errorTable } from '../../protocol/error-table.ts';
import { limitTable } from '../../protocol/limits.ts';
import type { CommandDefinition } from '../definition/command-definition.ts';

export const explainDefinition = {
  kind: 'command',
  name: 'explain',
  summary: 'explains an error code or a limit, and says what to do',
  description: [
    'Every message ends with a code in brackets, every denial has a reason, and every refusal for size, rate or time names a limit. Give any of these names.',
  ],
  arguments: [
    {
      name: 'NAME',
      help: 'an error code such as policy_denied, or the name of a limit',
      required: true,
      words: [...Object.keys(errorTable), ...Object.keys(limitTable)],
    },
  ],
  options: {
    json: { kind: 'flag', help: 'for programs' },
  },
  lists: { what: 'name, kind, meaning, what to do, and the numbers of the table', as: 'object' },
  examples: [
    { line: 'upstreamproxy explain policy_denied', purpose: 'the code at the end of a message' },
    { line: 'upstreamproxy explain headTimeoutMs', purpose: 'a limit that was reached' },
  ],
} as const satisfies CommandDefinition;
