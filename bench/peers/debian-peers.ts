// Peers from Debian, each started by hand with its data in a folder of the run.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { accepts, freePort, hasProgram, stop } from '../child.ts';
import { originHost } from '../contenders.ts';
import type { Contender } from '../contenders.ts';
import type { LoadTarget } from '../load/load-job.ts';
import { withDescendants } from '../process-usage.ts';
import { versionOf } from '../report/machine.ts';
import { squid } from '../squid.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import type { Peer, PeerPlace, StartedPeer } from './peer.ts';

const nginxProgram = '/usr/sbin/nginx';
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

export const debianPeers: readonly Peer[] = [
  {
    name: 'squid',
    facts: {
      endsTls: 'yes, ssl-bump',
      policy: 'ACLs; here all is allowed',
      credentials: 'no',
      audit: 'access log; off here',
    },
    start: startSquid,
  },
  {
    name: 'mitmproxy',
    facts: { endsTls: 'yes', policy: 'scripts', credentials: 'scripts', audit: 'flows in memory' },
    start: startMitmproxy,
  },
  {
    name: 'tinyproxy',
    facts: {
      endsTls: 'no, CONNECT is relayed',
      policy: 'hosts',
      credentials: 'no',
      audit: 'log of connections',
    },
    start: startTinyproxy,
  },
  {
    name: 'nginx, stream',
    facts: { endsTls: 'no, to one origin', policy: 'no', credentials: 'no', audit: 'no' },
    start: startNginxStream,
  },
  {
    name: 'nginx, reverse proxy',
    facts: {
      endsTls: 'yes, for one host that it knows before',
      policy: 'locations',
      credentials: 'a header set',
      audit: 'access log; off here',
    },
    start: startNginxProxy,
  },
];

async function startSquid({ directory, origin }: PeerPlace): Promise<StartedPeer | string> {
  const started = await squid(directory, origin);
  if (typeof started === 'string') return started;
  const contender: Contender = {
    name: started.name,
    to: started.to,
    pids: () => ({ peer: started.pids()['squid'] ?? [] }),
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
  return { contender, version: versionOf('/usr/sbin/squid') };
}

/** A program that stays in the foreground and listens on the port. */
async function startProgram(
  name: string,
  [file = '', ...words]: readonly string[],
  to: LoadTarget & { readonly proxyPort: number },
): Promise<Contender> {
  const child = spawn(file, words, { stdio: 'ignore' });
  try {
    await accepts(to.proxyPort, child);
  } catch (error) {
    await stop(child);
    throw error;
  }
  return {
    name,
    to,
    pids: () => ({ peer: withDescendants(child.pid ?? 0) }),
    [Symbol.asyncDispose]: () => stop(child),
  };
}

async function startTinyproxy({ directory, origin }: PeerPlace): Promise<StartedPeer | string> {
  if (!hasProgram('tinyproxy')) return 'not installed (Debian: tinyproxy)';
  const proxyPort = await freePort();
  const file = join(directory, 'tinyproxy.conf');
  const text = `Port ${proxyPort}\nListen 127.0.0.1\nAllow 127.0.0.1\nMaxClients 1000\nLogLevel Error\nTimeout 60\n`;
  await writeFile(file, text);
  // It asks the system for names, which does not know those of the bench.
  const to = {
    proxyPort,
    originPort: origin.port,
    host: originHost,
    connectHost: '127.0.0.1',
    caPem: origin.caPem,
  };
  const contender = await startProgram('tinyproxy', ['tinyproxy', '-d', '-c', file], to);
  return { contender, version: versionOf('tinyproxy', '-v') };
}

async function startMitmproxy({ directory, origin }: PeerPlace): Promise<StartedPeer | string> {
  if (!hasProgram('mitmdump')) return 'not installed (Debian 13 has no package of it)';
  const proxyPort = await freePort();
  const settings = [
    `confdir=${directory}`,
    `ssl_verify_upstream_trusted_ca=${origin.caFile}`,
    'connection_strategy=lazy',
  ];
  const listen = ['--quiet', '--listen-host', '127.0.0.1', '--listen-port', `${proxyPort}`];
  const words = ['mitmdump', ...listen, ...settings.flatMap((setting) => ['--set', setting])];
  const target = {
    proxyPort,
    originPort: origin.port,
    host: originHost,
    connectHost: '127.0.0.1',
    caPem: '',
  };
  const contender = await startProgram('mitmproxy', words, target);
  const caPem = await readFile(join(directory, 'mitmproxy-ca-cert.pem'), 'utf8');
  return { contender: { ...contender, to: { ...target, caPem } }, version: versionOf('mitmdump') };
}

/** What both forms of nginx have in common: no daemon, its files in the folder, one worker. */
function nginxText(directory: string, modules: string, rest: string): string {
  return `${modules}daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log error;
events { worker_connections 4096; }
${rest}`;
}

async function startNginx(
  name: string,
  directory: string,
  text: string,
  to: LoadTarget & { readonly proxyPort: number },
): Promise<StartedPeer> {
  const file = join(directory, 'nginx.conf');
  await writeFile(file, text);
  const contender = await startProgram(name, [nginxProgram, '-p', directory, '-c', file], to);
  return { contender, version: versionOf(nginxProgram, '-v') };
}

async function startNginxStream({ directory, origin }: PeerPlace): Promise<StartedPeer | string> {
  if (!existsSync(nginxProgram) || !existsSync(streamModule))
    return 'not installed (Debian: nginx, libnginx-mod-stream)';
  const proxyPort = await freePort();
  const server = `listen 127.0.0.1:${proxyPort}; proxy_pass 127.0.0.1:${origin.port};`;
  const text = nginxText(directory, `load_module ${streamModule};\n`, `stream { server { ${server} } }\n`);
  const to = {
    proxyPort,
    originPort: origin.port,
    host: originHost,
    caPem: origin.caPem,
    via: 'line',
  } as const;
  return await startNginx('nginx, stream', directory, text, to);
}

async function startNginxProxy({ directory, origin }: PeerPlace): Promise<StartedPeer | string> {
  if (!existsSync(nginxProgram)) return 'not installed (Debian: nginx)';
  const authority = createEphemeralAuthority(Date.now());
  const { certificatePem, privateKey } = authority.issue(originHost, Date.now());
  const key =
    typeof privateKey === 'string' ? privateKey : privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(join(directory, 'leaf.pem'), certificatePem);
  await writeFile(join(directory, 'leaf.key'), key, { mode: 0o600 });
  const proxyPort = await freePort();
  const rest = `http {
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  upstream origin { server 127.0.0.1:${origin.port}; keepalive 32; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${proxyPort} ssl;
    server_name ${originHost};
    ssl_certificate ${directory}/leaf.pem;
    ssl_certificate_key ${directory}/leaf.key;
    location / {
      proxy_pass https://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header Authorization "Bearer a-key-for-the-benchmark";
      proxy_ssl_name ${originHost};
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${origin.caFile};
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
  const to = {
    proxyPort,
    originPort: origin.port,
    host: originHost,
    caPem: authority.certificatesPem,
    via: 'line',
  } as const;
  return await startNginx('nginx, reverse proxy', directory, nginxText(directory, '', rest), to);
}
