// SSH by rule: what a client asks to run is judged, run at the server with the gateway's key, and its streams are led through.

import { PassThrough } from 'node:stream';
import type { PushCommands } from '../../policy/git-commands.ts';
import { updatesText } from '../../policy/git-rule.ts';
import type { SshEnd } from '../../policy/ssh-end.ts';
import { gitAccess, sshAllows } from '../../policy/ssh-verdict.ts';
import { readSshCommand, sshCommandText, type SshRequest } from '../../policy/ssh-request.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { EndOutcome, PassBeside, ProtocolServer } from '../databases/protocol-end.ts';
import { factsOfGit } from '../git/git-facts.ts';
import { refusedPush } from '../git/refused-push.ts';
import { ChannelStream } from './channel-stream.ts';
import { ChannelWriter } from './channel-writer.ts';
import { type ClientAsks, ClientSide, type SshConnection } from './client-side.ts';
import { PushGate, type PushVerdict } from './push-gate.ts';
import { finishAs, refusedStatus, relayErrors, tell, type Told } from './relay-parts.ts';
import { type RunningCommand, runAtServer } from './server-side.ts';
import { runShell } from './run-shell.ts';

type Exec = Extract<ClientAsks, { readonly kind: 'exec' }>;

const shownCharactersMax = 256;

export class SshServer implements ProtocolServer<SshEnd> {
  readonly #hostKey: () => string;

  /** @param hostKey the private key that clients see of every server */
  constructor(hostKey: () => string) {
    this.#hostKey = hostKey;
  }

  async serve(connection: SshConnection): Promise<EndOutcome> {
    const reservation = connection.hold(connection.limits.sshHeldOctets);
    const client = new ClientSide(connection, this.#hostKey());
    try {
      return await this.#serve(connection, client);
    } finally {
      client.close();
      reservation.release();
    }
  }

  async #serve(connection: SshConnection, client: ClientSide): Promise<EndOutcome> {
    const { rule } = connection;
    const asks = await client.asked();
    switch (asks.kind) {
      case 'silent':
        return { kind: 'silent' };
      case 'broken':
        return { kind: 'refused', error: asks.error };
      case 'subsystem':
        connection.notedSsh({ command: `subsystem ${shown(asks.name)}` });
        return refused(`rule ${rule} allows no subsystem of SSH such as sftp`);
      case 'shell': {
        const writer = new ChannelWriter(asks.channel, client.wire);
        connection.notedSsh({ command: 'shell' });
        return connection.end.shell === 'none'
          ? tell(writer, denied(`rule ${rule} allows no shell here; name a command`))
          : await runShell(connection, { client, writer, terminal: asks.terminal });
      }
      case 'exec': {
        const writer = new ChannelWriter(asks.channel, client.wire);
        const request = readSshCommand(asks.command);
        connection.notedSsh({ command: shown(asks.command) });
        if (request.kind === 'git') connection.gitSeen(factsOfGit(request));
        if (!sshAllows(connection.end, request))
          return tell(writer, denied(`rule ${rule} does not allow ${whatText(request)}`));
        // With one, a pager or an editor is a shell that nobody records.
        if (asks.hasTerminal)
          return tell(writer, denied(`rule ${rule} allows a terminal for a shell alone; leave out -t`));
        return await this.#run(connection, { client, writer, asks, request });
      }
    }
  }

  async #run(
    connection: SshConnection,
    { client, writer, asks, request }: Told & { readonly asks: Exec; readonly request: SshRequest },
  ): Promise<EndOutcome> {
    const command = sshCommandText(request, connection.end.isAbsolute);
    const isFetch = request.kind === 'git' && request.operation === 'fetch';
    let running: RunningCommand;
    try {
      running = await runAtServer(connection, {
        kind: 'command',
        command,
        gitProtocol: isFetch ? asks.gitProtocol : undefined,
      });
    } catch (error) {
      return tell(writer, asProxyError(error));
    }
    try {
      return await relay(connection, { client, writer, running, request });
    } finally {
      running.close();
    }
  }
}

interface Relayed extends Told {
  readonly running: RunningCommand;
  readonly request: SshRequest;
}

async function relay(
  connection: SshConnection,
  { client, writer, running, request }: Relayed,
): Promise<EndOutcome> {
  const { limits } = connection;
  let broken: ProxyError | undefined;
  const isPush = request.kind === 'git' && request.operation === 'push';
  const gate = isPush
    ? new PushGate({
        limits,
        judge: (commands) => judge(connection, request, commands),
        broken: (error) => {
          broken = error;
          running.stream.destroy(error);
        },
      })
    : { throughClient: new PassThrough(), throughServer: new PassThrough(), refused: undefined };
  let pass: PassBeside = () => undefined;
  const octetsMax = limits.sshErrorOctetsMax;
  const errors = relayErrors(running, { client, writer, octetsMax, pass: ({ length }) => pass(length) });
  const stream = new ChannelStream({
    channel: writer.channel,
    wire: client.wire,
    writer,
    end: async () => {
      const ending = gate.refused === undefined ? await running.exit : refusedStatus;
      await errors;
      await finishAs(connection, writer, ending);
    },
  });
  const { throughClient, throughServer } = gate;
  const beside = (given: PassBeside): void => {
    pass = given;
  };
  await connection.relay(stream, running.stream, { throughClient, throughServer, beside });
  if (broken !== undefined) return tell(writer, broken);
  return gate.refused === undefined ? { kind: 'served' } : { kind: 'refused', error: gate.refused };
}

function judge(
  connection: SshConnection,
  request: Extract<SshRequest, { readonly kind: 'git' }>,
  commands: PushCommands,
): PushVerdict {
  connection.gitSeen(factsOfGit(request, commands));
  if (sshAllows(connection.end, request, commands)) return { kind: 'allowed' };
  const push = refusedPush(commands, gitAccess(request), ({ pushed = [] }) =>
    sshAllows(connection.end, request, { updates: pushed, options: commands.options }),
  );
  const what = updatesText(commands.updates.filter(({ ref }) => push.refused.has(ref)));
  const reason = `rule ${connection.rule} does not allow this push to ${request.repository}${what === '' ? '' : `: ${what}`}`;
  return { kind: 'refused', push, reason };
}

function whatText(request: SshRequest): string {
  if (request.kind === 'command') return `the command ${JSON.stringify(shown(request.command))}`;
  return `git ${request.operation} of ${request.repository}`;
}

function shown(text: string): string {
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text;
}

function denied(message: string): ProxyError {
  return new ProxyError('policy_denied', message);
}

function refused(message: string): EndOutcome {
  return { kind: 'refused', error: denied(message) };
}
