// Which commands of a client go on. Those that do are sent in the pieces in which they come; of the others a stand-in is, in their place.

import type { CommandWatcher } from '../counted-commands.ts';
import { withoutLogin } from './hello.ts';
import { RequestReader } from './request-reader.ts';
import { commandOf, loginArgumentBytesMax, loginArgumentsMax } from './resp.ts';
import { commandNameBytesMax, type Refused, type StandIns } from './stand-in.ts';

/** What a rule says of commands. */
export interface CommandRule {
  /** Whether the word behind the name says which command it is. */
  isContainer(name: string): boolean;
  /** @param name as `get` or `client|kill`, in lower case */
  allows(name: string): boolean;
}

export interface TakenCommands {
  /** What goes on, in order. */
  readonly pieces: readonly Uint8Array[];
  /**
   * What came can't be read on, and nothing behind it goes on. `between`: the server says so in the place of the command, behind what it
   * owes for others. `within`: a part of the command has gone on already.
   */
  readonly broken?: 'between' | 'within';
}

/** What becomes of a command. `hello`: it is held whole and written anew. `line`: it came as a line of words. */
type Fate = 'undecided' | 'passes' | 'refused' | 'hello' | 'line';

/** Behind what cannot be read: the server says all that it owes, and closes. */
const quit = commandOf(['QUIT']);

export class ClientCommands {
  readonly #rule: CommandRule;
  readonly #standIns: StandIns;
  readonly #watcher: CommandWatcher;
  readonly #reader: RequestReader;

  #fate: Fate = 'undecided';
  /** Of a command that is not passed on. */
  #inItsPlace: Uint8Array | undefined;
  #count = 0;
  #name = '';
  #words: Uint8Array[] = [];
  /** Of an argument that is looked at; undefined: it is not. */
  #argument: Buffer | undefined;
  #argumentBytes = 0;
  /** Of an undecided command: what came of it in earlier pieces. */
  #held: Uint8Array = new Uint8Array(0);

  #chunk: Uint8Array = new Uint8Array(0);
  #pieces: Uint8Array[] = [];
  /** From where on the octets of the piece go on; undefined: they do not. */
  #runFrom: number | undefined = 0;
  #commandFrom = 0;
  #isBroken = false;

  constructor(rule: CommandRule, standIns: StandIns, watcher: CommandWatcher) {
    this.#rule = rule;
    this.#standIns = standIns;
    this.#watcher = watcher;
    this.#reader = new RequestReader({
      begins: (at) => {
        this.#begins(at);
      },
      counted: (count) => {
        this.#count = count;
      },
      argument: (length) => {
        this.#argumentOf(length);
      },
      bytes: (piece) => {
        this.#argument?.set(piece, this.#argumentBytes);
        this.#argumentBytes += piece.length;
      },
      argumentEnds: () => {
        this.#argumentEnds();
      },
      ends: (at) => {
        this.#ends(at);
      },
      line: (words) => {
        this.#line(words);
      },
    });
  }

  take(chunk: Uint8Array): TakenCommands {
    if (this.#isBroken) return { pieces: [] };
    this.#chunk = chunk;
    this.#pieces = [];
    this.#commandFrom = 0;
    if (this.#runFrom !== undefined) this.#runFrom = 0;
    if (!this.#reader.take(chunk)) return this.#breaks();
    if (this.#reader.isBetween || this.#fate !== 'undecided') this.#passUpTo(chunk.length);
    else {
      this.#passUpTo(this.#commandFrom);
      // A copy: the rest of the chunk need not be kept for it.
      this.#held = Buffer.concat([this.#held, chunk.subarray(this.#commandFrom)]);
    }
    return { pieces: this.#pieces };
  }

  #breaks(): TakenCommands {
    this.#isBroken = true;
    this.#passUpTo(this.#commandFrom);
    this.#held = new Uint8Array(0);
    if (this.#fate === 'passes') return { pieces: this.#pieces, broken: 'within' };
    this.#pieces.push(this.#standIns.command({ kind: 'malformed' }), quit);
    return { pieces: this.#pieces, broken: 'between' };
  }

  #passUpTo(end: number): void {
    if (this.#runFrom !== undefined && this.#runFrom < end)
      this.#pieces.push(this.#chunk.subarray(this.#runFrom, end));
  }

  #begins(at: number): void {
    this.#commandFrom = at;
    this.#fate = 'undecided';
    this.#name = '';
    this.#words = [];
    this.#inItsPlace = undefined;
  }

  #argumentOf(length: number): void {
    if (this.#fate === 'undecided' && length > commandNameBytesMax)
      this.#refuse({ kind: 'denied', name: this.#name });
    else if (this.#fate === 'hello' && length > loginArgumentBytesMax) this.#refuse({ kind: 'hello' });
    // One piece of memory, however small the pieces are in which it comes.
    this.#argument = this.#fate === 'undecided' || this.#fate === 'hello' ? Buffer.alloc(length) : undefined;
    this.#argumentBytes = 0;
  }

  #argumentEnds(): void {
    if (this.#argument === undefined) return;
    const word = this.#argument;
    this.#argument = undefined;
    this.#words.push(word);
    if (this.#fate === 'undecided') this.#decide(word.toString('latin1'), this.#count);
  }

  /** @param word the name, or the one behind it */
  #decide(word: string, count: number): void {
    if (this.#name !== '') {
      const second = lowered(word);
      if (second === undefined) this.#refuse({ kind: 'denied', name: this.#name });
      else this.#judge(`${this.#name}|${second}`);
      return;
    }
    const name = lowered(word);
    if (name === undefined) this.#refuse({ kind: 'denied', name: '' });
    else if (name === 'auth') this.#refuse({ kind: count === 2 || count === 3 ? 'taken' : 'arity' });
    else if (name === 'hello' && count > loginArgumentsMax) this.#refuse({ kind: 'hello' });
    else if (name === 'hello') {
      this.#leave('hello');
      this.#watcher.passed(name);
    } else if (count > 1 && this.#rule.isContainer(name)) this.#name = name;
    else this.#judge(name);
  }

  #judge(name: string): void {
    if (!this.#rule.allows(name)) {
      this.#refuse({ kind: 'denied', name });
      return;
    }
    this.#watcher.passed(name);
    if (this.#held.length > 0) this.#pieces.push(this.#held);
    this.#held = new Uint8Array(0);
    this.#fate = 'passes';
  }

  #refuse(refused: Refused): void {
    this.#leave('refused');
    this.#inItsPlace = this.#standIns.command(refused);
    if (refused.kind !== 'taken')
      this.#watcher.refused(refused.kind === 'denied' && refused.name !== '' ? refused.name : undefined);
  }

  /** What came of it does not go on. */
  #leave(fate: Fate): void {
    this.#passUpTo(this.#commandFrom);
    this.#runFrom = undefined;
    this.#held = new Uint8Array(0);
    this.#fate = fate;
  }

  #line(words: readonly string[]): void {
    this.#leave('line');
    const [name, second] = words;
    if (name === undefined) return;
    this.#fate = 'undecided';
    this.#words = words.map((word) => Buffer.from(word, 'latin1'));
    this.#decide(name, words.length);
    if (this.#fate === 'undecided' && second !== undefined) this.#decide(second, words.length);
    // Set by what was decided.
    if ((this.#fate as Fate) === 'passes') this.#inItsPlace = commandOf(this.#words);
  }

  #ends(at: number): void {
    if (this.#fate === 'undecided') this.#leave('refused');
    if (this.#fate === 'hello') {
      const rest = withoutLogin(this.#words);
      if (rest === undefined) this.#refuse({ kind: 'hello' });
      else this.#inItsPlace = commandOf(rest);
    }
    if (this.#inItsPlace !== undefined) this.#pieces.push(this.#inItsPlace);
    this.#words = [];
    this.#inItsPlace = undefined;
    this.#runFrom ??= at;
  }
}

/** Undefined: no command is called so. */
function lowered(word: string): string | undefined {
  return /^[A-Za-z][A-Za-z0-9._|-]{0,63}$/.test(word) ? word.toLowerCase() : undefined;
}
