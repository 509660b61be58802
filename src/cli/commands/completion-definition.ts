// `upstreamproxy completion`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';

export const completionDefinition = {
  kind: 'command',
  name: 'completion',
  summary: 'prints a script that completes commands and options in a shell',
  description: [
    'The script knows every command, option and fixed value of this version. It starts nothing: completing costs no time.',
    'Source it in the profile of your shell, or save it where the shell looks for such files. The script for PowerShell is made from the same table; nobody has run it yet.',
  ],
  arguments: [
    {
      name: 'SHELL',
      help: 'bash, zsh, fish or powershell',
      required: true,
      words: ['bash', 'zsh', 'fish', 'powershell'],
    },
  ],
  options: {},
  examples: [
    {
      line: 'upstreamproxy completion bash > ~/.local/share/bash-completion/completions/upstreamproxy',
      purpose: 'bash, with the package bash-completion',
    },
    {
      line: 'upstreamproxy completion zsh > ~/.zsh/completions/_upstreamproxy',
      purpose: 'zsh, where that folder is in fpath',
    },
    {
      line: 'upstreamproxy completion fish > ~/.config/fish/completions/upstreamproxy.fish',
      purpose: 'fish',
    },
  ],
} as const satisfies CommandDefinition;
