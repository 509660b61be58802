// Pages for man(1), made from definitions: one for the program, one for each command.

import type { CommandDefinition, Definition, GroupDefinition } from '../definition/command-definition.ts';
import { isHidden, optionFacts, optionGroups } from '../definition/option-facts.ts';
import type { HelpProgram } from '../definition/render-help.ts';
import { optionText, synopsis } from '../definition/synopsis.ts';

export interface ManPage {
  /** `upstreamproxy-run.1`. */
  readonly file: string;
  readonly text: string;
}

/** The pages of a program, in the man(7) macros. The same version gives the same bytes: no page has a date. */
export function renderMan({ name: program, definitions }: HelpProgram, version: string): readonly ManPage[] {
  const shown = definitions.filter((definition) => !isHidden(definition));
  const page = (name: string, lines: readonly string[]): ManPage => ({
    file: `${name}.1`,
    text: [
      `.TH ${quotedWord(name.toUpperCase())} 1 "" ${quotedWord(`${program} ${version}`)}`,
      ...lines,
      '',
    ].join('\n'),
  });
  const overview = page(program, [
    ...section('NAME', [
      `${prose(program)} \\- the internet that code in a locked\\-down container is allowed to have`,
    ]),
    ...section('SYNOPSIS', [`.B ${program}`, '.I command', '[arguments]']),
    ...section('DESCRIPTION', [
      prose(
        'A gateway outside and an agent inside of a container let the code in it reach what a policy allows, and nothing else. The code never has a secret: the gateway puts credentials on.',
      ),
    ]),
    ...section(
      'COMMANDS',
      shown.flatMap(({ name, summary }) => tagged(`.BR ${program}\\-${prose(name)} (1)`, summary)),
    ),
    ...exitStatus(),
    ...section('FILES', [prose('The documents of the package are in its folder docs.')]),
  ]);
  return [
    overview,
    ...shown.map((definition) => page(`${program}-${definition.name}`, body(program, definition))),
  ];
}

function body(program: string, definition: Definition): readonly string[] {
  const { name, summary } = definition;
  const commands = definition.kind === 'command' ? [definition] : definition.actions;
  const path = (command: CommandDefinition): string =>
    definition.kind === 'command' ? name : `${name} ${command.name}`;
  const examples = commands.flatMap((command) => command.examples);
  return [
    ...section('NAME', [`${prose(`${program}-${name}`)} \\- ${prose(summary)}`]),
    ...section(
      'SYNOPSIS',
      commands.flatMap((command) => synopsisLines(program, command, path(command))),
    ),
    ...section('DESCRIPTION', descriptionLines(definition)),
    ...optionGroups(commands).flatMap(({ heading, options }) =>
      section(
        heading === undefined ? 'OPTIONS' : heading.toUpperCase(),
        options.flatMap(([option, facts]) => {
          const short = facts.short === undefined ? '' : `-${facts.short}, `;
          return tagged(`.B ${prose(`${short}${optionText(option, facts)}`)}`, optionFacts(facts));
        }),
      ),
    ),
    ...exitStatus(commands),
    ...section(
      'EXAMPLES',
      examples.flatMap(({ line, purpose }) => [
        '.PP',
        prose(`${purpose}:`),
        '.PP',
        '.nf',
        `.RS 4`,
        prose(line),
        '.RE',
        '.fi',
      ]),
    ),
    ...section('SEE ALSO', [`.BR ${prose(program)} (1)`]),
  ];
}

function synopsisLines(program: string, command: CommandDefinition, path: string): readonly string[] {
  return (command.forms ?? [synopsis(command, path)]).flatMap((form) => [
    '.PP',
    `.B ${prose(`${program} ${form}`)}`,
  ]);
}

function descriptionLines(definition: Definition): readonly string[] {
  const own = (definition.description ?? []).flatMap((text) => ['.PP', prose(text)]);
  if (definition.kind === 'command')
    return [...(own.length === 0 ? [prose(`${definition.summary}.`)] : own), ...argumentLines(definition)];
  return [...own, ...actionLines(definition)];
}

function actionLines({ name, actions }: GroupDefinition): readonly string[] {
  return actions.flatMap((action) => [
    ...tagged(`.B ${prose(`${name} ${action.name}`)}`, action.summary),
    ...(action.description ?? []).flatMap((text) => ['.IP', prose(text)]),
    ...argumentLines(action),
  ]);
}

function argumentLines({ arguments: args }: CommandDefinition): readonly string[] {
  return args
    .filter(({ hidden }) => hidden !== true)
    .flatMap(({ name, help }) => tagged(`.I ${prose(name)}`, help));
}

function exitStatus(commands: readonly CommandDefinition[] = []): readonly string[] {
  const own = commands.flatMap(({ exits = {} }) => Object.entries(exits));
  return section('EXIT STATUS', [
    prose(
      '0 where all went well; else the exit code of the error, which stands in brackets at the end of the message.',
    ),
    ...own.flatMap(([code, meaning]) => tagged(`.B ${code}`, meaning)),
  ]);
}

function section(title: string, lines: readonly string[]): readonly string[] {
  // A paragraph begins there anyway.
  const own = lines[0] === '.PP' ? lines.slice(1) : lines;
  return own.length === 0 ? [] : [`.SH ${quotedWord(title)}`, ...own];
}

function tagged(tag: string, text: string): readonly string[] {
  return ['.TP', tag, prose(text)];
}

/** An argument of a macro. */
function quotedWord(text: string): string {
  return `"${prose(text).replaceAll('"', '\\(dq')}"`;
}

const signs: Readonly<Record<string, string>> = {
  '\\': '\\(rs',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
  '"': '\\(dq',
};

/** Text that troff prints as it is: no sign is turned into another one, and no line is a request. */
function prose(text: string): string {
  const printed = text.replaceAll(/[\\\-'`^~"]|[^\x20-\x7e]/gu, (sign) => {
    return signs[sign] ?? `\\[u${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
  });
  return printed.startsWith('.') ? `\\&${printed}` : printed;
}
