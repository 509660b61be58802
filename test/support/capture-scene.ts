// A gateway, an origin and a command that `run` captures, as root and as nobody.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, writeFile } from 'node:fs/promises';
import { createServer, type Server, type AddressInfo } from 'node:net';
import { join } from 'node:path';

import { stringify } from 'yaml';

import { runCommand, type CommandResult } from './command.ts';
import { httpsOrigin, type Origin } from './origin.ts';
import { launcher } from './program.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from './test-authority.ts';

const nobody = 65534;
const isRoot = process.geteuid?.() === 0;

/** Who the agent runs as. Nobody has no capability, and none to get. */
export interface CaptureUser {
  readonly name: string;
  readonly uid: number;
  readonly prefix: readonly string[];
}

export const self: CaptureUser = {
  name: isRoot ? 'root' : 'this user',
  uid: process.geteuid?.() ?? 0,
  prefix: [],
};
const dropped: CaptureUser = {
  name: 'nobody without capabilities',
  uid: nobody,
  prefix: [
    'setpriv',
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ],
};
export const users: readonly CaptureUser[] = isRoot ? [self, dropped] : [self];

/** Why this user has no namespaces here, or false. */
export function obstacle({ uid, prefix }: CaptureUser): string | false {
  const options = uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const [file = '', ...args] = [...prefix, 'unshare', ...options, '--net', '--mount', 'true'];
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return false;
  return `no network namespace for ${uid === 0 ? 'root' : 'an ordinary user'} here: ${stderr?.trim() ?? error?.message}`;
}

interface Scene extends AsyncDisposable {
  readonly directory: string;
  readonly origin: Origin;
  readonly tcpPort: number;
  run(options: readonly string[], script: string): Promise<CommandResult>;
  /** File and arguments, for a test that starts it itself. */
  command(options: readonly string[], script: string): readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
}

const rulesFor = (origin: Origin, tcpPort: number, more: readonly object[]): readonly object[] => [
  {
    name: 'hello',
    hosts: ['api.test'],
    ports: [origin.port],
    paths: ['/hello'],
    addresses: ['127.0.0.1/32'],
  },
  { name: 'raw', hosts: ['db.test'], scheme: 'tcp', ports: [tcpPort], addresses: ['127.0.0.1/32'] },
  ...more,
];

export async function captureScene(
  user: CaptureUser,
  more: { readonly authority?: TestAuthority; readonly rules?: readonly object[] } = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await temporaryDirectory());
  const authority = more.authority ?? createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  // A protocol in which the server speaks first, and then repeats what it hears.
  const greeter = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('ready\n');
    socket.pipe(socket);
  });
  greeter.listen({ host: '127.0.0.1', port: 0 });
  await once(greeter, 'listening');
  stack.defer(() => closed(greeter));
  const { port: tcpPort } = greeter.address() as AddressInfo;
  const rules = rulesFor(origin, tcpPort, more.rules ?? []);
  const names = ['api', 'db', 'git', 'grpc', 'allowed'];
  const hosts = Object.fromEntries(names.map((name) => [`${name}.test`, '127.0.0.1']));
  const files = {
    'ca.pem': authority.caPem,
    'policy.yaml': stringify({ rules }, { aliasDuplicateObjects: false }),
    'gateway.yaml': stringify({ policy: 'policy.yaml', upstream: { ca: 'ca.pem', hosts } }),
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, name), text);
    if (isRoot) await chown(join(directory, name), user.uid, user.uid);
  }
  if (isRoot) await chown(directory, user.uid, user.uid);
  const env = { PATH: process.env['PATH'], HOME: directory, XDG_STATE_HOME: directory, TMPDIR: directory };
  const command: Scene['command'] = (options, script) => {
    const config = join(directory, 'gateway.yaml');
    const args = ['run', '--config', config, ...options, '--', 'sh', '-c', script];
    const [file = '', ...rest] = [...user.prefix, launcher, ...args];
    return [file, ...rest];
  };
  const run: Scene['run'] = (options, script) => {
    const [file, ...args] = command(options, script);
    return runCommand(file, args, { env, cwd: directory });
  };
  const owned = stack.move();
  return { directory, origin, tcpPort, run, command, env, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
