// `upstreamproxy init`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';

export const initDefinition = {
  kind: 'command',
  name: 'init',
  summary: 'writes the configuration of a first gateway and its policy',
  description: [
    'Asks four questions and writes `gateway.yaml` and `policy.yaml`, each line with the reason for it. Then it prints the commands that come next. A file that is there is never overwritten.',
    'It looks at lock files, remotes of git and the names of variables where you start it. For the services that the catalogue knows, it proposes rules in `policy.yaml`, as comments unless you choose `found`. It puts no credential on.',
    'Every question has an option, so that a script can run it; `--yes` takes the defaults for the others.',
  ],
  arguments: [{ name: 'FOLDER', help: 'where the files go; this folder by default', takes: 'path' }],
  options: {
    name: {
      kind: 'value',
      placeholder: 'HOST',
      help: 'the name or address by which containers reach the gateway; default: localhost',
    },
    port: {
      kind: 'port',
      placeholder: 'PORT',
      min: 1,
      help: 'default: 8443',
    },
    'state-folder': {
      kind: 'path',
      placeholder: 'DIR',
      holds: 'folder',
      help: 'keys, sessions and audit; default: the folder state beside the files',
    },
    start: {
      kind: 'choice',
      placeholder: 'HOW',
      choices: {
        observe: 'lets public hosts through and records what a policy would have to allow',
        npm: 'allows the registry that npm is configured with, to be read; denies the rest',
        found:
          'allows reads of the services that this folder seems to use, by the catalogue; denies the rest',
        nothing: 'denies everything until you write a rule',
      },
      help: 'what the policy does at first; default: observe',
    },
    yes: { kind: 'flag', short: 'y', help: 'asks nothing' },
  },
  examples: [
    { line: 'upstreamproxy init', purpose: 'asks, and writes into this folder' },
    {
      line: 'upstreamproxy init /etc/upstreamproxy --name gateway.example.com --start nothing --yes',
      purpose: 'for a script',
    },
  ],
} as const satisfies CommandDefinition;
