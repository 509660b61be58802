// A MariaDB server for tests, on loopback, from the machine's own package (apt-get install mariadb-server).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { markName } from '../../scripts/left-processes.ts';
import { freePort } from './free-port.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export interface MariadbOptions {
  /** Statements that run before it is there. */
  readonly sql: readonly string[];
  /** PEM of its certificate and key; without it there is no TLS. */
  readonly identity?: { readonly certificatePem: string; readonly keyPem: string };
}

export interface MariadbServer extends AsyncDisposable {
  readonly port: number;
  /** Runs statements as its superuser, over a Unix socket; what `mariadb` prints of it. */
  run(sql: string): string;
}

const programs = ['mariadbd', 'mariadb', 'mariadb-install-db'];

/** Why there is none; undefined: there is. */
export function missingMariadb(): string | undefined {
  const isThere = programs.every((program) => spawnSync('which', [program]).status === 0);
  return isThere ? undefined : 'mariadb-server is not installed (apt-get install mariadb-server)';
}

export async function startMariadb({ sql, identity }: MariadbOptions): Promise<MariadbServer> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory());
  const at = (name: string): string => join(folder.path, name);
  const port = await freePort();
  const isRoot = process.getuid?.() === 0;
  mkdirSync(at('data'));
  const own = isRoot ? ['--user=root'] : [];
  const made = spawnSync(
    'mariadb-install-db',
    ['--no-defaults', `--datadir=${at('data')}`, '--auth-root-authentication-method=normal', ...own],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stdout}${made.stderr}`);
  const args = [
    '--no-defaults',
    `--datadir=${at('data')}`,
    `--socket=${at('socket')}`,
    '--bind-address=127.0.0.1',
    `--port=${String(port)}`,
    '--innodb-buffer-pool-size=16M',
    '--innodb-flush-log-at-trx-commit=0',
    '--max-allowed-packet=64M',
    '--local-infile=1',
    '--log-bin=binlog',
    '--server-id=1',
    '--plugin-load-add=auth_ed25519',
    `--pid-file=${at('pid')}`,
    ...own,
  ];
  if (identity === undefined) args.push('--skip-ssl');
  else {
    writeFileSync(at('cert.pem'), identity.certificatePem);
    writeFileSync(at('key.pem'), identity.keyPem);
    chmodSync(at('key.pem'), 0o600);
    args.push(`--ssl-cert=${at('cert.pem')}`, `--ssl-key=${at('key.pem')}`);
  }
  const child = spawn('mariadbd', args, {
    env: { PATH: process.env['PATH'], [markName]: process.env[markName] },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  stack.defer(async () => {
    child.kill();
    await exited;
  });
  const run = (statements: string): string => {
    const options = ['--no-defaults', `--socket=${at('socket')}`, '--user=root', '--skip-ssl', '-N', '-B'];
    const { stdout, stderr } = spawnSync('mariadb', [...options, '-e', statements], { encoding: 'utf8' });
    return `${stdout}${stderr}`.trim();
  };
  while (run('SELECT 1') !== '1') {
    if (child.exitCode !== null) throw new Error('mariadbd ended at its start');
    await wait(50);
  }
  for (const statement of sql) {
    const said = run(statement);
    if (said !== '') throw new Error(`${statement}: ${said}`);
  }
  return { port, run, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
