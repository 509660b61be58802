// `upstreamproxy cleanup`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { jsonObjectOption } from './gateway-place-options.ts';

export const cleanupDefinition = {
  kind: 'command',
  name: 'cleanup',
  summary: 'removes what killed sessions have left behind',
  description: [
    "Removes what killed sessions of this user have left behind. That is files in HOME (--home-files), changes of the system's trust stores (--system-store) and of /etc/resolv.conf (--capture-loopback), and folders of trust files. A file that somebody has changed since stays, and so does one that no session places. The command names both. The next session does the same.",
  ],
  arguments: [{ name: 'OTHERS', help: 'not used', repeated: true, hidden: true }],
  options: {
    json: jsonObjectOption,
  },
  examples: [{ line: 'upstreamproxy cleanup', purpose: 'after sessions were killed' }],
  lists: {
    what: 'how many sessions had left something, the folders that were removed, and what stays',
    as: 'object',
  },
} as const satisfies CommandDefinition;
