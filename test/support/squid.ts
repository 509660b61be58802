// Real squid as a TLS CONNECT proxy with Basic credentials, from the system's package; started and ended here.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { runCommand } from './command.ts';
import { freePort } from './free-port.ts';
import { patienceMs } from './patience.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import type { TestAuthority } from './test-authority.ts';

const program = '/usr/sbin/squid';
const helper = '/usr/lib/squid/basic_ncsa_auth';

export interface Squid extends AsyncDisposable {
  readonly port: number;
}

export interface SquidOptions {
  readonly authority: TestAuthority;
  readonly username: string;
  readonly password: string;
  /** Names that it has on loopback. */
  readonly hosts: readonly string[];
  /** Hosts that it denies. */
  readonly denied: readonly string[];
}

/** Installs it where that is possible. Gives why it cannot be had, or undefined. */
export async function needSquid(): Promise<string | undefined> {
  if (existsSync(program) && existsSync(helper)) return undefined;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    return 'squid is not installed, and only root can install it';
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { code } = await runCommand('apt-get', ['install', '-y', '-qq', 'squid-openssl'], {
    env: environment,
  });
  return code === 0 && existsSync(program) ? undefined : 'squid-openssl cannot be installed here';
}

export async function startSquid(options: SquidOptions): Promise<Squid> {
  const { authority, username, password, hosts, denied } = options;
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  // It gives up being root before it reads them.
  await chmod(directory, 0o755);
  const file = (name: string): string => join(directory, name);
  const { cert, key } = authority.issue('127.0.0.1');
  await writeFile(file('cert.pem'), `${cert}\n${key}`);
  await writeFile(file('hosts'), hosts.map((host) => `127.0.0.1 ${host}\n`).join(''));
  const hash = (await runCommand('openssl', ['passwd', '-apr1', password])).stdout.trim();
  await writeFile(file('passwords'), `${username}:${hash}\n`);
  const port = await freePort();
  await writeFile(
    file('squid.conf'),
    `https_port 127.0.0.1:${port} tls-cert=${file('cert.pem')}
auth_param basic program ${helper} ${file('passwords')}
auth_param basic realm company
acl known proxy_auth REQUIRED
acl banned dstdomain ${denied.join(' ')}
http_access deny !known
http_access deny banned
http_access allow CONNECT
http_access deny all
hosts_file ${file('hosts')}
cache deny all
access_log none
cache_log ${file('cache.log')}
cache_store_log none
pinger_enable off
pid_filename none
shutdown_lifetime 1 seconds
`,
  );
  await writeFile(file('cache.log'), '');
  await chmod(file('cache.log'), 0o666);
  const child = spawn(program, ['-N', '-f', file('squid.conf')], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await listening(port, child);
  const owned = stack.move();
  return { port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Squid says nowhere that it listens: asked until it does. */
async function listening(port: number, child: { readonly exitCode: number | null }): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => 'connected'),
      once(socket, 'close').then(() => 'refused'),
    ]).catch(() => 'refused');
    socket.destroy();
    if (outcome === 'connected') return;
    if (child.exitCode !== null) throw new Error(`squid ended with ${child.exitCode}`);
    if (Date.now() > deadlineMs) throw new Error('squid does not listen');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
