// What a rule says of the commands of one connection, and what the audit is told of them.

import type { MysqlEnd } from '../../../policy/mysql-end.ts';
import type { CommandWatcher } from '../counted-commands.ts';
import type { CommandJudge, Verdict } from './client-packets.ts';
import { command, passingCommand, refusedCommand } from './commands.ts';
import { killBytesMax, readKill } from './kill-statement.ts';
import { packetOf } from './packet.ts';
import type { Refused, StandIns } from './stand-in.ts';
import type { Thread } from './thread-ids.ts';

/** Names of databases have 64 characters at most, of four octets at most. */
const databaseBytesMax = 256;

export interface CommandRuleOptions {
  readonly end: Pick<MysqlEnd, 'databases'>;
  readonly standIns: StandIns;
  /** Of this connection's own session. */
  findThread(id: number): Thread | undefined;
  /** Of the server that this connection is with; undefined: it is not known. */
  readonly address: string | undefined;
  readonly watcher: CommandWatcher;
}

export class CommandRule implements CommandJudge {
  readonly #options: CommandRuleOptions;

  constructor(options: CommandRuleOptions) {
    this.#options = options;
  }

  lookedBytes(number: number): number {
    if (number === command.query || number === command.stmtPrepare) return 1 + killBytesMax;
    return number === command.initDb && this.#options.end.databases.length > 0 ? 1 + databaseBytesMax : 1;
  }

  judge(beginning: Uint8Array, isWhole: boolean): Verdict {
    const number = beginning[0] ?? 0;
    const name = passingCommand(number);
    if (name === undefined) return this.#refuses({ kind: 'command', number }, refusedCommand(number));
    const text = beginning.subarray(1);
    if (number === command.initDb && !this.#mayBegin(text, isWhole))
      return this.#refuses({ kind: 'database' }, name);
    if (number === command.query || number === command.stmtPrepare) {
      const kill = readKill(text, isWhole);
      if (kill !== undefined)
        return number === command.query && kill.kind === 'kill'
          ? this.#kills(kill.before, kill.id)
          : this.#refuses({ kind: 'kill' }, 'kill');
    }
    this.#options.watcher.passed(name);
    return { kind: 'passes' };
  }

  #mayBegin(text: Uint8Array, isWhole: boolean): boolean {
    const { databases } = this.#options.end;
    if (databases.length === 0) return true;
    // Some clients send the zero that ends a text in memory.
    const name = Buffer.from(text).toString('utf8').replace(/\0$/, '');
    return isWhole && databases.includes(name);
  }

  /** The number is one of ours, or of the server's: either way of a connection of this session, at this server. */
  #kills(before: string, id: number): Verdict {
    const { address, watcher } = this.#options;
    const thread = this.#options.findThread(id);
    if (thread === undefined || address === undefined || thread.address !== address)
      return this.#refuses({ kind: 'thread' }, 'kill');
    watcher.passed('kill');
    const statement = `${before} ${String(thread.serverId)}`;
    return { kind: 'replaced', packet: () => packetOf(0, Uint8Array.of(command.query), statement) };
  }

  #refuses(refused: Refused, name: string | undefined): Verdict {
    this.#options.watcher.refused(name);
    const { standIns } = this.#options;
    return { kind: 'replaced', packet: (following) => standIns.packet(refused, following) };
  }
}
