// The protocols that the gateway ends, by the word that rules have for them.

import { randomBytes } from 'node:crypto';
import type { EndedConnection, EndOutcome } from '../databases/protocol-end.ts';
import type { Limits } from '../../protocol/limits.ts';
import { MysqlServer } from '../databases/mysql/mysql-server.ts';
import { StatementReader } from '../databases/postgres/sql/statement-reader.ts';
import { PostgresServer } from '../databases/postgres/postgres-server.ts';
import { RedisServer } from '../databases/redis/redis-server.ts';
import { sshHostKey } from '../ssh/host-key.ts';
import type { SshServer } from '../ssh/ssh-server.ts';
import type { SigningKey } from '../sessions/signing-key.ts';

export class ProtocolEnds {
  readonly #mysql = new MysqlServer(randomBytes);
  readonly #redis = new RedisServer(randomBytes);
  readonly #signingKey: Pick<SigningKey, 'signText'>;
  readonly #statements: StatementReader;
  readonly #postgres: PostgresServer;
  #ssh: Promise<SshServer> | undefined;

  /** @param signingKey of which the key follows that clients of SSH see */
  constructor(limits: Limits, signingKey: Pick<SigningKey, 'signText'>) {
    this.#signingKey = signingKey;
    this.#statements = new StatementReader(limits);
    this.#postgres = new PostgresServer(randomBytes, this.#statements);
  }

  async serve(connection: EndedConnection): Promise<EndOutcome> {
    const { end } = connection;
    switch (end.protocol) {
      case 'postgres':
        return await this.#postgres.serve({ ...connection, end });
      case 'mysql':
        return await this.#mysql.serve({ ...connection, end });
      case 'redis':
        return await this.#redis.serve({ ...connection, end });
      case 'ssh':
        return await (await (this.#ssh ??= this.#openSsh())).serve({ ...connection, end });
    }
  }

  /** Its library is loaded for who uses it. */
  async #openSsh(): Promise<SshServer> {
    const { SshServer: Opened } = await import('../ssh/ssh-server.ts');
    return new Opened(() => sshHostKey(this.#signingKey).privateKey);
  }

  close(): void {
    this.#statements.close();
  }
}
