// A shell that a rule allows. Nothing that it shows goes to the client before it is recorded; where that fails the shell ends, and the client
// hears why.

import { PassThrough, Transform } from 'node:stream';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { RecordedKind } from '../captured/recording-form.ts';
import type { EndOutcome, EndRecording, PassBeside, RelayThrough } from '../databases/protocol-end.ts';
import { ChannelStream } from './channel-stream.ts';
import { finish } from './channel-writer.ts';
import type { SshConnection } from './client-side.ts';
import type { ClientTerminal } from './client-terminal.ts';
import { finishAs, refusedStatus, relayErrors, tell, type Told, wordsOf } from './relay-parts.ts';
import { type RunningCommand, runAtServer } from './server-side.ts';

interface Shell extends Told {
  readonly terminal: ClientTerminal;
}

/** Of those without a terminal, and of terminals that have none. */
const usualSize = { columns: 80, rows: 24 } as const;

export async function runShell(connection: SshConnection, shell: Shell): Promise<EndOutcome> {
  const { terminal, writer } = shell;
  let recording: EndRecording | undefined;
  let running: RunningCommand;
  try {
    // Before anything is dialled: what cannot be recorded is not opened.
    recording = await connection.record(sizeOf(terminal));
    running = await runAtServer(connection, { kind: 'shell', terminal: terminal.opened });
  } catch (error) {
    await recording?.end();
    return tell(writer, asProxyError(error));
  }
  try {
    await relay(connection, shell, { running, recording });
    return { kind: 'served' };
  } finally {
    running.close();
    await recording.end();
  }
}

interface Recorded {
  readonly running: RunningCommand;
  readonly recording: EndRecording;
}

async function relay(
  connection: SshConnection,
  { client, writer, terminal }: Shell,
  { running, recording }: Recorded,
): Promise<void> {
  terminal.watch({
    resized: (size) => {
      recording.resized(sizeOf(terminal));
      running.controls.resized(size);
    },
    signalled: (name) => running.controls.signalled(name),
  });
  const throughServer = recordedStep(recording, 'output');
  const isAll = connection.end.shell === 'record-all';
  const throughClient = isAll ? recordedStep(recording, 'input') : new PassThrough();
  let pass: PassBeside = () => undefined;
  const errors = relayErrors(running, {
    client,
    writer,
    octetsMax: connection.limits.sshErrorOctetsMax,
    pass: (chunk) =>
      recording.add('error', chunk).then(
        () => pass(chunk.length),
        (error: unknown) => {
          // The session ends as where the other output cannot be recorded.
          throughServer.destroy(asProxyError(error));
          throw error;
        },
      ),
  });
  let ended: ProxyError | undefined;
  const isTerminal = terminal.opened !== undefined;
  const end = async (): Promise<void> => {
    if (ended !== undefined) {
      await finish(writer, wordsOf(ended, isTerminal), refusedStatus);
      return;
    }
    const ending = await running.exit;
    await errors;
    await finishAs(connection, writer, ending);
  };
  const stream = new ChannelStream({ channel: writer.channel, wire: client.wire, writer, end });
  const through: RelayThrough = {
    throughClient,
    throughServer,
    beside: (given) => {
      pass = given;
    },
    // The words themselves go to its standard error, with the status of what was refused.
    farewell: (error) => {
      ended = error;
      return Buffer.from(isTerminal ? '\r\n' : '');
    },
  };
  await connection.relay(stream, running.stream, through);
}

function recordedStep(recording: EndRecording, kind: RecordedKind): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      recording.add(kind, chunk).then(
        () => done(null, chunk),
        (error: unknown) => done(asProxyError(error)),
      );
    },
  });
}

function sizeOf({ opened }: ClientTerminal): { readonly columns: number; readonly rows: number } {
  const { cols = 0, rows = 0 } = opened ?? {};
  return { columns: cols > 0 ? cols : usualSize.columns, rows: rows > 0 ? rows : usualSize.rows };
}
