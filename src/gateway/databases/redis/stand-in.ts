// What goes to the server in the place of a command that may not: one that no server knows. What the server says to it stands where the
// response to the command would stand, whatever came before, and fails a transaction as a refused command does. There our own words take its place.

import { commandOf, errorReply } from './resp.ts';

/** Why a command did not go on. */
export type Refused =
  /** A log-in of the client, which the gateway has in its place. */
  | { readonly kind: 'taken' }
  /** By the rule. `name` is in the form in which rules have it. */
  | { readonly kind: 'denied'; readonly name: string }
  | { readonly kind: 'arity' }
  | { readonly kind: 'hello' }
  /** Nothing behind it can be read. */
  | { readonly kind: 'malformed' };

/** Servers say no more of an unknown name than 128 characters. */
export const commandNameBytesMax = 64;

export class StandIns {
  readonly #mark: string;
  readonly #rule: string;

  /** @param nonce by which nobody else's words are taken for ours; the client never sees it. Of hexadecimal digits */
  constructor(nonce: string, rule: string) {
    this.#mark = `upstreamproxy.${nonce}.`;
    this.#rule = rule;
  }

  /** For the server. */
  command(refused: Refused): Uint8Array {
    return commandOf([`${this.#mark}${refused.kind}.${refused.kind === 'denied' ? refused.name : ''}`]);
  }

  /** For the client, in the place of an error that the server gave; undefined: it is the server's own. */
  response(line: Uint8Array): { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined {
    const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('latin1');
    const at = text.indexOf(this.#mark);
    if (at === -1) return undefined;
    const [, kind, name = ''] = /^([a-z]+)\.([a-z0-9._|-]*)/.exec(text.slice(at + this.#mark.length)) ?? [];
    switch (kind) {
      case 'taken':
        return { bytes: Buffer.from('+OK\r\n'), isLast: false };
      case 'arity':
        return { bytes: errorReply('ERR', "wrong number of arguments for 'auth' command"), isLast: false };
      case 'hello':
        return {
          bytes: errorReply('ERR', `rule ${this.#rule}: HELLO has an option that is not known here`),
          isLast: false,
        };
      case 'malformed':
        return {
          bytes: errorReply(
            'ERR',
            `Protocol error: rule ${this.#rule}: what came is not a command of Redis as it has to be`,
          ),
          isLast: true,
        };
      default: {
        const what = name === '' ? 'this command' : `the command '${name}'`;
        return {
          bytes: errorReply('NOPERM', `rule ${this.#rule}: ${what} is not passed on`),
          isLast: false,
        };
      }
    }
  }
}
