// Options that several actions of `policy` share.

import type { OptionTable } from '../definition/command-definition.ts';

export const policyConfigOption = {
  kind: 'path',
  short: 'c',
  placeholder: 'FILE',
  holds: 'file',
  help: "a gateway's configuration: its credentials and trust are known then, and its policy is the default",
} as const satisfies OptionTable[string];

export const policyFilesOption = {
  kind: 'repeated',
  each: 'path',
  placeholder: 'FILE',
  help: 'policy file or folder',
} as const satisfies OptionTable[string];

/** Which recorded requests are looked at. */
export const recordOptions = {
  config: policyConfigOption,
  audit: {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    help: 'an audit in JSON lines',
  },
  state: {
    kind: 'path',
    placeholder: 'DIR',
    holds: 'folder',
    help: 'the folder of a gateway without a configuration, such as that of a run',
  },
  since: {
    kind: 'duration',
    placeholder: 'DURATION',
    // As long as the store can be told to keep events.
    msMax: 36_500 * 86_400_000,
    help: 'only what is not older, such as 12h or 7d',
  },
} as const satisfies OptionTable;
