// `protocol` of a rule: a protocol other than HTTP whose start-up the gateway ends, so that no secret of it is in the container.

import { mysqlCovers, type MysqlEnd, mysqlText } from './mysql-end.ts';
import { postgresCovers, type PostgresEnd, postgresText } from './postgres-end.ts';
import { redisCovers, type RedisEnd, redisText } from './redis-end.ts';
import { sshCovers, type SshEnd, sshText } from './ssh-end.ts';

/** One for each protocol; what they share is in gateway/databases. */
export type ProtocolEnd = PostgresEnd | MysqlEnd | RedisEnd | SshEnd;

/** Where servers of a protocol listen unless the rule says otherwise. */
export const protocolPorts: Readonly<Record<ProtocolEnd['protocol'], number>> = {
  postgres: 5432,
  mysql: 3306,
  redis: 6379,
  ssh: 22,
};

export function endText(end: ProtocolEnd): string {
  return `${end.protocol} ${ownText(end)}`;
}

function ownText(end: ProtocolEnd): string {
  switch (end.protocol) {
    case 'postgres':
      return postgresText(end);
    case 'mysql':
      return mysqlText(end);
    case 'redis':
      return redisText(end);
    case 'ssh':
      return sshText(end);
  }
}

/** Whether all that `inner` lets a client have, `outer` does too. Any bytes are more than any protocol. */
export function endCovers(outer: ProtocolEnd | undefined, inner: ProtocolEnd | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  switch (outer.protocol) {
    case 'postgres':
      return inner.protocol === 'postgres' && postgresCovers(outer, inner);
    case 'mysql':
      return inner.protocol === 'mysql' && mysqlCovers(outer, inner);
    case 'redis':
      return inner.protocol === 'redis' && redisCovers(outer, inner);
    case 'ssh':
      return inner.protocol === 'ssh' && sshCovers(outer, inner);
  }
}
