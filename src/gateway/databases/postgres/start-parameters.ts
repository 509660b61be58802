// What of a client's start-up goes on to the server: the rule says user, database and some settings, and the client what is left.

import type { PostgresEnd } from '../../../policy/postgres-end.ts';
import type { PostgresRefusal } from './message.ts';
import type { ClientStartUp } from './start-packet.ts';

/** Settings that clients begin a session with and that give nothing which SET would not give them. In lower case. */
const clientSettings: ReadonlySet<string> = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'extra_float_digits',
  'geqo',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'lock_timeout',
  'search_path',
  'standard_conforming_strings',
  'statement_timeout',
  'timezone',
  'transaction_timeout',
  'xmloption',
]);

export interface ServerStart {
  readonly kind: 'start';
  readonly database: string;
  /** All but user and database, in the form in which they are sent. */
  readonly settings: ReadonlyMap<string, string>;
  /** Options of the protocol that the client asked for and does not get. */
  readonly unknownOptions: readonly string[];
}

/** @param end what the rule says */
export function serverStart(
  { parameters }: ClientStartUp,
  end: Pick<PostgresEnd, 'databases' | 'parameters' | 'statements'>,
): ServerStart | ({ readonly kind: 'refused' } & PostgresRefusal) {
  const database = databaseOf(parameters, end.databases);
  if (database === undefined) {
    const asked = JSON.stringify(parameters.get('database')?.slice(0, 63) ?? '');
    return refused('3D000', `the database ${asked} is not open here; ${end.databases.join(', ')} is`);
  }
  const settings = new Map<string, string>();
  const unknownOptions: string[] = [];
  for (const [name, value] of parameters) {
    if (name === 'user' || name === 'database') continue;
    if (name.startsWith('_pq_.')) {
      unknownOptions.push(name);
      continue;
    }
    if (name === 'replication') {
      if (/^(?:off|false|no|0)$/i.test(value)) continue;
      return refused('0A000', 'connections for replication are not passed on');
    }
    const given = name === 'options' ? settingsOf(value) : [[name, value] as const];
    if (given === undefined)
      return refused('08P01', 'only settings may stand in "options", as in -c statement_timeout=5s');
    for (const [setting, its] of given) {
      if (!clientSettings.has(setting.toLowerCase()))
        return refused(
          '42501',
          `a session does not begin with the setting ${JSON.stringify(setting.slice(0, 63))}; use SET in it, or have the rule say it`,
        );
      settings.set(setting.toLowerCase(), its);
    }
  }
  for (const [name, value] of Object.entries(end.parameters)) settings.set(name.toLowerCase(), value);
  if (end.statements?.allowed !== undefined) {
    const fault = settleReading(settings, end.statements);
    if (fault !== undefined) return fault;
  }
  return { kind: 'start', database, settings, unknownOptions };
}

/** Statements are judged as the parser reads them, so the server has to read them in the same way. */
function settleReading(
  settings: Map<string, string>,
  { isReadOnly }: NonNullable<PostgresEnd['statements']>,
): ReturnType<typeof refused> | undefined {
  const strings = settings.get('standard_conforming_strings');
  if (strings !== undefined && !/^(?:on|true|yes|1)$/i.test(strings))
    return refused(
      '42501',
      'a session whose statements are judged does not begin with standard_conforming_strings off',
    );
  settings.set('standard_conforming_strings', 'on');
  // Clients look at what the server says that it is.
  settings.set('client_encoding', 'UTF8');
  if (isReadOnly) settings.set('default_transaction_read_only', 'on');
  return undefined;
}

/** Clients that were told of no database ask for one of their user's name, and that user counts for nothing here. */
function databaseOf(
  parameters: ReadonlyMap<string, string>,
  [first, ...others]: readonly string[],
): string | undefined {
  const asked = parameters.get('database');
  if (asked !== undefined && (asked === first || others.includes(asked))) return asked;
  return asked === undefined || asked === '' || asked === parameters.get('user') ? first : undefined;
}

/** `-c name=value`, `-cname=value` and `--name=value`, split as the server splits them; undefined: something else is in it. */
function settingsOf(options: string): readonly (readonly [name: string, value: string])[] | undefined {
  const words = wordsOf(options);
  const settings: (readonly [string, string])[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? '';
    let text: string;
    if (word === '-c') {
      i += 1;
      text = words[i] ?? '';
    } else if (word.startsWith('-c') || word.startsWith('--')) text = word.slice(2);
    else return undefined;
    const sign = text.indexOf('=');
    if (sign < 1) return undefined;
    settings.push([text.slice(0, sign).replaceAll('-', '_'), text.slice(sign + 1)]);
  }
  return settings;
}

/** A backslash takes the next character as it is, a space too. */
function wordsOf(options: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < options.length; i += 1) {
    const character = options.charAt(i);
    if (/[ \t\n\v\f\r]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '\\') {
      i += 1;
      word = (word ?? '') + options.charAt(i);
    } else word = (word ?? '') + character;
  }
  return word === undefined ? words : [...words, word];
}

function refused(sqlState: string, message: string): { readonly kind: 'refused' } & PostgresRefusal {
  return { kind: 'refused', sqlState, message };
}
