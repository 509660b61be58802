// squid as a cache of what it intercepts, in memory, as its own documentation configures it.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, freePort, mustRun, stop } from './child.ts';
import { squidAuthority, squidMinter, squidProgram } from './squid.ts';

export interface CachingProxy extends AsyncDisposable {
  readonly url: string;
  readonly caPem: string;
}

/** Undefined: it is not here. */
export async function cachingSquid(
  directory: string,
  {
    hosts,
    caFile,
    port: originPort,
  }: { readonly hosts: readonly string[]; readonly caFile: string; readonly port: number },
): Promise<CachingProxy | undefined> {
  if (!existsSync(squidProgram) || !existsSync(squidMinter) || process.getuid?.() !== 0) return undefined;
  await using stack = new AsyncDisposableStack();
  const home = join(directory, `squid-${String(performance.now())}`);
  await mkdir(home, { mode: 0o755 });
  // Its user passes through the folder that the bench has for itself.
  spawnSync('chmod', ['711', directory]);
  const caPem = await squidAuthority(home);
  const port = await freePort();
  await writeFile(join(home, 'hosts'), `127.0.0.1 ${hosts.join(' ')}\n`);
  await writeFile(join(home, 'origins.pem'), await readFile(caFile));
  await writeFile(
    join(home, 'squid.conf'),
    `http_port 127.0.0.1:${port} ssl-bump cert=${home}/both.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program ${squidMinter} -s ${home}/minted -M 4MB
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
tls_outgoing_options cafile=${home}/origins.pem
hosts_file ${home}/hosts
acl SSL_ports port ${originPort}
http_access allow all
cache_mem 512 MB
maximum_object_size_in_memory 64 MB
maximum_object_size 64 MB
access_log none
cache_log ${home}/cache.log
pinger_enable off
pid_filename none
coredump_dir ${home}
shutdown_lifetime 1 seconds
max_filedescriptors 8192
`,
  );
  await mustRun(squidMinter, ['-c', '-s', join(home, 'minted'), '-M', '4MB']);
  await mustRun('chown', ['-R', 'proxy:proxy', home]);
  const child = spawn(squidProgram, ['-N', '-f', join(home, 'squid.conf')], { stdio: 'ignore' });
  stack.defer(() => stop(child));
  await accepts(port, child);
  const owned = stack.move();
  return {
    url: `http://127.0.0.1:${String(port)}`,
    caPem,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
