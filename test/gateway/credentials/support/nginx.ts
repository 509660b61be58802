// nginx on loopback that demands a client certificate, as packaged by the system.

import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePort } from '../../../support/free-port.ts';
import { endChild, waitUntil } from '../../../support/program.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';
import { findTool } from '../../../support/tools.ts';
import { authority } from './credential-scene.ts';

export interface Nginx extends AsyncDisposable {
  readonly port: number;
  /** Lines of `verify subject "request"`. */
  log(): Promise<readonly string[]>;
}

/** @param clientCa PEM of what client certificates are verified against */
export async function startNginx(clientCa: string): Promise<Nginx> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const port = await freePort();
  const { cert, key } = authority.issue('origin.test');
  await mkdir(join(directory, 'logs'));
  await writeFile(join(directory, 'server.pem'), cert);
  await writeFile(join(directory, 'server.key'), key);
  await writeFile(join(directory, 'clients.pem'), clientCa);
  await writeFile(join(directory, 'nginx.conf'), configuration(port));
  const args = ['-p', `${directory}/`, '-c', 'nginx.conf', '-e', 'logs/error.log'];
  const child = spawn(findTool('nginx') ?? 'nginx', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  stack.defer(() => endChild(child));
  await waitUntil('nginx listens', () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${Buffer.concat(said).toString()}`);
    return listens(port);
  });
  const owned = stack.move();
  return {
    port,
    log: async () => (await readFile(join(directory, 'logs', 'access.log'), 'utf8')).trim().split('\n'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const configuration = (port: number): string => `
daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 64; }
http {
  log_format seen '$ssl_client_verify $ssl_client_s_dn "$request"';
  access_log logs/access.log seen;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port} ssl;
    server_name origin.test;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_client_certificate clients.pem;
    ssl_verify_client on;
    location / { return 200 "hello $ssl_client_s_dn\\n"; }
  }
}
`;

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  const isUp = await promise;
  socket.destroy();
  return isUp;
}
