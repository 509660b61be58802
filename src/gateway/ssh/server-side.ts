// The gateway as a client of SSH: the server has to have a key of the rule, and is shown the key of the credential.

import { createHash } from 'node:crypto';
import ssh2 from 'ssh2';
import type { Client, ClientChannel, PseudoTtyOptions } from 'ssh2';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { EndKey } from '../databases/protocol-end.ts';
import { ChannelStream } from './channel-stream.ts';
import type { SshConnection } from './client-side.ts';
import { sshAlgorithms } from './ssh-algorithms.ts';
import { ShellControls, shellSignals } from './shell-controls.ts';
import { SideBounds, SshWire } from './ssh-wire.ts';

export interface RunningCommand {
  readonly stream: ChannelStream;
  readonly channel: ClientChannel;
  /** Its exit status, or the signal that ended it; undefined where the server did not say. */
  readonly exit: Promise<number | string | undefined>;
  /** Of a shell. */
  readonly controls: ShellControls;
  close(): void;
}

export type ToRun =
  | { readonly kind: 'command'; readonly command: string; readonly gitProtocol: string | undefined }
  /** With a terminal, where the client has one. */
  | { readonly kind: 'shell'; readonly terminal: PseudoTtyOptions | undefined };

/** What of the connection the side of the server needs. */
export type ServerConnection = Pick<
  SshConnection,
  'client' | 'dial' | 'end' | 'host' | 'key' | 'limits' | 'startDeadline'
>;

/** @throws ProxyError credential_unavailable, origin_untrusted, login_refused, timeout, and as Dialer */
export async function runAtServer(connection: ServerConnection, run: ToRun): Promise<RunningCommand> {
  const key = await connection.key();
  const { socket } = await connection.dial({ alpn: [], startTls: 'never' });
  const { limits, startDeadline, host } = connection;
  const ssh = new ssh2.Client();
  // Stays for good: the library says several of them in one turn, and some after its end; one that nobody heard would end the process.
  ssh.on('error', () => undefined);
  let channel: ClientChannel | undefined;
  const bounds = new SideBounds(limits, () => channel);
  const wire = new SshWire(socket, bounds);
  ssh.on('handshake', () => bounds.hasNewKeys(wire));
  wire.on('error', () => undefined);
  const deadline = startDeadline(limits.sshLoginTimeoutMs, () => {
    const message = `${host} did not take the log-in in time (sshLoginTimeoutMs)`;
    wire.destroy(new ProxyError('timeout', message, { limit: 'sshLoginTimeoutMs' }));
  });
  try {
    // The client that it is for may go meanwhile.
    connection.client.once('close', () => {
      if (channel === undefined) wire.destroy();
    });
    await logIn(ssh, wire, connection, key);
    const executed = await execute(ssh, wire, run);
    ({ channel } = executed);
    return running({ connection, ssh, wire, ...executed });
  } catch (error) {
    wire.destroy();
    throw error;
  } finally {
    deadline.clear();
  }
}

function running({
  connection,
  ssh,
  wire,
  channel,
  exit,
}: Executed & {
  readonly connection: ServerConnection;
  readonly ssh: Client;
  readonly wire: SshWire;
}): RunningCommand {
  ssh.on('error', (error) => wire.destroy(asProxyError(error, 'stream_reset')));
  const end = (): Promise<void> => {
    channel.end();
    return Promise.resolve();
  };
  return {
    stream: new ChannelStream({ channel, wire, end }),
    channel,
    exit,
    controls: new ShellControls(channel, wire),
    close: () => {
      const { limits, startDeadline } = connection;
      if (wire.destroyed) return;
      const deadline = startDeadline(limits.sshLoginTimeoutMs, () => wire.destroy());
      wire.once('close', () => deadline.clear());
      ssh.end();
      wire.resume();
    },
  };
}

async function logIn(
  ssh: Client,
  wire: SshWire,
  { end, limits, host }: ServerConnection,
  key: EndKey,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  // It is also rejected where nobody waits for it, since connect() threw.
  promise.catch(() => undefined);
  let shown: string | undefined;
  // The server has proved its key; the log-in is what comes next.
  ssh.once('handshake', () => key.onShown());
  ssh.once('ready', () => resolve(undefined));
  const fail = (error: Error & { readonly level?: string }): void => {
    if (error.level === 'client-authentication') key.onRejected();
    reject(faultOf(error, { host, shown }));
  };
  ssh.once('error', fail);
  wire.once('close', () => fail(wire.errored ?? new Error('the server closed the connection')));
  try {
    ssh.connect({
      sock: wire,
      username: key.username,
      privateKey: key.privateKey.reveal(),
      authHandler: ['publickey'],
      algorithms: sshAlgorithms(end.hostKeys.map((line) => line.split(' ')[0] ?? '')),
      // Without this any key would do.
      hostVerifier: (shownKey: Buffer): boolean => {
        const base64 = shownKey.toString('base64');
        const isKnown = end.hostKeys.some((line) => line.split(' ')[1] === base64);
        if (!isKnown) shown = fingerprint(shownKey);
        return isKnown;
      },
      readyTimeout: limits.sshLoginTimeoutMs,
      ident: 'upstreamproxy',
    });
  } catch (error) {
    const reason = asProxyError(error).message;
    throw new ProxyError(
      'credential_unavailable',
      `the key cannot be used: ${reason}; OpenSSH's form without a passphrase can`,
    );
  }
  await promise;
}

function faultOf(
  error: Error & { readonly level?: string },
  { host, shown }: { readonly host: string; readonly shown: string | undefined },
): ProxyError {
  if (error instanceof ProxyError) return error;
  if (shown !== undefined)
    return new ProxyError(
      'origin_untrusted',
      `${host} has the key ${shown}, which is none of hostKeys of the rule`,
    );
  switch (error.level) {
    case 'client-authentication':
      return new ProxyError('login_refused', `${host} does not take the key of the rule`);
    case 'handshake':
      return new ProxyError('origin_untrusted', `${host} and the gateway agree on nothing: ${error.message}`);
    case 'client-timeout':
      return new ProxyError('timeout', `${host} did not take the log-in in time (sshLoginTimeoutMs)`, {
        limit: 'sshLoginTimeoutMs',
      });
    default:
      return new ProxyError('origin_unreachable', `${host}: ${error.message}`, { cause: error });
  }
}

type Executed = Pick<RunningCommand, 'channel' | 'exit'>;

async function execute(ssh: Client, wire: SshWire, run: ToRun): Promise<Executed> {
  const { promise, resolve, reject } = Promise.withResolvers<Executed>();
  // As above: exec() throws where the connection has ended since.
  promise.catch(() => undefined);
  const refused = (error: Error): void => {
    const what = run.kind === 'shell' ? 'opens no shell' : 'does not run the command';
    reject(new ProxyError('login_refused', `the server ${what}: ${error.message}`));
  };
  wire.once('close', () => refused(new Error('it closed the connection')));
  ssh.once('error', refused);
  const begun = (error: Error | undefined, channel: ClientChannel): void => {
    if (error === undefined) {
      channel.stderr.on('error', () => undefined);
      resolve({ channel, exit: exitOf(channel, wire) });
    } else refused(error);
  };
  if (run.kind === 'shell') ssh.shell(run.terminal ?? false, begun);
  else {
    const { command, gitProtocol } = run;
    ssh.exec(command, gitProtocol === undefined ? {} : { env: { GIT_PROTOCOL: gitProtocol } }, begun);
  }
  return await promise;
}

/** Listened for at once: a command can have ended before the next turn. */
function exitOf(channel: ClientChannel, wire: SshWire): Promise<number | string | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | string | undefined>();
  channel.once('exit', (code: number | null, signal?: string) => {
    const name = signal?.replace(/^SIG/, '') ?? '';
    resolve(code ?? (shellSignals.has(name) ? name : undefined));
  });
  channel.once('close', () => resolve(undefined));
  wire.once('close', () => resolve(undefined));
  channel.on('error', () => undefined);
  return promise;
}

function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').slice(0, -1)}`;
}
