// The reference of all commands in Markdown, made from definitions.

import {
  type CommandDefinition,
  commonOptions,
  type Definition,
  type OptionTable,
} from './command-definition.ts';
import { isHidden, optionFacts } from './option-facts.ts';
import { optionText, synopsis } from './synopsis.ts';

/** Sections of the document docs/reference/commands.md, one a command. */
export function renderReference(definitions: readonly Definition[]): string {
  const common = ['## Options of every command', ...table('option', optionRows(commonOptions))];
  const sections = definitions.filter((definition) => !isHidden(definition)).map(sectionOf);
  return [...common, ...sections].join('\n\n');
}

function sectionOf(definition: Definition): string {
  if (definition.kind === 'command') return commandSection(definition, definition.name, '##');
  const { name, summary, description = [], actions } = definition;
  return [
    `## ${name}`,
    `${sentence(summary)}`,
    ...description.map(escaped),
    ...actions.map((action) => commandSection(action, `${name} ${action.name}`, '###')),
  ].join('\n\n');
}

function commandSection(command: CommandDefinition, path: string, heading: string): string {
  const { summary, description = [], examples, exits = {}, lists } = command;
  const forms = command.forms ?? [synopsis(command, path)];
  const codes = Object.entries(exits).map(([code, meaning]) => `Exit code ${code}: ${escaped(meaning)}.`);
  return [
    `${heading} ${path}`,
    sentence(summary),
    ...description.map(escaped),
    block(forms.map((form) => `upstreamproxy ${form}`)),
    ...table('argument', argumentRows(command)),
    ...table('option', optionRows(command.options)),
    ...(lists === undefined ? [] : [jsonText(lists)]),
    ...(codes.length === 0 ? [] : [codes.join(' ')]),
    ...(examples.length === 0
      ? []
      : [block(examples.flatMap(({ line, purpose }) => [`# ${purpose}`, line]))]),
  ].join('\n\n');
}

function jsonText({ what, as }: NonNullable<CommandDefinition['lists']>): string {
  return `\`--json\` prints ${as === 'lines' ? 'one object a line' : 'one object'}: ${escaped(what)}.`;
}

function argumentRows({ arguments: args }: CommandDefinition): readonly (readonly [string, string])[] {
  return args.filter(({ hidden }) => hidden !== true).map(({ name, help }) => [`\`${name}\``, escaped(help)]);
}

function optionRows(options: OptionTable): readonly (readonly [string, string])[] {
  return Object.entries(options).map(([name, option]) => {
    const short = option.short === undefined ? '' : `\`-${option.short}\`, `;
    return [`${short}\`${optionText(name, option)}\``, escaped(optionFacts(option))];
  });
}

function table(title: string, rows: readonly (readonly [string, string])[]): readonly string[] {
  if (rows.length === 0) return [];
  return [
    [`| ${title} | meaning |`, '|---|---|', ...rows.map(([name, text]) => `| ${name} | ${text} |`)].join(
      '\n',
    ),
  ];
}

function block(lines: readonly string[]): string {
  return ['```sh', ...lines, '```'].join('\n');
}

function sentence(text: string): string {
  return escaped(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`);
}

/** What Markdown would take for its own. */
function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/[<>]/g, (sign) => (sign === '<' ? '&lt;' : '&gt;'));
}
