// What goes to the server in the place of a command that may not: a statement that no server can read. Its error stands where the response
// to the command would, whatever is on the way, and changes nothing else. There our own words take its place.

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

/** An error with a mark in it is no longer: servers say 80 characters of a statement. */
export const standInErrorBytesMax = 1024;

export class StandIns {
  readonly #mark: string;
  readonly #rule: string;

  /** @param nonce by which nobody else's words are taken for ours; the client never sees it. Of hexadecimal digits */
  constructor(nonce: string, rule: string) {
    this.#mark = `upstreamproxy_${nonce}_`;
    this.#rule = rule;
  }

  /** For the server: in every mode of SQL the bracket is an error at once, which tells what stands from there on. */
  packet(refused: Refused): Uint8Array {
    const number = refused.kind === 'command' ? String(refused.number) : '';
    return packetOf(0, Uint8Array.of(command.query), `) ${this.#mark}${refused.kind}${number}`);
  }

  /** For the client, in the place of an error that the server gave; undefined: it is the server's own. */
  response(
    payload: Uint8Array,
    sequence: number,
  ): { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined {
    const { message } = readError(payload, standInErrorBytesMax);
    const at = message.indexOf(this.#mark);
    if (at === -1) return undefined;
    const [, kind, number] = /^([a-z]+)([0-9]*)/.exec(message.slice(at + this.#mark.length)) ?? [];
    const refusal = this.#refusal(kind, Number(number));
    const text = { ...refusal, message: `rule ${this.#rule}: ${refusal.message}` };
    return { bytes: errorPacket(sequence, text), isLast: kind === 'malformed' };
  }

  #refusal(kind: string | undefined, number: number): MysqlRefusal {
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
      default:
        return {
          ...denied,
          message: `the command ${refusedCommand(number) ?? String(number)} is not passed on`,
        };
    }
  }
}

/** ER_SPECIFIC_ACCESS_DENIED_ERROR */
const denied = { code: 1227, sqlState: '42000' } as const;
