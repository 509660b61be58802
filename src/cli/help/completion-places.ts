// What can stand where on a command line, made from definitions; every shell's script is made from this.

import {
  type CommandDefinition,
  commonOptions,
  type Definition,
  type OptionDefinition,
} from '../definition/command-definition.ts';
import { isHidden } from '../definition/option-facts.ts';
import type { HelpProgram } from '../definition/render-help.ts';

/** A word and, for shells that show it, what it is. */
export type Word = readonly [word: string, meaning: string];

/** What a value can be. `nothing`: any text, of which nothing is known. */
export type Values =
  | { readonly kind: 'nothing' | 'file' | 'folder' }
  | { readonly kind: 'words'; readonly words: readonly Word[] };

export interface CompletedOption {
  readonly name: string;
  readonly short?: string;
  readonly help: string;
  /** Undefined for a flag. */
  readonly values: Values | undefined;
  readonly isRepeated: boolean;
}

/** A place of a command line: behind the program's name, behind that of a group, or in a command. */
export interface Place {
  /** Words behind the program's name, with a space between them; empty behind the program itself. */
  readonly path: string;
  /** Commands or actions that can come next. */
  readonly words: readonly Word[];
  readonly options: readonly CompletedOption[];
  readonly operands: Values;
  /** Another command line can follow. */
  readonly takesCommand: boolean;
}

const helpOption: CompletedOption = {
  name: 'help',
  short: 'h',
  help: 'more about this command',
  values: undefined,
  isRepeated: false,
};
const nothing = { kind: 'nothing' } as const;

/** What every command takes. */
const everywhere: readonly CompletedOption[] = [
  ...Object.entries<OptionDefinition>(commonOptions).map(optionOf),
  helpOption,
];

/** Every place of the program, the outermost first. */
export function completionPlaces({ definitions }: HelpProgram): readonly Place[] {
  const shown = definitions.filter((definition) => !isHidden(definition));
  const commands = shown.map(({ name, summary }): Word => [name, summary]);
  const top: readonly Word[] = [
    ...commands,
    ['help', 'more about a command'],
    ['version', 'which version this is'],
  ];
  return [
    { path: '', words: top, options: [], operands: nothing, takesCommand: false },
    { path: 'help', words: commands, options: [], operands: nothing, takesCommand: false },
    ...shown.flatMap(placesOf),
  ];
}

function placesOf(definition: Definition): readonly Place[] {
  if (definition.kind === 'command') return [placeOf(definition, definition.name)];
  const { name, actions } = definition;
  const options = new Map(actions.flatMap((action) => Object.entries(action.options)));
  const group: Place = {
    path: name,
    words: actions.map((action): Word => [action.name, action.summary]),
    // Options may stand before the action.
    options: [...[...options].map(optionOf), ...everywhere],
    operands: nothing,
    takesCommand: false,
  };
  return [group, ...actions.map((action) => placeOf(action, `${name} ${action.name}`))];
}

function placeOf(command: CommandDefinition, path: string): Place {
  const argument = command.arguments.find(({ hidden }) => hidden !== true);
  const operands: Values =
    argument?.takes === 'path'
      ? { kind: 'file' }
      : argument?.words === undefined
        ? nothing
        : { kind: 'words', words: argument.words.map((word): Word => [word, '']) };
  return {
    path,
    words: [],
    options: [...Object.entries(command.options).map(optionOf), ...everywhere],
    operands,
    takesCommand: command.command !== undefined,
  };
}

function optionOf([name, option]: readonly [string, OptionDefinition]): CompletedOption {
  return {
    name,
    ...(option.short === undefined ? {} : { short: option.short }),
    help: option.help,
    values: valuesOf(option),
    isRepeated: option.kind === 'repeated',
  };
}

function valuesOf(option: OptionDefinition): Values | undefined {
  switch (option.kind) {
    case 'flag':
      return undefined;
    case 'path':
      return { kind: option.holds === 'folder' ? 'folder' : 'file' };
    case 'repeated':
      return option.each === 'path' ? { kind: 'file' } : nothing;
    case 'choice':
      return { kind: 'words', words: Object.entries(option.choices) };
    case 'list':
      return { kind: 'words', words: option.choices.map((word): Word => [word, '']) };
    case 'port':
      return { kind: 'words', words: (option.words ?? []).map((word): Word => [word, '']) };
    case 'value':
    case 'duration':
    case 'number':
      return nothing;
  }
}

/** The first words that lead to a place, where they are no option's value: what a script follows along the line. */
export function pathsOf(places: readonly Place[]): readonly string[] {
  return places.map(({ path }) => path).filter((path) => path !== '');
}

/** Those behind which only words of the program stand. */
export function pathsWithWords(places: readonly Place[]): readonly string[] {
  return places.filter(({ words }) => words.length > 0).map(({ path }) => path);
}

/** As it is typed: the long name, and the letter if it has one. */
export function typedNames({ name, short }: CompletedOption): readonly string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}
