// `upstreamproxy run`: a command behind the proxy, with a gateway of its own where none is named.

import type { Jail } from '../../agent/jail/jail-process.ts';
import { closeOnExec } from '../../agent/kernel/close-on-exec.ts';
import { StoreCovers } from '../../agent/trust/store-covers.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { type AgentOptions, readAgentOptions } from '../agent/agent-options.ts';
import { runDefinition } from '../commands/run-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { isSingleFile } from '../terminal/argument-marks.ts';
import { withoutProxyVariables } from './capture-only.ts';
import { commandOf } from '../terminal/command.ts';
import { displacedNames } from '../agent/displaced-note.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import { openJailFor, openWithoutNetwork, type JailOptions, readJailOptions } from './jail-options.ts';
import type { RunSession } from './run-session.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { exitAs, runWorkload, type WorkloadEnd } from './workload.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** How long streams of the command's children may go on after the command ended. */
const drainMs = 1_000;

async function printContacts(auditFile: string): Promise<void> {
  const { readAuditFile } = await import('../operator/audit-file.ts');
  const { contactSummary } = await import('./contact-summary.ts');
  const events = await Array.fromAsync(readAuditFile(auditFile));
  process.stderr.write(contactSummary(events, `upstreamproxy policy learn ${auditFile} > policy.yaml`));
}

function isCaptured({ proxy }: RunSession): boolean {
  return proxy.loopbackCapture !== undefined;
}

/** What the command line asks for, checked. */
interface RunRequest {
  readonly command: readonly [string, ...string[]];
  readonly options: AgentOptions;
  readonly jailOptions: JailOptions & { readonly relayPort: number };
  readonly policies: readonly string[];
  readonly config: string | undefined;
  readonly posture: boolean;
}

type RunInput = Input<typeof runDefinition>;

async function readRequest({ options: values, command }: RunInput): Promise<RunRequest> {
  const options = await readAgentOptions(values, process.env);
  const policies = values.policy ?? [];
  if (options.gatewayUrl !== undefined && (policies.length > 0 || values.config !== undefined)) {
    throw new ProxyError(
      'usage',
      '--policy and --config are for a gateway of its own; with --gateway the policy is there',
    );
  }
  if (options.relayPort === 'off')
    throw new ProxyError('usage', 'the commands of run need the port: leave --relay-port off away');
  if (options.relaySocket !== undefined && values.user !== undefined)
    throw new ProxyError('usage', '--relay-socket is for this user, so not with --user');
  if ((options.homeFiles || options.systemStore) && values.user !== undefined)
    throw new ProxyError('usage', '--home-files and --system-store are for this user, so not with --user');
  if (options.gatewayUrl === undefined && isSingleFile())
    throw new ProxyError('usage', 'this is the agent alone: name the gateway: --gateway URL');
  const jailOptions = { ...readJailOptions(values), relayPort: options.relayPort };
  return {
    command,
    options,
    jailOptions,
    policies,
    config: values.config,
    posture: values.posture,
  };
}

function sayWithoutProxy({ message, code }: ProxyError, jail: Jail | undefined): void {
  // Its network has no way out but the relay that is not there.
  const what = jail?.listen === undefined ? 'the proxy' : 'the proxy, and so without a network';
  process.stderr.write(`upstreamproxy: running without ${what}: ${message} [${code}]\n`);
}

async function runBehindProxy(request: RunRequest, interruption: Interruption): Promise<WorkloadEnd> {
  const { command, options, jailOptions, policies, config } = request;
  const environment = workloadEnvironment(process.env);
  await using stack = new AsyncDisposableStack();
  // First of all, for what the agent does to its own limits must not be inherited; and it enters while the session opens.
  const stores = options.systemStore ? undefined : new StoreCovers();
  const jail = openJailFor({ ...jailOptions, stores }, options.quiet);
  jail.catch(() => {});
  stack.defer(async () => await (await jail.catch(() => undefined))?.close());
  let session: RunSession;
  try {
    // Our half of the program is loaded while the helper loads its own.
    const { openRunSession } = await import('./run-session.ts');
    session = await openRunSession(options, { policies, config }, jail, interruption.signal);
  } catch (error) {
    if (interruption.by !== undefined) return { signal: interruption.by };
    // A jail that was required and is refused ends it all the same.
    const opened = await jail;
    if (options.onFailure === 'exit') throw error;
    const plain = await openWithoutNetwork(opened, { ...jailOptions, stores });
    stack.defer(async () => await plain?.close());
    sayWithoutProxy(asProxyError(error), plain);
    const asOutside = stores?.contents(plain?.report.covered ?? [], undefined);
    return await interruption.leaveTo(() => runWorkload(command, environment, plain, asOutside));
  }
  stack.use(session);
  if (interruption.by !== undefined) return { signal: interruption.by };
  const opened = await jail;
  if (jailOptions.captureOnly && opened?.listen === undefined && !isCaptured(session))
    throw new ProxyError(
      'jail_refused',
      'nothing is captured, and --capture-only leaves the command no other way',
    );
  if (request.posture) process.stderr.write(`${JSON.stringify(session.proxy.posture, undefined, 2)}\n`);
  const proxied = { ...environment, ...session.proxy.env, ...displacedNames(session.proxy.displaced) };
  const env = jailOptions.captureOnly ? withoutProxyVariables(proxied, session.proxy.port) : proxied;
  const covers = stores?.contents(opened?.report.covered ?? [], session.proxy.files?.ownCa);
  const running = interruption.leaveTo(() => runWorkload(command, env, opened, covers));
  // Beside the command, which does not wait for it.
  const { countBuffersInHeapLimit } = await import('../terminal/heap-setting.ts');
  countBuffersInHeapLimit();
  const end = await running;
  await session.proxy.close({ drainMs });
  await session[Symbol.asyncDispose]();
  const observed = session.embedded !== undefined && policies.length === 0 && config === undefined;
  if (session.embedded !== undefined && observed && !options.quiet)
    await printContacts(session.embedded.auditFile);
  return end;
}

async function run(input: RunInput): Promise<number> {
  const request = await readRequest(input);
  const { tokenFd } = request.options;
  outliveStandardError();
  // The runtime does so for the first few descriptors; the helper is not protected as the agent is.
  if (tokenFd !== undefined) closeOnExec(tokenFd);
  let end: WorkloadEnd;
  {
    using interruption = listenForInterruption();
    end = await runBehindProxy(request, interruption);
  }
  return exitAs(end);
}

export const runCommand = commandOf(runDefinition, run);
