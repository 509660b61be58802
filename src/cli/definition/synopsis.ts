// A command as one line: what it is called and what it takes, without the program's name.

import type { CommandDefinition, OptionDefinition } from './command-definition.ts';

/** `session revoke ID --config FILE [options]`. `path` is the command's name, with that of its group. */
export function synopsis({ options, arguments: args, command }: CommandDefinition, path: string): string {
  const entries = Object.entries(options);
  const required = entries.filter(([, option]) => isRequired(option));
  return [
    path,
    ...args.filter(({ hidden }) => hidden !== true).map(argumentText),
    ...required.map(([name, option]) => optionText(name, option)),
    ...(entries.length > required.length ? ['[options]'] : []),
    ...(command === undefined ? [] : ['-- command …']),
  ].join(' ');
}

function isRequired(option: OptionDefinition): boolean {
  return 'required' in option && option.required === true;
}

function argumentText({ name, required, repeated }: CommandDefinition['arguments'][number]): string {
  const text = repeated === true ? `${name} …` : name;
  return required === true ? text : `[${text}]`;
}

/** `--config FILE`, or `--json`. */
export function optionText(name: string, option: OptionDefinition): string {
  return option.kind === 'flag' ? `--${name}` : `--${name} ${option.placeholder}`;
}
