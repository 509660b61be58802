// Which gateway a command is about.

import type { OptionTable } from '../definition/command-definition.ts';

export const gatewayPlaceOptions = {
  config: {
    kind: 'path',
    short: 'c',
    placeholder: 'FILE',
    holds: 'file',
    help: "the gateway's configuration",
  },
  state: {
    kind: 'path',
    placeholder: 'DIR',
    holds: 'folder',
    help: 'or the folder of a gateway without one, such as that of a run',
  },
} as const satisfies OptionTable;

/** For what lists records: one JSON object a line. */
export const jsonLinesOption = {
  kind: 'flag',
  help: 'one JSON object a line, with all fields',
} as const satisfies OptionTable[string];

/** For what reports: one JSON object. */
export const jsonObjectOption = {
  kind: 'flag',
  help: 'one JSON object instead of text',
} as const satisfies OptionTable[string];
