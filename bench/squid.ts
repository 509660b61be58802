// squid with ssl-bump, as its own documentation configures interception.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { accepts, freePort, mustRun, stop } from './child.ts';
import { originHost } from './contenders.ts';
import type { Contender, OriginProcess } from './contenders.ts';
import { withDescendants } from './process-usage.ts';

export const squidProgram = '/usr/sbin/squid';
export const squidMinter = '/usr/lib/squid/security_file_certgen';

/** squid with ssl-bump, or the reason why it is not there. Its user has to be able to pass through the folders above `directory`. */
export async function squid(directory: string, origin: OriginProcess): Promise<Contender | string> {
  if (!existsSync(squidProgram) || !existsSync(squidMinter)) return 'not installed (Debian: squid-openssl)';
  if (process.getuid?.() !== 0) return 'it has to be started as root here';
  await using stack = new AsyncDisposableStack();
  const home = join(directory, 'squid');
  await mkdir(home, { mode: 0o755 });
  const ca = await squidAuthority(home);
  const port = await freePort();
  await writeFile(join(home, 'hosts'), `127.0.0.1 ${originHost}\n`);
  await writeFile(join(home, 'squid.conf'), squidText(home, port, origin));
  await mustRun(squidMinter, ['-c', '-s', join(home, 'minted'), '-M', '4MB']);
  await mustRun('chown', ['-R', 'proxy:proxy', home]);
  const child = spawn(squidProgram, ['-N', '-f', join(home, 'squid.conf')], { stdio: 'ignore' });
  stack.defer(() => stop(child));
  await accepts(port, child);
  const owned = stack.move();
  const pid = child.pid ?? 0;
  return {
    name: 'squid',
    to: { proxyPort: port, originPort: origin.port, host: originHost, caPem: ca },
    pids: () => ({ squid: withDescendants(pid) }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A P-256 authority by openssl, as squid wants it: certificate and key in one file. */
export async function squidAuthority(home: string): Promise<string> {
  const script =
    `openssl ecparam -name prime256v1 -genkey -noout -out ${home}/ca.key && ` +
    `openssl req -x509 -new -key ${home}/ca.key -days 30 -subj '/CN=bench squid' -out ${home}/ca.pem ` +
    `-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' && ` +
    `cat ${home}/ca.pem ${home}/ca.key > ${home}/both.pem`;
  await once(spawn('sh', ['-c', script], { stdio: 'ignore' }), 'exit');
  return readFile(join(home, 'ca.pem'), 'utf8');
}

/**
 * Interception as squid's own documentation configures it (SslPeekAndSplice): peek at the ClientHello in step 1, then
 * bump. With `bump all` alone squid bumps in step 1, before it has seen the client's SNI, which is not the same work.
 */
function squidText(home: string, port: number, origin: OriginProcess): string {
  return `http_port 127.0.0.1:${port} ssl-bump cert=${home}/both.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program ${squidMinter} -s ${home}/minted -M 4MB
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
tls_outgoing_options cafile=${origin.caFile}
hosts_file ${home}/hosts
acl SSL_ports port ${origin.port}
http_access allow all
cache deny all
access_log none
cache_log ${home}/cache.log
pinger_enable off
pid_filename none
coredump_dir ${home}
shutdown_lifetime 1 seconds
max_filedescriptors 8192
`;
}
