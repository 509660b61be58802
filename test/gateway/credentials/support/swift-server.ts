// OpenStack Swift with its S3 interface, which verifies signatures of requests, chunks and trailers: four processes on
// loopback with one replica of everything, and TLS in front.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';

import { mustRun } from '../../../support/command.ts';
import { freePort } from '../../../support/free-port.ts';
import { patienceMs } from '../../../support/patience.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';
import type { TestAuthority } from '../../../support/test-authority.ts';

export const swiftPrograms = [
  'swift-ring-builder',
  'swift-account-server',
  'swift-container-server',
  'swift-object-server',
  'swift-proxy-server',
] as const;

export interface SwiftServer extends AsyncDisposable {
  readonly port: number;
  readonly accessKeyId: string;
  /** What came in on all connections; bodies too. */
  readonly received: () => string;
}

const receivedBytesMax = 4 * 1024 * 1024;
const accessKeyId = 'test:tester';

/** Authentication wants a cache; this one is a map in the process. */
const memoryCache = `
class Cache(dict):
    def __bool__(self):
        return True
    def get(self, key, *args, **kwargs):
        return super().get(key)
    def set(self, key, value, *args, **kwargs):
        self[key] = value
    def delete(self, key, *args, **kwargs):
        self.pop(key, None)
    def incr(self, key, delta=1, *args, **kwargs):
        self[key] = int(super().get(key, 0)) + int(delta)
        return self[key]

def filter_factory(settings, **local):
    cache = Cache()
    def wrap(app):
        def call(environ, start):
            environ['swift.cache'] = cache
            return app(environ, start)
        return call
    return wrap
`;

interface Part {
  readonly name: 'account' | 'container' | 'object' | 'proxy';
  readonly port: number;
}

function configuration({ name, port }: Part, directory: string, secret: string): string {
  const common = `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${userInfo().username}
swift_dir = ${directory}
devices = ${join(directory, 'devices')}
mount_check = false
workers = 0
log_address = /dev/null
fallocate_reserve = 0
`;
  if (name !== 'proxy')
    return `${common}[pipeline:main]\npipeline = ${name}-server\n[app:${name}-server]\nuse = egg:swift#${name}\n`;
  const filters = ['catch_errors', 'gatekeeper', 's3api', 'slo']
    .map((filter) => `[filter:${filter}]\nuse = egg:swift#${filter}\n`)
    .join('');
  return `${common}[pipeline:main]
pipeline = catch_errors gatekeeper cache s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
${filters}[filter:cache]
paste.filter_factory = memory_cache:filter_factory
[filter:tempauth]
use = egg:swift#tempauth
user_${accessKeyId.replace(':', '_')} = ${secret} .admin
`;
}

/** Starts it for `origin.test`; dispose it at the end. */
export async function startSwift(authority: TestAuthority, secret: string): Promise<SwiftServer> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  await mkdir(join(directory, 'devices', 'd1'), { recursive: true });
  await writeFile(join(directory, 'memory_cache.py'), memoryCache);
  const names = ['account', 'container', 'object', 'proxy'] as const;
  const parts: { readonly name: (typeof names)[number]; readonly port: number }[] = [];
  for (const name of names) parts.push({ name, port: await freePort() });
  await Promise.all(
    parts.map(async (part) => {
      await writeFile(join(directory, `${part.name}.conf`), configuration(part, directory, secret));
      if (part.name !== 'proxy') await makeRing(part, directory);
    }),
  );
  for (const part of parts) {
    const file = join(directory, `${part.name}.conf`);
    const child = spawn(`swift-${part.name}-server`, [file], {
      cwd: directory,
      env: { PATH: process.env['PATH'], PYTHONPATH: directory },
      stdio: 'ignore',
    });
    stack.defer(() => endChild(child));
  }
  const deadline = Date.now() + patienceMs;
  for (const { port } of parts) await untilListening(port, deadline);
  const swiftPort = parts.at(-1)?.port ?? 0;
  const front = stack.use(await openTlsFront(authority, swiftPort));
  const owned = stack.move();
  return {
    ...front,
    accessKeyId,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeRing({ name, port }: Part, directory: string): Promise<void> {
  const builder = join(directory, `${name}.builder`);
  await mustRun('swift-ring-builder', [builder, 'create', '2', '1', '1']);
  await mustRun('swift-ring-builder', [builder, 'add', `r1z1-127.0.0.1:${port}/d1`, '1']);
  await mustRun('swift-ring-builder', [builder, 'rebalance']);
}

async function openTlsFront(
  authority: TestAuthority,
  swiftPort: number,
): Promise<Pick<SwiftServer, 'port' | 'received'> & AsyncDisposable> {
  const chunks: Buffer[] = [];
  let kept = 0;
  const server = createTlsServer(authority.issue('origin.test'), (socket) => {
    const inner = connect(swiftPort, '127.0.0.1');
    socket.on('data', (chunk: Buffer) => {
      if (kept < receivedBytesMax) chunks.push(chunk);
      kept += chunk.length;
    });
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
    socket.pipe(inner).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    received: () => Buffer.concat(chunks).toString('latin1'),
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

async function untilListening(port: number, deadline: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return;
    if (Date.now() > deadline) throw new Error(`nothing listens on ${port} after ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
