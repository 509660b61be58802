// A real sshd with bare repositories of git, the gateway's request path in front of it, and a port of loopback that stands for the network of
// a jail. Clients are the real ssh and git.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import { resetSocket } from '../../../src/net/reset-socket.ts';
import { knownHosts } from '../../../src/gateway/ssh/host-key.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { ProtocolEnds } from '../../../src/gateway/tunnels/protocol-ends.ts';
import {
  openRequestPath,
  type RequestPath,
  type RequestPathOptions,
} from '../../gateway/support/request-path.ts';
import { type CommandResult, mustRun, runCommand } from '../../support/command.ts';
import { freePort } from '../../support/free-port.ts';
import { gitEnvironment } from '../../support/git-server.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

export const host = 'git.test';
const sshd = '/usr/sbin/sshd';

/** Why there is no real server here; undefined: there is one. */
export function missingSshd(): string | undefined {
  if (spawnSync(sshd, ['-V']).error !== undefined)
    return 'sshd is not installed (apt-get install openssh-server)';
  if (spawnSync('ssh', ['-V']).error !== undefined)
    return 'ssh is not installed (apt-get install openssh-client)';
  return undefined;
}

export interface SshServer extends AsyncDisposable {
  readonly port: number;
  /** Of the server, as a rule has it. */
  readonly hostKey: string;
  /** What the gateway logs in with: text that may be nowhere else. */
  readonly privateKey: string;
  /** Folder of the repositories. */
  readonly root: string;
  readonly directory: string;
  /** What it said so far. */
  log(): string;
}

/** Paths are below the folder, as on a host of repositories. */
const onlyRepositories = (root: string): string =>
  `ForceCommand cd ${root} && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"`;

/**
 * A server with the repository `acme/app.git`, of one commit on `main`.
 * @param more lines of its configuration
 * @param forced what it runs in place of what it is asked for, `root` being the folder of repositories
 */
export async function startSshd(
  more: readonly string[] = [],
  forced: (root: string) => string = onlyRepositories,
): Promise<SshServer> {
  const directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  for (const name of ['server', 'client'])
    await mustRun('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', at(name)]);
  writeFileSync(at('authorized'), readFileSync(at('client.pub')));
  const root = at('repositories');
  mkdirSync(root);
  await makeRepository(directory.path, join(root, 'acme/app.git'));
  // As root it wants the folder that a service manager makes.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  writeFileSync(
    at('sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${at('server')}`,
      `AuthorizedKeysFile ${at('authorized')}`,
      `PidFile ${at('pid')}`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'AcceptEnv GIT_PROTOCOL',
      forced(root),
      ...more,
      '',
    ].join('\n'),
  );
  const child = spawn(sshd, ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await listens(port, child, () => said);
  const [type, key] = readFileSync(at('server.pub'), 'utf8').split(' ');
  return {
    port,
    root,
    directory: directory.path,
    hostKey: `${type ?? ''} ${(key ?? '').trim()}`,
    privateKey: readFileSync(at('client'), 'utf8'),
    log: () => said,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function listens(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${said()}`);
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
}

async function makeRepository(directory: string, bare: string): Promise<void> {
  const work = join(directory, 'first');
  const git = (...args: string[]): Promise<string> => mustRun('git', args, { env: gitEnvironment });
  await git('init', '--quiet', '--initial-branch=main', work);
  writeFileSync(join(work, 'README'), 'A repository that was fetched over SSH.\n');
  await git('-C', work, 'add', 'README');
  await git('-C', work, 'commit', '--quiet', '-m', 'first');
  await git('clone', '--quiet', '--bare', work, bare);
}

interface GitVariables {
  readonly GIT_SSH_COMMAND: string;
  /** How long it may take. */
  readonly timeoutMs?: number;
}

export interface SshScene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly port: number;
  /** Folder of the client. */
  readonly home: string;
  /** Of the rule: keys of `ssh` beside `hostKeys`. */
  setRule(ssh: string, hostKey?: string): void;
  /** `git` as in the jail. */
  git(...args: string[]): Promise<CommandResult>;
  /** The same with other variables. */
  gitWith(env: GitVariables, ...args: string[]): Promise<CommandResult>;
  /** What git runs for ssh, before the last of the options that count: the first of two does. */
  readonly sshCommand: string;
  /** Options by which `ssh` is as in the jail. */
  readonly sshOptions: readonly string[];
  /** `ssh` as in the jail. */
  ssh(...args: string[]): Promise<CommandResult>;
  open(): Duplex;
}

/** The gateway before that server. */
export async function openSshScene(
  server: SshServer,
  rule: string,
  more: Partial<RequestPathOptions> = {},
): Promise<SshScene> {
  const policyOf = (ssh: string, hostKey = server.hostKey): string =>
    `rules: [{ name: repositories, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, protocol: ssh, ssh: { hostKeys: '${hostKey}', ${ssh} }, inject: deploy }]`;
  const home = await temporaryDirectory();
  const opened = openRequestPath({
    policy: policyOf(rule),
    hosts: [host],
    trust: [],
    credentials: {
      deploy: { kind: 'ssh-key', username: userInfo().username, source: { env: 'DEPLOY_KEY' } },
    },
    environment: { DEPLOY_KEY: server.privateKey },
    ...more,
  });
  const signingKey = createSigningKey();
  Object.assign(opened.parts, { protocolEnds: new ProtocolEnds(opened.parts.limits, signingKey) });
  const sockets = new Set<Socket>();
  const open = (): Duplex => opened.open({ authority: `${host}:${server.port}`, mode: 'raw' }).socket;
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    joined(socket, open());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  // It listens on an address and a port.
  const { port } = listener.address() as AddressInfo;
  const known = join(home.path, 'known_hosts');
  writeFileSync(known, knownHosts([`${host}:22`], signingKey).text);
  const options = [
    '-F /dev/null',
    `-o UserKnownHostsFile=${known}`,
    '-o StrictHostKeyChecking=yes',
    '-o GlobalKnownHostsFile=/dev/null',
    '-o BatchMode=yes',
    '-o IdentityFile=/dev/null',
    '-o LogLevel=ERROR',
    `-o HostKeyAlias=${host}`,
    '-o HostName=127.0.0.1',
    `-o Port=${port}`,
  ].flatMap((one) => one.split(' '));
  const env = { ...gitEnvironment, HOME: home.path, GIT_SSH_COMMAND: `ssh ${options.join(' ')}` };
  return {
    path: opened,
    port,
    home: home.path,
    setRule: (ssh, hostKey) => opened.setPolicy(policyOf(ssh, hostKey)),
    sshCommand: `ssh ${options.filter((one) => !one.startsWith('LogLevel=')).join(' ')}`.replaceAll(
      /-o (?=-o |$)/g,
      '',
    ),
    gitWith: ({ timeoutMs, ...more }, ...args) =>
      runCommand('git', args, {
        env: { ...env, ...more },
        cwd: home.path,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    git: (...args) => runCommand('git', args, { env, cwd: home.path }),
    sshOptions: options,
    ssh: (...args) => runCommand('ssh', [...options, ...args], { env, cwd: home.path }),
    open,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
      await opened[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** Both ways with the ends that either side makes. */
function joined(socket: Socket, stream: Duplex): void {
  socket.pipe(stream);
  stream.pipe(socket);
  socket.on('error', () => stream.destroy());
  stream.on('error', () => resetSocket(socket));
  stream.once('close', () => {
    if (!stream.readableEnded) resetSocket(socket);
  });
  socket.once('close', () => stream.destroy());
}
