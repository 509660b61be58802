// `upstreamproxy docs`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';

export const docsDefinition = {
  kind: 'command',
  name: 'docs',
  summary: "serves this version's documents as a site with search, on this machine only",
  description: [
    'The site comes with the npm package, so it needs no network. The command prints its address, which is on 127.0.0.1, and serves it until Ctrl+C.',
    'A release has the same site as a file, for the programs that are one file.',
  ],
  arguments: [],
  options: {
    port: { kind: 'port', min: 0, placeholder: 'PORT', otherwise: 0, help: 'which port; 0 is any free one' },
    open: { kind: 'flag', help: 'opens it in your browser' },
    from: {
      kind: 'path',
      holds: 'file',
      placeholder: 'FILE',
      help: 'a site of a release, upstreamproxy-docs-VERSION.tar.zst',
    },
  },
  examples: [
    { line: 'upstreamproxy docs --open', purpose: 'read and search the documents, without a network' },
    {
      line: 'upstreamproxy docs --from upstreamproxy-docs-0.1.0.tar.zst --port 8000',
      purpose: 'those of another version',
    },
  ],
} as const satisfies CommandDefinition;
