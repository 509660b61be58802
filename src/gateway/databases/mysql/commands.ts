// The commands of a client by their numbers. A list of those that go on: what it does not have goes nowhere, also what later servers have.

export const command = {
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  stmtPrepare: 0x16,
} as const;

const passing: ReadonlyMap<number, string> = new Map([
  [command.quit, 'quit'],
  [command.initDb, 'init_db'],
  [command.query, 'query'],
  [0x04, 'field_list'],
  [0x09, 'statistics'],
  [0x0e, 'ping'],
  [command.stmtPrepare, 'stmt_prepare'],
  [0x17, 'stmt_execute'],
  [0x18, 'stmt_send_long_data'],
  [0x19, 'stmt_close'],
  [0x1a, 'stmt_reset'],
  [0x1b, 'set_option'],
  [0x1c, 'stmt_fetch'],
  [0x1f, 'reset_connection'],
  // Of MariaDB.
  [0xfa, 'stmt_bulk_execute'],
]);

/** Of the others, so that a refusal can name them. */
const refused: ReadonlyMap<number, string> = new Map([
  [0x00, 'sleep'],
  [0x05, 'create_db'],
  [0x06, 'drop_db'],
  [0x07, 'refresh'],
  [0x08, 'shutdown'],
  [0x0a, 'process_info'],
  [0x0b, 'connect'],
  [0x0c, 'process_kill'],
  [0x0d, 'debug'],
  [0x0f, 'time'],
  [0x10, 'delayed_insert'],
  [0x11, 'change_user'],
  [0x12, 'binlog_dump'],
  [0x13, 'table_dump'],
  [0x14, 'connect_out'],
  [0x15, 'register_slave'],
  [0x1d, 'daemon'],
  [0x1e, 'binlog_dump_gtid'],
  [0x20, 'clone'],
  [0x21, 'subscribe_group_replication_stream'],
]);

/** Undefined: it does not go on. */
export function passingCommand(number: number): string | undefined {
  return passing.get(number);
}

/** Undefined: no command is called so. */
export function refusedCommand(number: number): string | undefined {
  return refused.get(number);
}
