// What `help` prints, made from definitions.

import type {
  CommandDefinition,
  Definition,
  Example,
  GroupDefinition,
  OptionDefinition,
} from './command-definition.ts';
import { isHidden, optionFacts, optionGroups, type OptionGroup } from './option-facts.ts';
import { optionText, synopsis } from './synopsis.ts';
import { wrapped } from './wrapped-text.ts';

const optionColumn = 24;
const overviewColumn = 14;

/** How this form of the program is called. */
export type ProgramName = 'upstreamproxy' | 'upstreamproxy-agent' | 'upstreamproxy-gateway';

/** A form of the program: its name, and its commands in their order. */
export interface HelpProgram {
  readonly name: ProgramName;
  readonly definitions: readonly Definition[];
}

/** The list of all commands, as wide as a small terminal. */
export function renderOverview({ name: program, definitions }: HelpProgram): string {
  const rows = definitions
    .filter((definition) => !isHidden(definition))
    .map((definition) => row(definition.name, [definition.summary, actionNames(definition)], overviewColumn));
  return [
    `${program} gives code in a locked-down container the internet that a policy allows.\n`,
    `\nUsage: ${program} COMMAND [options]\n\n`,
    ...rows,
    row('help', ['says more about a command, with examples: help COMMAND [ACTION]'], overviewColumn),
    row('version', ['prints the version'], overviewColumn),
  ].join('');
}

/** What a group can do: a line of its own below its summary. */
function actionNames(definition: Definition): string {
  return definition.kind === 'command' ? '' : definition.actions.map(({ name }) => name).join(', ');
}

/** All about a command, or about one action of a group where one of the words names it. */
export function renderHelp(
  { name, definitions }: HelpProgram,
  definition: Definition,
  words: readonly string[] = [],
): string {
  const own = new Set(definitions.map((one) => one.name));
  // What this form has no command for is said of the other one.
  return textOf(definition, words).replaceAll(/\bupstreamproxy ([a-z-]+)/g, (line, command: string) => {
    return own.has(command) ? `${name} ${command}` : line;
  });
}

function textOf(definition: Definition, words: readonly string[]): string {
  if (isHidden(definition)) return `upstreamproxy ${definition.name} ${definition.summary}\n`;
  if (definition.kind === 'command') return commandHelp(definition, definition.name);
  const one = definition.actions.find(({ name }) => words.includes(name));
  if (one !== undefined) return commandHelp(one, `${definition.name} ${one.name}`);
  return groupHelp(definition);
}

function commandHelp(command: CommandDefinition, path: string): string {
  const description = command.description ?? [sentence(command.summary)];
  return [
    lines(command, path),
    ...description.map((text) => wrapped(text, 0)),
    ...(argumentLines(command) === '' ? [] : [argumentLines(command)]),
    ...optionGroups([command]).map((group) => optionBlock(group)),
    ...(exampleLines(command.examples) === '' ? [] : [exampleLines(command.examples)]),
    ...exitBlock([command]),
  ].join('\n');
}

function groupHelp(group: GroupDefinition): string {
  const actions = group.actions.map((action) => {
    const text = [action.summary, ...(action.description ?? [])].map((part) => wrapped(part, 2));
    return lines(action, `${group.name} ${action.name}`) + text.join('');
  });
  const examples = exampleLines(group.actions.flatMap((action) => action.examples));
  return [
    ...actions,
    ...(group.description ?? []).map((text) => wrapped(text, 0)),
    ...optionGroups(group.actions).map((found) => optionBlock(found)),
    ...(examples === '' ? [] : [examples]),
    ...exitBlock(group.actions),
  ].join('\n');
}

function lines(command: CommandDefinition, path: string): string {
  const forms = command.forms ?? [synopsis(command, path)];
  return forms.map((form) => `upstreamproxy ${form}\n`).join('');
}

function argumentLines({ arguments: args }: CommandDefinition): string {
  return args
    .filter(({ hidden }) => hidden !== true)
    .map(({ name, help }) => row(name, [help]))
    .join('');
}

function optionBlock({ heading, options }: OptionGroup): string {
  const rows = options.map(([name, option]) => row(optionTitle(name, option), [optionFacts(option)]));
  return `${heading === undefined ? 'Options:\n' : wrapped(`${heading}:`, 0)}${rows.join('')}`;
}

function optionTitle(name: string, option: OptionDefinition): string {
  const text = optionText(name, option);
  return option.short === undefined ? text : `-${option.short}, ${text}`;
}

function exampleLines(examples: readonly Example[]): string {
  if (examples.length === 0) return '';
  return `Examples:\n${examples.map(({ line, purpose }) => `  # ${purpose}\n  ${line}\n`).join('')}`;
}

/** The codes that say something of what was asked, not of a fault. */
function exitBlock(commands: readonly CommandDefinition[]): readonly string[] {
  const lines = commands.flatMap(({ name, exits = {} }) =>
    Object.entries(exits).map(([code, meaning]) => `  ${name} ends with ${code}: ${meaning}\n`),
  );
  return lines.length === 0 ? [] : [`Exit codes:\n${lines.join('')}`];
}

/** A title, and its texts beside it, each on lines of its own. */
function row(title: string, texts: readonly string[], column = optionColumn): string {
  const first = `  ${title}`;
  const block = texts
    .filter((text) => text !== '')
    .map((text) => wrapped(text, column))
    .join('');
  // A long title has its line for itself.
  if (first.length >= column) return `${first}\n${block}`;
  return first + block.slice(first.length);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
