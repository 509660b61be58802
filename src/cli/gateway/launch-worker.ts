// Starts a worker of a gateway: this very program again, with a channel and nothing else. What it serves it is told over the channel.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

import type { ChannelPort } from '../../gateway/workers/worker-channel.ts';
import type { LaunchedProcess } from '../../gateway/workers/worker-processes.ts';
import { workerDefinition } from '../commands/inner-definitions.ts';
import { isSingleFile, markArguments } from '../terminal/argument-marks.ts';

/** The descriptor of the channel; 0 to 2 are as those of this process, but for the input. */
const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;

/** Launches by the runtime that this process has, with an environment from which the secrets are gone already. */
export function launchWorker(): LaunchedProcess {
  const script = isSingleFile() ? [] : [...process.execArgv, process.argv[1] ?? ''];
  const child = spawn(process.execPath, [...script, ...markArguments([workerDefinition.name])], {
    stdio: [...stdio],
    // Keeps what JSON has no word for: octets, infinity, what is left out.
    serialization: 'advanced',
  });
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  child.once('error', (error) => resolve(error.message));
  return { port: portOf(child), ended, kill: () => void child.kill('SIGKILL') };
}

function portOf(child: ChildProcess): ChannelPort {
  return {
    send: (message, socket) => sendBy(child, message, socket),
    onMessage: (listener) => void child.on('message', listener),
    // With a socket on its way no 'disconnect' comes any more, however the process ends.
    onClosed: (listener) => void child.once('disconnect', listener).once('exit', listener),
  };
}

/** The channel to the supervisor, of a process that it launched. Undefined in any other. */
export function channelToSupervisor(): ChannelPort | undefined {
  if (process.channel === undefined) return undefined;
  return {
    send: (message, socket) => sendBy(process, message, socket),
    onMessage: (listener) => void process.on('message', listener),
    onClosed: (listener) => void process.once('disconnect', listener),
  };
}

function sendBy(
  sender: Pick<ChildProcess, 'send'> | NodeJS.Process,
  message: unknown,
  socket?: Socket,
): void {
  // What cannot be sent is lost with the channel, whose end both sides see. A socket stays open here until the other end says that it has
  // it: what the runtime would close itself, it forgets where the other end is gone.
  sender.send?.(message as object, socket, { keepOpen: true }, (error) => {
    if (error !== null) socket?.destroy();
  });
}
