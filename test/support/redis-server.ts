// A Redis server for tests, on loopback, from the machine's own package (apt-get install redis-server).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { markName } from '../../scripts/left-processes.ts';
import { freePort } from './free-port.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export interface RedisServerOptions {
  /** More of its configuration. */
  readonly lines?: readonly string[];
  /** Lines of ACL SETUSER, without these words; the default user can do nothing. */
  readonly users: readonly string[];
  /** PEM of its certificate and key; without it there is no TLS. */
  readonly identity?: { readonly certificatePem: string; readonly keyPem: string };
}

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Runs a command as its superuser, over a Unix socket; what `redis-cli` prints of it. */
  run(...words: readonly string[]): string;
}

/** Why there is none; undefined: there is. */
export function missingRedis(): string | undefined {
  const isThere = ['redis-server', 'redis-cli'].every(
    (program) => spawnSync(program, ['--version']).status === 0,
  );
  return isThere ? undefined : 'redis-server is not installed (apt-get install redis-server)';
}

export async function startRedis({
  users,
  identity,
  lines: more = [],
}: RedisServerOptions): Promise<RedisServer> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory());
  const at = (name: string): string => join(folder.path, name);
  const port = await freePort();
  const admin = 'canary-of-the-superuser';
  const lines = [
    'bind 127.0.0.1',
    'save ""',
    `dir ${folder.path}`,
    `unixsocket ${at('socket')}`,
    'user default off',
    `user admin on >${admin} ~* &* +@all`,
    ...users.map((one) => `user ${one}`),
    ...more,
  ];
  if (identity === undefined) lines.push(`port ${String(port)}`);
  else {
    writeFileSync(at('cert.pem'), identity.certificatePem);
    writeFileSync(at('key.pem'), identity.keyPem, { mode: 0o600 });
    lines.push('port 0', `tls-port ${String(port)}`, 'tls-auth-clients no');
    lines.push(
      `tls-cert-file ${at('cert.pem')}`,
      `tls-key-file ${at('key.pem')}`,
      `tls-ca-cert-file ${at('cert.pem')}`,
    );
  }
  writeFileSync(at('redis.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
  const child = spawn('redis-server', [at('redis.conf')], {
    env: { PATH: process.env['PATH'], [markName]: process.env[markName] },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  stack.defer(async () => {
    child.kill();
    await exited;
  });
  const run = (...words: readonly string[]): string => {
    const env = { PATH: process.env['PATH'], REDISCLI_AUTH: admin };
    const args = ['-s', at('socket'), '--user', 'admin', '--no-auth-warning', ...words];
    const { stdout } = spawnSync('redis-cli', args, { env, encoding: 'utf8' });
    return stdout.trim();
  };
  while (run('PING') !== 'PONG') {
    if (child.exitCode !== null) throw new Error('redis-server ended at its start');
    await wait(20);
  }
  return { port, run, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
