// What help and reference say of options beside their names.

import {
  type CommandDefinition,
  commonOptions,
  type Definition,
  type OptionDefinition,
} from './command-definition.ts';

export interface OptionGroup {
  /** Undefined: the options that stand under no heading. */
  readonly heading: string | undefined;
  readonly options: readonly (readonly [name: string, option: OptionDefinition])[];
}

/** The program starts it, not people. */
export function isHidden({ hidden }: Definition): boolean {
  return hidden === true;
}

/** The help of an option with what its kind says: words, default, variable, whether it may be given again. */
export function optionFacts(option: OptionDefinition): string {
  const facts = [option.help];
  if (option.kind === 'choice') {
    const words = Object.entries(option.choices).map(([word, meaning]) => {
      return `${word}${word === option.otherwise ? ' (default)' : ''}: ${meaning}`;
    });
    return `${[...facts, ...words].join('; ')}${source(option)}`.replace('; ', ': ');
  }
  if (option.kind === 'list') facts.push(option.choices.join(','));
  if (option.kind === 'number' && option.otherwise !== undefined) facts.push(`default ${option.otherwise}`);
  if (option.kind === 'repeated') facts.push('may be given several times');
  return `${facts.join('; ')}${source(option)}`;
}

function source({ variable }: OptionDefinition): string {
  return variable === undefined ? '' : ` (${variable})`;
}

/** Over the options that every command takes. */
const commonHeading = 'Options of every command';

/**
 * Options as they are shown: under their own headings, and in a group of actions those together that the same actions take.
 */
export function optionGroups(commands: readonly CommandDefinition[]): readonly OptionGroup[] {
  const groups = new Map<string, { heading: string | undefined; options: [string, OptionDefinition][] }>();
  const seen = new Set<string>();
  for (const command of commands) {
    for (const [name, option] of Object.entries(command.options)) {
      const takers = commands.filter(({ options }) => {
        return Object.hasOwn(options, name) && optionFacts(options[name] ?? option) === optionFacts(option);
      });
      const names = takers.map((taker) => taker.name);
      const key = [name, ...names].join(' ');
      if (seen.has(key)) continue;
      seen.add(key);
      const heading = option.section ?? (takers.length === commands.length ? undefined : headingOf(names));
      const group = groups.get(heading ?? '') ?? { heading, options: [] };
      groups.set(heading ?? '', group);
      group.options.push([name, option]);
    }
  }
  // What stands under no heading comes first, and what every command takes last.
  const own = [...groups.values()].toSorted((one, other) => {
    return Number(one.heading !== undefined) - Number(other.heading !== undefined);
  });
  return [...own, { heading: commonHeading, options: Object.entries(commonOptions) }];
}

function headingOf(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return `Options of ${names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`}`;
}
