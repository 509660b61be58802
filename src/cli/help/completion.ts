// `upstreamproxy completion`: a script for a shell, made from the definitions of the commands.

import { completionDefinition } from '../commands/completion-definition.ts';
import { definitions } from '../commands/definitions.ts';
import { commandOf } from '../terminal/command.ts';
import { bashCompletion } from './bash-completion.ts';
import { completionPlaces, type Place } from './completion-places.ts';
import { fishCompletion } from './fish-completion.ts';
import { powerShellCompletion } from './power-shell-completion.ts';
import { zshCompletion } from './zsh-completion.ts';

type Shell = (typeof completionDefinition)['arguments'][0]['words'][number];

const scripts: Readonly<Record<Shell, (program: string, places: readonly Place[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
  powershell: powerShellCompletion,
};

export const completionCommand = commandOf(completionDefinition, async ({ arguments: { SHELL } }) => {
  const places = completionPlaces({ name: 'upstreamproxy', definitions });
  process.stdout.write(scripts[SHELL]('upstreamproxy', places));
  return 0;
});
