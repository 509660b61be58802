// `upstreamproxy agent`: the agent alone, for a container whose commands are started by somebody else.

import { closeOnExec } from '../../agent/kernel/close-on-exec.ts';
import { scrubEnvironment } from '../../agent/hardening/environment-scrub.ts';
import { harden, requireHardened } from '../../agent/hardening/posture.ts';
import { initUpstreamProxy } from '../../agent/init.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProxyError } from '../../protocol/error.ts';
import {
  agentOptionTable,
  agentOptionUsage,
  changesContainer,
  initOptions,
  ownCommand,
  readAgentOptions,
  type AgentOptions,
} from './agent-options.ts';
import { captureNote } from './capture-note.ts';
import { cleanUpAfterKill } from './cleanup-after-kill.ts';
import { choiceOption, parseOptions, type Command } from '../terminal/command.ts';
import { displacedNames, displacedNote } from './displaced-note.ts';
import { without } from './env.ts';
import { openEnvironmentFile } from './environment-file.ts';
import { environmentFormats, formatEnvironment } from './environment-format.ts';
import { countBuffersInHeapLimit } from '../terminal/heap-setting.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

const usage = `upstreamproxy agent --gateway URL --token-file FILE [options]

Brings a session up, prints the environment for the commands of this container, and serves until SIGTERM.

${agentOptionUsage}  --format FORM         sh (default), fish, json, dotenv, docker or github; see \`upstreamproxy help env\`
  --without NAME        leaves this variable out; may be given several times
  --env-file FILE       writes the environment there, once the relay serves, instead of printing it; removed before that
                        and at the end
  --state DIR           folder for the CA bundle and other trust files; default: a temporary one
  --posture             prints on stderr what could be hardened; without --gateway that is all it does
`;

/**
 * Prints it, and gives what keeps it from being printed, if that comes. A reader that went away may know what it needs, as by
 * --relay-port and --state, so that is no fault.
 */
function print(text: string): Promise<ProxyError> {
  const { promise, resolve } = Promise.withResolvers<ProxyError>();
  // In the place of what all commands do, which is to end at once: here is a session to be taken away.
  process.stdout.removeAllListeners('error').on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE')
      resolve(new ProxyError('trust_unwritable', `the environment cannot be printed (${code})`));
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

async function agent(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('agent', args, {
    ...agentOptionTable,
    format: { type: 'string' },
    without: { type: 'string', multiple: true },
    'env-file': { type: 'string' },
    state: { type: 'string' },
    posture: { type: 'boolean' },
  });
  if (positionals.length > 0) {
    throw new ProxyError('usage', `"${positionals[0]}" is not an option; see: upstreamproxy help agent`);
  }
  const format = choiceOption('format', values.format, environmentFormats);
  const options = await readAgentOptions(values, process.env);
  if (options.gatewayUrl === undefined && values.posture === true) return printOwnPosture();
  if (options.gatewayUrl === undefined) throw new ProxyError('usage', 'name the gateway: --gateway URL');
  outliveStandardError();
  if (options.tokenFd !== undefined) closeOnExec(options.tokenFd);
  using shutdown = listenForShutdown();
  await using files = new AsyncDisposableStack();
  const { 'env-file': place } = values;
  const file = place === undefined ? undefined : files.use(await openEnvironmentFile(place));
  using stack = new DisposableStack();
  if (changesContainer(options)) stack.use(cleanUpAfterKill(ownCommand(), workloadEnvironment(process.env)));
  await using proxy = await initUpstreamProxy({
    ...initOptions(options),
    ...(values.state === undefined ? {} : { stateDirectory: values.state }),
    onFailure: options.onFailure === 'exit' ? 'throw' : 'continue',
    signal: shutdown.signal,
  });
  countBuffersInHeapLimit();
  const chosen = proxy.enabled ? without(proxy.env, values.without ?? []) : proxy.env;
  const text = formatEnvironment({ ...chosen, ...displacedNames(proxy.displaced) }, format);
  const unprinted = file === undefined ? print(text) : undefined;
  await file?.write(text);
  if (values.posture === true) process.stderr.write(`${JSON.stringify(proxy.posture, undefined, 2)}\n`);
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

export const agentCommand: Command = { usage, run: agent };
