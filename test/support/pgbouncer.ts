// PgBouncer in front of a PostgreSQL server of a test, where it is installed.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import type { PostgresServer } from './postgres-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** It refuses root, as PostgreSQL does. */
const unprivileged = { uid: 65_534, gid: 65_534 };
const startTimeoutMs = 20_000;
/** What each connection of ours asks for at its start; PgBouncer ends a connection that asks for what it does not know. */
const startParameters = 'options,statement_timeout,lock_timeout,idle_in_transaction_session_timeout';

export interface Pooler extends AsyncDisposable {
  url(database: string, user?: string): string;
}

export const poolerMissing =
  spawnSync('pgbouncer', ['--version']).error === undefined ? false : 'pgbouncer is not installed';

export async function startPooler(server: PostgresServer, mode: 'session' | 'transaction'): Promise<Pooler> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const folder = join(path, 'pooler');
  await mkdir(folder, { mode: 0o700 });
  const isRoot = process.getuid?.() === 0;
  const port = await freePort();
  const users = ['postgres', 'gateway', 'reader'].map((name) => `"${name}" ""\n`).join('');
  await writeFile(join(folder, 'users.txt'), users);
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    [
      '[databases]',
      `* = host=${server.socketDirectory} port=${server.port}`,
      '[pgbouncer]',
      `listen_port = ${port}`,
      'listen_addr =',
      `unix_socket_dir = ${folder}`,
      'auth_type = trust',
      `auth_file = ${join(folder, 'users.txt')}`,
      `pool_mode = ${mode}`,
      'max_prepared_statements = 400',
      'default_pool_size = 20',
      `ignore_startup_parameters = ${startParameters}`,
      '',
    ].join('\n'),
  );
  if (isRoot) {
    spawnSync('chmod', ['711', path]);
    for (const name of ['', 'users.txt', 'pgbouncer.ini'])
      await chown(join(folder, name), unprivileged.uid, unprivileged.gid);
  }
  const child = spawn('pgbouncer', ['-q', join(folder, 'pgbouncer.ini')], {
    ...(isRoot ? unprivileged : {}),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)));
  stack.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  const responds = async (): Promise<boolean> => {
    const client = new Client({ host: folder, port, user: 'postgres', database: 'postgres' });
    client.on('error', () => {});
    return await client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  };
  for (const untilMs = performance.now() + startTimeoutMs; !(await responds()); await wait(20))
    if (child.exitCode !== null || performance.now() > untilMs)
      throw new Error(`pgbouncer did not start: ${said}`);
  const owned = stack.move();
  return {
    url: (database, user = 'postgres') =>
      `postgres://${user}@${encodeURIComponent(folder)}:${port}/${database}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
