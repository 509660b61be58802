// What goes to the server in the place of a command that may not: a statement that does nothing but fail, by a number and a state of SQL that
// no server has. Its error stands where the response to the command would, whatever is on the way, and changes nothing else. There our own
// words take its place. The text of an error would be no mark: in UTF-16 servers send none of it, and in some languages they cut it.

import { refusedCommand, command } from './commands.ts';
import { errorPacket, type MysqlRefusal, packetOf, readError } from './packet.ts';

/** Why a command did not go on. */
export type Refused =
  | { readonly kind: 'command'; readonly number: number }
  /** Of a database that the rule does not name. */
  | { readonly kind: 'database' }
  /** No connection of the session has the number, or has it at this server. */
  | { readonly kind: 'thread' }
  /** KILL of a form that cannot be looked at. */
  | { readonly kind: 'kill' }
  /** Nothing behind it can be read. */
  | { readonly kind: 'malformed' };

/** An error of a stand-in is no longer: its text has 34 characters, and none takes more than five octets in any set. */
export const standInErrorBytesMax = 256;

/** Of the part of a number that says why: commands by theirs, and the others behind them. */
const commandNumbers = 256;
const others = ['database', 'thread', 'kill', 'malformed'] as const;
/** Servers and clients have numbers below it; `MYSQL_ERRNO` has 16 bits. */
const codeMin = 10_000;
const codeRange = 50_000;
/** Of letters and digits, of which a state is. */
const digits = 36;

export class StandIns {
  readonly #codeBase: number;
  /** Three of the five characters of a state. No state of a server begins so. */
  readonly #statePrefix: string;
  readonly #rule: string;

  /** @param random four octets, so that errors of others are not taken for ours; a client that finds them out tells itself refusals */
  constructor(random: Uint8Array, rule: string) {
    const [low = 0, high = 0, ...letters] = random;
    this.#codeBase = codeMin + ((low + high * 256) % codeRange);
    this.#statePrefix = `U${letters.map((octet) => inDigits(octet % digits, 1)).join('')}`;
    this.#rule = rule;
  }

  /** For the server. @param following the number of the packet that the client waits for */
  packet(refused: Refused, following: number): Uint8Array {
    const why = refused.kind === 'command' ? refused.number : commandNumbers + others.indexOf(refused.kind);
    const state = `${this.#statePrefix}${inDigits(following, 2)}`;
    const statement = `SIGNAL SQLSTATE '${state}' SET MYSQL_ERRNO=${String(this.#codeBase + why)}, MESSAGE_TEXT='The gateway does not pass this on.'`;
    return packetOf(0, Uint8Array.of(command.query), statement);
  }

  /** For the client, in the place of an error that the server gave; undefined: it is the server's own. */
  response(payload: Uint8Array): { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined {
    const { code, sqlState } = readError(payload, 0);
    const why = code - this.#codeBase;
    if (!sqlState.startsWith(this.#statePrefix) || why < 0 || why >= commandNumbers + others.length)
      return undefined;
    const following = Number.parseInt(sqlState.slice(this.#statePrefix.length), digits);
    const kind = others[why - commandNumbers];
    const refusal = this.#refusal(kind, why);
    const text = { ...refusal, message: `rule ${this.#rule}: ${refusal.message}` };
    return { bytes: errorPacket(following, text), isLast: kind === 'malformed' };
  }

  #refusal(kind: (typeof others)[number] | undefined, number: number): MysqlRefusal {
    switch (kind) {
      case 'database':
        // ER_DBACCESS_DENIED_ERROR
        return { code: 1044, sqlState: '42000', message: 'it does not name this database' };
      case 'thread':
        // ER_NO_SUCH_THREAD
        return {
          code: 1094,
          sqlState: 'HY000',
          message: 'no connection of this session to this server has the number that KILL names',
        };
      case 'kill':
        return { ...denied, message: 'KILL is passed on as KILL [CONNECTION | QUERY] and a number alone' };
      case 'malformed':
        // ER_MALFORMED_PACKET
        return { code: 1835, sqlState: 'HY000', message: 'what came is not a packet as it has to be' };
      case undefined:
        return {
          ...denied,
          message: `the command ${refusedCommand(number) ?? String(number)} is not passed on`,
        };
    }
  }
}

/** ER_SPECIFIC_ACCESS_DENIED_ERROR */
const denied = { code: 1227, sqlState: '42000' } as const;

function inDigits(value: number, count: number): string {
  return value.toString(digits).toUpperCase().padStart(count, '0');
}
