// Reads a command line by a definition. Pure: what is wrong is thrown as `usage`, one line that says what to write.

import { parseArgs } from 'node:util';

import { ProxyError } from '../../protocol/error.ts';
import {
  type CommandDefinition,
  commonOptions,
  type GroupDefinition,
  type Input,
  type OptionDefinition,
  type OptionTable,
} from './command-definition.ts';
import { suggestion } from '../../protocol/nearest-name.ts';
import { type Given, quoted, readOption, shellLine } from './option-value.ts';
import { synopsis } from './synopsis.ts';

/** What stands on a command line, before it is known what for. */
interface RawLine {
  readonly given: ReadonlyMap<string, Given>;
  readonly positionals: readonly string[];
  /** What stands behind `--`, where the definition takes another command line. */
  readonly behind: readonly string[] | undefined;
}

interface RawTokens extends Omit<RawLine, 'behind'> {
  /** Where a command begins that is another one's, if the definition takes one. */
  readonly commandAt: number | undefined;
  /** An option behind that, of which it is not known whose it is. */
  readonly optionBehind: string | undefined;
}

/** Reads the arguments of a command. Throws `usage`. */
export function parseCommand<const D extends CommandDefinition>(
  definition: D,
  args: readonly string[],
): Input<D> {
  const separator = definition.command === undefined ? -1 : args.indexOf('--');
  const own = separator < 0 ? args : args.slice(0, separator);
  const raw = readTokens(definition.name, own, [definition], definition.command !== undefined);
  requireOwnFirst(definition, args, raw);
  return inputOf(definition, definition.name, {
    ...raw,
    behind: separator < 0 ? undefined : args.slice(separator + 1),
  });
}

/**
 * What stands behind the name of another command may be that one's: `run npm --quiet` must not make us quiet. Throws `usage`.
 */
function requireOwnFirst(definition: CommandDefinition, args: readonly string[], raw: RawTokens): void {
  const { commandAt, optionBehind } = raw;
  if (commandAt === undefined || optionBehind === undefined) return;
  const line = [...args.slice(0, commandAt), '--', ...args.slice(commandAt).filter((word) => word !== '--')];
  const whose = `whose option is ${quoted(optionBehind)}?`;
  const rule = 'ours stand before --, the command with its own behind it';
  throw usage(`${whose} ${rule}: ${shellLine(['upstreamproxy', definition.name, ...line])}`, definition.name);
}

/** An action of a group with its input. */
export interface ParsedAction {
  readonly action: string;
  readonly input: Input<CommandDefinition>;
  /** Options that the group knows and the action has no use for. */
  readonly unused: readonly string[];
}

/** Reads the arguments of a group: the action may stand before, between and behind the options. Throws `usage`. */
export function parseGroup(group: GroupDefinition, args: readonly string[]): ParsedAction {
  const separator = group.actions.some(({ command }) => command !== undefined) ? args.indexOf('--') : -1;
  const own = separator < 0 ? args : args.slice(0, separator);
  const behind = separator < 0 ? undefined : args.slice(separator + 1);
  const raw = readTokens(group.name, own, group.actions, false);
  const [name, ...positionals] = raw.positionals;
  const action = group.actions.find((candidate) => candidate.name === name);
  if (action === undefined) throw unknownAction(group, name);
  const input = inputOf(action, `${group.name} ${action.name}`, {
    ...raw,
    // Of a command only what stands behind -- is meant; of any other, `--` says nothing.
    ...(action.command === undefined
      ? { positionals: [...positionals, ...(behind ?? [])], behind: undefined }
      : { positionals, behind: behind ?? [] }),
  });
  const known = { ...action.options, ...commonOptions };
  const unused = [...raw.given.keys()].filter((option) => !Object.hasOwn(known, option));
  return { action: action.name, input, unused };
}

function unknownAction(group: GroupDefinition, name: string | undefined): ProxyError {
  const names = group.actions.map((action) => action.name);
  const last = names.at(-1) ?? '';
  const known = names.length < 2 ? last : `${names.slice(0, -1).join(', ')} or ${last}`;
  const question = `${group.question} upstreamproxy ${group.name} ${known}`;
  if (name === undefined) return usage(question, group.name);
  const hint = suggestion(name, names, `${group.name} `);
  const unknown = `there is no command ${quoted(`${group.name} ${name}`)}`;
  return usage(unknown + (hint === '' ? `; ${question}` : hint), group.name);
}

/** `usage`, with the place where more is said. */
function usage(message: string, path: string): ProxyError {
  return new ProxyError('usage', `${message}; see: upstreamproxy help ${path}`);
}

function readTokens(
  path: string,
  args: readonly string[],
  commands: readonly CommandDefinition[],
  takesCommand: boolean,
): RawTokens {
  const table: OptionTable = Object.assign({}, ...commands.map(({ options }) => options), commonOptions);
  const types = Object.entries(table).map(([name, { kind, short }]) => {
    const type = kind === 'flag' ? ('boolean' as const) : ('string' as const);
    return [name, short === undefined ? { type } : { type, short }] as const;
  });
  const { tokens } = parseArgs({
    args: [...args],
    // Asked for help behind `--`, or with other letters, it is taken and nothing else.
    options: { help: { type: 'boolean', short: 'h' }, ...Object.fromEntries(types) },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<string, Given>();
  const positionals: string[] = [];
  let commandAt: number | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') {
      commandAt ??= token.index;
      positionals.push(token.value);
    }
    if (token.kind !== 'option' || token.name === 'help') continue;
    if (takesCommand && commandAt !== undefined)
      return { given, positionals, commandAt, optionBehind: token.rawName };
    const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (option === undefined) throw unknownOption(path, token.rawName, { table, takesCommand });
    if (option.kind === 'flag') {
      if (token.value !== undefined) throw usage(`--${token.name} takes no value`, path);
      given.set(token.name, true);
      continue;
    }
    const { value, inlineValue } = token;
    const named = `--${token.name} ${option.placeholder}`;
    if (value === undefined) throw usage(`${named}: the value is missing`, path);
    // As `node:util` has it in its strict form: an option that was forgotten must not swallow the next one.
    if (inlineValue !== true && value.length > 1 && value.startsWith('-'))
      throw usage(`${named}: the value is missing, or write --${token.name}=${value}`, path);
    const earlier = given.get(token.name);
    given.set(token.name, [...(earlier === undefined || earlier === true ? [] : earlier), value]);
  }
  return { given, positionals, commandAt, optionBehind: undefined };
}

interface Found {
  readonly table: OptionTable;
  /** Whether the definition takes another command line. */
  readonly takesCommand: boolean;
}

function unknownOption(path: string, raw: string, { table, takesCommand }: Found): ProxyError {
  const message = `upstreamproxy ${path} has no option ${quoted(raw).slice(1, -1)}`;
  const shorts = Object.entries(table).flatMap(([name, { short }]) =>
    short === undefined ? [] : [[short, name]],
  );
  const typed = raw.replace(/^--?/, '');
  // `-config` is read as letters.
  const asLetters =
    !raw.startsWith('--') && shorts.some(([short]) => short?.toLowerCase() === typed.toLowerCase());
  const hint = asLetters
    ? `; did you mean -${shorts.find(([short]) => short?.toLowerCase() === typed.toLowerCase())?.[0] ?? ''}?`
    : suggestion(typed, Object.keys(table), '--');
  const behind = hint === '' && takesCommand ? '; options of the command stand behind --' : '';
  return usage(message + hint + behind, path);
}

function inputOf<D extends CommandDefinition>(definition: D, path: string, raw: RawLine): Input<D> {
  const options: Record<string, unknown> = {};
  for (const [name, option] of Object.entries<OptionDefinition>({
    ...definition.options,
    ...commonOptions,
  })) {
    options[name] = readOption(name, option, raw.given.get(name));
    if (options[name] === undefined && 'required' in option && option.required === true) {
      throw usage(`upstreamproxy ${path} needs --${name} ${option.placeholder}: ${option.help}`, path);
    }
  }
  if (raw.given.has('quiet') && raw.given.has('verbose'))
    throw usage('give --quiet or --verbose, not both', path);
  const command = definition.command === undefined ? [] : (raw.behind ?? raw.positionals);
  if (
    definition.command !== undefined &&
    (command.length === 0 || (raw.behind !== undefined && raw.positionals.length > 0))
  )
    throw usage(`name the command behind --: upstreamproxy ${synopsis(definition, path)}`, path);
  const positionals = definition.command === undefined ? raw.positionals : [];
  // Each value was read by the kind from which its type follows, and each argument by its row.
  return { options, arguments: argumentsOf(definition, path, positionals), command } as Input<D>;
}

function argumentsOf(
  definition: CommandDefinition,
  path: string,
  positionals: readonly string[],
): Readonly<Record<string, string | readonly string[] | undefined>> {
  const values: Record<string, string | readonly string[] | undefined> = {};
  const line = `upstreamproxy ${synopsis(definition, path)}`;
  let at = 0;
  for (const { name, help, required, repeated, words } of definition.arguments) {
    const rest = positionals.slice(at);
    if (required === true && rest.length === 0) throw usage(`name ${name}, ${help}: ${line}`, path);
    const [word] = rest;
    if (words !== undefined && word !== undefined && !words.includes(word))
      throw usage(`${name} is ${help}, not ${quoted(word)}${suggestion(word, words)}`, path);
    values[name] = repeated === true ? rest : rest[0];
    at += repeated === true ? rest.length : 1;
  }
  const extra = positionals[at];
  if (extra !== undefined) throw usage(`there is no place for ${quoted(extra)} in ${line}`, path);
  return values;
}
