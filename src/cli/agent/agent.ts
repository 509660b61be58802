// `upstreamproxy agent`: the agent alone, for a container whose commands are started by somebody else.

import { resolve } from 'node:path';

import { closeOnExec } from '../../agent/kernel/close-on-exec.ts';
import { scrubEnvironment } from '../../agent/hardening/environment-scrub.ts';
import { harden, requireHardened } from '../../agent/hardening/posture.ts';
import { initUpstreamProxy } from '../../agent/init.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProxyError } from '../../protocol/error.ts';
import { agentDefinition } from '../commands/agent-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import {
  changesContainer,
  initOptions,
  ownCommand,
  readAgentOptions,
  type AgentOptions,
} from './agent-options.ts';
import { captureNote } from './capture-note.ts';
import { cleanUpAfterKill } from './cleanup-after-kill.ts';
import { commandOf } from '../terminal/command.ts';
import { displacedNames, displacedNote } from './displaced-note.ts';
import { without } from './env.ts';
import { openEnvironmentFile } from './environment-file.ts';
import { formatEnvironment } from './environment-format.ts';
import { tuneEngine } from '../terminal/heap-setting.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/**
 * Prints it, and gives what keeps it from being printed, if that comes. A reader that went away may know what it needs, as by
 * --relay-port and --state, so that is no fault.
 */
function print(text: string): Promise<ProxyError> {
  const { promise, resolve } = Promise.withResolvers<ProxyError>();
  // In the place of what all commands do, which is to end at once: here is a session to be taken away.
  process.stdout.removeAllListeners('error').on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE')
      resolve(new ProxyError('trust_unwritable', `the environment cannot be printed: ${faultReason(error)}`));
  });
  process.stdout.write(text);
  return promise;
}

function placesOf(port: number, { relaySocket }: AgentOptions): string {
  const places = port === 0 ? [] : [`127.0.0.1:${port}`];
  return [...places, ...(relaySocket === undefined ? [] : [relaySocket])].join(' and ');
}

/** Hardens this process as for a session, and tells what holds; 77 where a token would not be read. */
function printOwnPosture(): number {
  scrubEnvironment(process.env);
  using hardening = harden({ environment: process.env });
  process.stderr.write(`${JSON.stringify(hardening.posture, undefined, 2)}\n`);
  requireHardened(hardening);
  return 0;
}

async function agent({ options: values }: Input<typeof agentDefinition>): Promise<number> {
  const options = await readAgentOptions(values, process.env);
  if (options.gatewayUrl === undefined && values.posture) return printOwnPosture();
  if (options.gatewayUrl === undefined) throw new ProxyError('usage', 'name the gateway: --gateway URL');
  outliveStandardError();
  if (options.tokenFd !== undefined) closeOnExec(options.tokenFd);
  using shutdown = listenForShutdown();
  await using files = new AsyncDisposableStack();
  const { 'env-file': place } = values;
  const file = place === undefined ? undefined : files.use(await openEnvironmentFile(place));
  using stack = new DisposableStack();
  // A folder that was named is the user's, with all that is in it.
  if (values.state === undefined || changesContainer(options))
    stack.use(cleanUpAfterKill(ownCommand(), workloadEnvironment(process.env)));
  await using proxy = await initUpstreamProxy({
    ...initOptions(options),
    ...(values.state === undefined ? {} : { stateDirectory: resolve(values.state) }),
    onFailure: options.onFailure === 'exit' ? 'throw' : 'continue',
    signal: shutdown.signal,
  });
  tuneEngine();
  const chosen = proxy.enabled ? without(proxy.env, values.without ?? []) : proxy.env;
  const text = formatEnvironment({ ...chosen, ...displacedNames(proxy.displaced) }, values.format);
  const unprinted = file === undefined ? print(text) : undefined;
  await file?.write(text);
  if (values.posture) process.stderr.write(`${JSON.stringify(proxy.posture, undefined, 2)}\n`);
  if (!proxy.enabled) {
    // Who waits for the file goes on without the proxy.
    files.move();
    return 0;
  }
  if (!options.quiet) process.stderr.write(displacedNote(proxy.displaced) + captureNote(proxy));
  if (!options.quiet)
    process.stderr.write(`upstreamproxy: relay on ${placesOf(proxy.port, options)}, ends on SIGTERM\n`);
  // A session that the gateway ended for good leaves nothing to serve.
  const ended = await Promise.race([
    shutdown.requested,
    proxy.ended,
    ...(unprinted === undefined ? [] : [unprinted]),
  ]);
  await files.disposeAsync();
  await proxy.close({ drainMs: defaultLimits.drainTimeoutMs });
  if (ended !== undefined) throw ended;
  return 0;
}

export const agentCommand = commandOf(agentDefinition, agent);
