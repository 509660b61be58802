// What a server says to SIGNAL, which the gateway has it run in the place of a refused command.

import type { MysqlRefusal } from '../../../../../src/gateway/databases/mysql/packet.ts';

/** Undefined: it is another statement, or none that a server could read. */
export function signalResponse(statement: string): MysqlRefusal | undefined {
  const form =
    /^SIGNAL SQLSTATE '([0-9A-Z]{5})' SET MYSQL_ERRNO=([1-9][0-9]*), MESSAGE_TEXT='([^'\\]{0,128})'$/;
  const [, sqlState, code, message] = form.exec(statement) ?? [];
  if (sqlState === undefined || message === undefined || Number(code) > 0xff_ff) return undefined;
  return /^0[012]/.test(sqlState) ? undefined : { code: Number(code), sqlState, message };
}
