// A session whose rule reads statements. One that may not pass is replaced by one that fails at the server, whose error is given our words:
// so it comes behind all that the server owes, a transaction is aborted, and a batch is skipped, as the protocol says, by the server itself.

import { randomBytes } from 'node:crypto';
import { Transform } from 'node:stream';
import type { StatementRule } from '../../../policy/postgres-statements.ts';
import { asProxyError, type ProxyError } from '../../../protocol/error.ts';
import { byteStep } from '../../forward/byte-step.ts';
import type { EndedConnection } from '../protocol-end.ts';
import { errorResponse, messageOf, type PostgresRefusal } from './message.ts';
import { ServerWatch } from './server-watch.ts';
import { SessionState } from './session-state.ts';
import {
  isPlain,
  judge,
  refusalOfWord,
  refusalText,
  refusalWord,
  StatementFactsOfSession,
  type StatementRefusal,
} from './sql/statement-judge.ts';
import {
  type ClientPiece,
  readStatement,
  StatementMessages,
  type StatementType,
} from './statement-messages.ts';
import type { StatementReader } from './sql/statement-reader.ts';

export interface StatementGuardOptions {
  readonly connection: Pick<EndedConnection, 'rule' | 'ownerId' | 'limits' | 'hold'>;
  readonly statements: StatementRule;
  readonly reader: StatementReader;
  /** What the server says of its settings when the session begins. */
  readonly settings: ReadonlyMap<string, string>;
}

const empty = { kind: 'read', kinds: [], marks: [], fingerprint: '' } as const;
const terminate = messageOf('X');
/** The name of a statement that fails: below the 63 octets that a name has. */
const namePrefix = 'upstreamproxy_refuses_';

export class StatementGuard {
  readonly throughClient: Transform;
  readonly throughServer: Transform;
  readonly facts = new StatementFactsOfSession();
  readonly #options: StatementGuardOptions;
  readonly #state = new SessionState();
  readonly #messages: StatementMessages;
  readonly #watch: ServerWatch;
  /** By which an error of the server is known to be about a name of ours. */
  readonly #mark = randomBytes(12).toString('hex');
  #room: { release(): void } | undefined;
  #refusal: PostgresRefusal | undefined;
  #fault: ProxyError | undefined;

  constructor(options: StatementGuardOptions) {
    this.#options = options;
    const { statements, settings, connection } = options;
    for (const [name, value] of settings) this.#state.setting(name, value);
    this.#messages = new StatementMessages(
      connection.limits.databaseStatementBytesMax,
      statements.allowed !== undefined,
    );
    this.#watch = new ServerWatch(connection.limits.databaseStatementBytesMax, {
      error: (body) => this.#ownError(body),
      setting: (name, value) => this.#state.setting(name, value),
      ready: () => this.#state.ready(),
      copiesIn: () => this.#state.copiesIn(),
      unread: () => this.#state.unread(),
    });
    this.throughClient = this.#clientStream();
    this.throughServer = this.#serverStream();
  }

  /** Whether an error of our own may stand behind what went to the client. */
  get isBetween(): boolean {
    return this.#watch.isBetween;
  }

  /** Why the session ended, if it did so for what the client sent. */
  get refusal(): PostgresRefusal | undefined {
    return this.#refusal;
  }

  /** Why it ended for a limit. */
  get fault(): ProxyError | undefined {
    return this.#fault;
  }

  #clientStream(): Transform {
    const through = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#take(chunk, through).then(() => done(), done);
      },
    });
    through.once('close', () => {
      this.#state.end();
      this.#freeRoom();
    });
    return through;
  }

  #serverStream(): Transform {
    const through = byteStep({
      take: (chunk) => {
        for (const bytes of this.#watch.take(chunk)) through.push(bytes);
      },
      end: () => {
        this.#state.end();
        if (this.#refusal !== undefined && this.#watch.isBetween)
          through.push(this.#errorOf(this.#refusal, 'FATAL'));
      },
    });
    through.once('close', () => this.#state.end());
    return through;
  }

  async #take(chunk: Uint8Array, through: Transform): Promise<void> {
    for (const piece of this.#messages.take(chunk)) {
      if (this.#refusal !== undefined || through.destroyed) return;
      await this.#handle(piece, through);
    }
  }

  async #handle(piece: ClientPiece, through: Transform): Promise<void> {
    switch (piece.kind) {
      case 'bytes':
        through.push(piece.bytes);
        return;
      case 'began':
        if (piece.type === 'runs') this.#state.runs();
        else if (piece.type === 'sync') this.#state.asks('sync');
        return;
      case 'holds':
        this.#makeRoom(piece.octets, through);
        return;
      case 'statement':
        await this.#statement(piece.type, piece.message, through);
        this.#freeRoom();
        return;
      case 'long':
        this.#long(piece.type, through);
        return;
      case 'refused':
        this.#end(piece.refusal, through);
    }
  }

  async #statement(type: StatementType, message: Uint8Array, through: Transform): Promise<void> {
    const { statements, reader, connection } = this.#options;
    const said = readStatement(type, message);
    if (said === undefined) {
      this.#end(
        { sqlState: '08P01', message: 'a message with a statement is not formed as it must be' },
        through,
      );
      return;
    }
    const reading = said.text.length === 0 ? empty : await reader.read(connection.ownerId, said.text);
    const refusal =
      judge(reading, statements) ??
      (statements.allowed === undefined || isPlain(said.text)
        ? undefined
        : await this.#refusalByReading(said.text));
    if (refusal === undefined) this.facts.passed(reading);
    else this.facts.refused(refusal);
    if (type === 'query') this.#state.asks('query');
    through.push(refusal === undefined ? message : this.#failing(type, said.name, refusal));
  }

  /** What the server may read in another way than the parser has to wait until that is known. */
  async #refusalByReading(text: Uint8Array): Promise<StatementRefusal | undefined> {
    if (!isText(text)) return { why: 'unreadable' };
    switch (await this.#state.reading()) {
      case 'as-parsed':
        return undefined;
      case 'other':
        return { why: 'reading' };
      case 'unknown':
        return { why: 'batch' };
    }
  }

  #long(type: StatementType, through: Transform): void {
    if (type === 'query') this.#state.asks('query');
    if (this.#options.statements.allowed === undefined) {
      this.facts.passedUnread();
      return;
    }
    this.facts.refused({ why: 'long' });
    through.push(this.#failing(type, new Uint8Array(0), { why: 'long' }));
  }

  #failing(type: StatementType, name: Uint8Array, refusal: StatementRefusal): Uint8Array {
    const statement = `${namePrefix}${refusalWord(refusal)}_${this.#mark}\0`;
    return type === 'query' ? messageOf('Q', statement) : messageOf('P', name, '\0', statement, '\0\0');
  }

  /** The error about a name of ours, in the words that it stands for. */
  #ownError(body: Uint8Array): Uint8Array | undefined {
    const text = Buffer.from(body).toString('latin1');
    const start = text.indexOf(namePrefix) + namePrefix.length;
    const end = text.indexOf(`_${this.#mark}`, start);
    const word = start < namePrefix.length || end === -1 ? '' : text.slice(start, end);
    const refusal = refusalOfWord(word);
    if (refusal === undefined) return undefined;
    const message = refusalText(refusal, this.#options.statements);
    return this.#errorOf({ sqlState: '42501', message, hint: hintText }, 'ERROR');
  }

  #errorOf(refusal: PostgresRefusal, severity: 'ERROR' | 'FATAL'): Uint8Array {
    return errorResponse(
      { ...refusal, message: `rule ${this.#options.connection.rule}: ${refusal.message}` },
      severity,
    );
  }

  #makeRoom(octets: number, through: Transform): void {
    try {
      this.#room = this.#options.connection.hold(octets);
    } catch (error) {
      this.#fault = asProxyError(error);
      this.#end({ sqlState: '53200', message: this.#fault.message }, through);
    }
  }

  #freeRoom(): void {
    this.#room?.release();
    this.#room = undefined;
  }

  /** The server does what it was asked for before, says all that it owes for that, and ends. */
  #end(refusal: PostgresRefusal, through: Transform): void {
    this.#refusal = refusal;
    through.push(terminate);
    through.push(null);
  }
}

const hintText =
  'The rights of the rule are said in the policy of the gateway; ask its operator for a rule that has more.';

function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
