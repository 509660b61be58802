// `upstreamproxy run`: a command behind the proxy, with a gateway of its own where none is named.

import { resolve } from 'node:path';

import type { JailReport } from '../../agent/jail/jail-plan.ts';
import type { HelperAhead } from '../../agent/jail/helper-process.ts';
import type { Jail } from '../../agent/jail/jail-process.ts';
import { type HomeSecrets, noSecrets } from '../../agent/home-secrets/home-secrets.ts';
import { closeOnExec } from '../../agent/kernel/close-on-exec.ts';
import { StoreCovers } from '../../agent/trust/store-covers.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { type AgentOptions, readAgentOptions } from '../agent/agent-options.ts';
import { runDefinition } from '../commands/run-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { isSingleFile } from '../terminal/argument-marks.ts';
import { withoutProxyVariables } from './capture-only.ts';
import { type Command, commandOf } from '../terminal/command.ts';
import { displacedNames } from '../agent/displaced-note.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import { openJailFor, openWithoutNetwork, type JailOptions, readJailOptions } from './jail-options.ts';
import type { EmbeddedGateway } from './embedded-gateway.ts';
import { beginOwnGateway } from './own-gateway.ts';
import {
  beginConsole,
  type ConsoleChoice,
  linkNote,
  openInBrowser,
  readConsoleChoice,
  type RunConsole,
} from './run-console.ts';
import { RunEnding } from './run-ending.ts';
import { recordOfGateway, writeRunRecord } from './run-record.ts';
import type { RunSession } from './run-session.ts';
import type { ReplacedVariables } from './run-variables.ts';
import type { SecretSources } from '../gateway/gateway-protection.ts';
import { stateHome } from './state-directory.ts';
import {
  emptyPlaces,
  findRunSecrets,
  hiddenNote,
  noSources,
  passedEnvironment,
  readableSources,
  readNames,
  withoutSources,
} from './run-secrets.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { exitAs, runWorkload, type WorkloadEnd } from './workload.ts';
import { type Environment, workloadEnvironment } from '../terminal/workload-environment.ts';

/** What its audit says, once it is complete. */
async function ownSummary(gateway: EmbeddedGateway, withinMs: number): Promise<string> {
  const { runSummary } = await import('./run-summary.ts');
  return await runSummary(gateway, withinMs);
}

/** The same of a run whose gateway is another: it tells what it counted. */
async function toldSummary(
  { proxy }: RunSession,
  { options: { gatewayUrl, quiet }, state }: Pick<RunRequest, 'options' | 'state'>,
): Promise<string> {
  if (gatewayUrl === undefined) return '';
  const { gatewaySummary } = await import('./gateway-summary.ts');
  return await gatewaySummary({ refusals: () => proxy.refusals() }, { gatewayUrl, quiet, state });
}

function isCaptured({ proxy }: RunSession): boolean {
  return proxy.loopbackCapture !== undefined;
}

/** What the command line asks for, checked. */
interface RunRequest {
  readonly command: readonly [string, ...string[]];
  readonly options: AgentOptions;
  readonly jailOptions: JailOptions & { readonly relayPort: number; readonly ahead: HelperAhead | undefined };
  readonly policies: readonly string[];
  readonly config: string | undefined;
  readonly observe: boolean;
  readonly followsPolicy: boolean;
  /** Where the folder of a gateway of its own is made. */
  readonly home: string;
  /** The folder of `job end`, where one is named. */
  readonly state: string | undefined;
  readonly posture: boolean;
  readonly secrets: HomeSecrets;
  /** What the embedded gateway may do with them. */
  readonly homeUse: 'read' | 'write';
  readonly console: ConsoleChoice | undefined;
  /** What the command has in place of secrets of the environment. */
  readonly variables: ReplacedVariables | undefined;
  /** The variables that pass, where they are named. */
  readonly passEnv: readonly string[] | undefined;
}

type RunInput = Input<typeof runDefinition>;

async function readRequest(
  { options: values, command }: RunInput,
  ahead: HelperAhead | undefined,
): Promise<RunRequest> {
  const options = await readAgentOptions(values, process.env);
  const policies = values.policy ?? [];
  const { observe } = values;
  if (options.gatewayUrl !== undefined && (policies.length > 0 || values.config !== undefined || observe)) {
    throw new ProxyError(
      'usage',
      '--policy, --config and --observe are for a gateway of its own; with --gateway the policy is there',
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
  await tryPolicy({ policies, config: values.config, observe });
  const jail = readJailOptions(values);
  const use = values['home-credentials'];
  const state = values.state === undefined ? undefined : resolve(values.state);
  const home = state ?? stateHome(process.env);
  const hasOwnGateway = options.gatewayUrl === undefined;
  const hidden = hasOwnGateway ? home : state;
  const secrets = secretsOf(jail, hidden, hasOwnGateway && use !== 'off');
  const plan = { ...jail.plan, hides: secrets.covers };
  const variables = await variablesOf(values, hasOwnGateway);
  return {
    command,
    options,
    jailOptions: { ...jail, plan, relayPort: options.relayPort, ahead },
    policies,
    config: values.config,
    observe,
    followsPolicy: values['follow-policy'],
    home,
    state,
    posture: values.posture,
    secrets,
    homeUse: use === 'write' ? 'write' : 'read',
    variables,
    console: readConsoleChoice(values, {
      hasOwnGateway: options.gatewayUrl === undefined,
      isJailed: jail.isolate !== 'off',
    }),
    passEnv: readNames(values['pass-env']),
  };
}

/** Who puts them on is a gateway of its own. @throws ProxyError usage */
async function variablesOf(
  values: RunInput['options'],
  hasOwnGateway: boolean,
): Promise<ReplacedVariables | undefined> {
  const [named, keep] = [values.secret ?? [], values['keep-env'] ?? []];
  if (hasOwnGateway) {
    const { replaceVariables } = await import('./run-variables.ts');
    return replaceVariables(workloadEnvironment(process.env), { named, keep });
  }
  if (named.length > 0 || keep.length > 0)
    throw new ProxyError(
      'usage',
      '--secret and --keep-env are for a gateway of its own; with --gateway the credentials are there',
    );
  return undefined;
}

/** It decides nothing, but what it would have decided is told at the end. Throws what is wrong with it. */
async function tryPolicy({
  policies,
  config,
  observe,
}: Pick<RunRequest, 'policies' | 'config' | 'observe'>): Promise<void> {
  if (!observe || policies.length === 0) return;
  const { openPolicy } = await import('../policy/open-policy.ts');
  await openPolicy(policies, config);
}

function sayWithoutProxy({ message, code }: ProxyError, jail: Jail | undefined): void {
  // Its network has no way out but the relay that is not there.
  const what = jail?.listen === undefined ? 'the proxy' : 'the proxy, and so without a network';
  process.stderr.write(`upstreamproxy: running without ${what}: ${message} [${code}]\n`);
}

/** `hidden`: a folder that the command must not see. */
function secretsOf(
  { isolate, plan, fsRead }: JailOptions,
  hidden: string | undefined,
  replaces: boolean,
): HomeSecrets {
  if (isolate === 'off' || !plan.layers.includes('files')) return noSecrets;
  const environment = workloadEnvironment(process.env);
  const { identity } = plan;
  const state = hidden === undefined ? {} : { state: hidden };
  return findRunSecrets({ environment, fsRead, identity, replaces, ...state });
}

async function runBehindProxy(request: RunRequest, interruption: Interruption): Promise<WorkloadEnd> {
  const { command, options, jailOptions, policies, config, secrets, homeUse } = request;
  await using stack = new AsyncDisposableStack();
  const ui = await beginConsole(request.console, jailOptions.allowLocal);
  // First of all, for what the agent does to its own limits must not be inherited; and it enters while the session opens.
  const stores = options.systemStore ? undefined : new StoreCovers();
  const jail = openJailFor({ ...jailOptions, stores }, options.quiet);
  jail.catch(() => {});
  stack.defer(async () => await (await jail.catch(() => undefined))?.close());
  const credentials = [...secrets.credentials, ...(request.variables?.credentials ?? [])];
  const homes = credentials.length === 0 ? undefined : { credentials, use: homeUse };
  const { home, followsPolicy, observe } = request;
  const decides = { policies: observe ? [] : policies, config, observe, followsPolicy };
  const own = { home, ...decides, homes, console: ui };
  const gateway =
    options.gatewayUrl === undefined
      ? stack.use(beginOwnGateway(options, own, interruption.signal))
      : undefined;
  let session: RunSession;
  try {
    // Our half of the program is loaded while helper and gateway load their own.
    const { openRunSession } = await import('./run-session.ts');
    const { allowLocal } = jailOptions;
    session = await openRunSession(options, gateway, { opening: jail, allowLocal }, interruption.signal);
  } catch (error) {
    if (interruption.by !== undefined) return { signal: interruption.by };
    // A jail that was required and is refused ends it all the same.
    const opened = await jail;
    if (options.onFailure === 'exit') throw error;
    const plain = await openWithoutNetwork(opened, { ...jailOptions, stores });
    stack.defer(async () => await plain?.close());
    sayWithoutProxy(asProxyError(error), plain);
    const environment = commandEnvironment(request, await configuredSources(config), plain?.report);
    const asOutside = stores?.contents(plain?.report.covered ?? [], undefined);
    return await interruption.leaveTo(() => runWorkload(command, environment, plain, { covers: asOutside }));
  }
  stack.use(session);
  await keepRecord(session, request);
  if (interruption.by !== undefined) return { signal: interruption.by };
  const opened = await jail;
  if (jailOptions.captureOnly && opened?.listen === undefined && !isCaptured(session))
    throw new ProxyError(
      'jail_refused',
      'nothing is captured, and --capture-only leaves the command no other way',
    );
  if (opened !== undefined && !options.quiet) process.stderr.write(hiddenNote(secrets, opened.report));
  const environment = commandEnvironment(request, session.embedded?.sources ?? noSources, opened?.report);
  await tellConsole(session, ui, opened);
  if (request.posture) process.stderr.write(`${JSON.stringify(session.proxy.posture, undefined, 2)}\n`);
  const proxied = { ...environment, ...session.proxy.env, ...displacedNames(session.proxy.displaced) };
  const env = jailOptions.captureOnly ? withoutProxyVariables(proxied, session.proxy.port) : proxied;
  const covers = stores?.contents(opened?.report.covered ?? [], session.proxy.files?.ownCa);
  const ending = new RunEnding();
  const running = interruption.leaveTo(() =>
    runWorkload(command, env, opened, { covers, onEnd: ending.begin }),
  );
  // Beside the command, which does not wait for it.
  const { tuneEngine } = await import('../terminal/heap-setting.ts');
  tuneEngine();
  const end = await running;
  await endRun(session, request, ending);
  return end;
}

/** For `job end`, before the command starts. Throws what keeps it from being written. */
async function keepRecord(
  { embedded }: RunSession,
  { state, options: { gatewayUrl }, policies, config }: RunRequest,
): Promise<void> {
  if (state === undefined) return;
  if (gatewayUrl !== undefined) return await writeRunRecord(state, recordOfGateway(gatewayUrl));
  await writeRunRecord(state, {
    form: embedded?.policy ?? 'none',
    policies: policies.map((path) => resolve(path)),
    config: config === undefined ? undefined : resolve(config),
    auditFile: embedded?.auditFile,
    gatewayUrl: undefined,
  });
}

/** Before the command starts, so that it is nobody's word. */
async function tellConsole(
  { embedded }: RunSession,
  ui: RunConsole | undefined,
  jail: Jail | undefined,
): Promise<void> {
  const link = embedded?.consoleLink;
  if (embedded === undefined || link === undefined || ui === undefined) return;
  process.stderr.write(linkNote(link, jail?.report));
  if (!ui.opens) return;
  const wish = { link, beside: embedded.tokenFile, report: jail?.report };
  process.stderr.write(await openInBrowser(ui.opener, wish));
}

async function endRun(
  session: RunSession,
  request: Pick<RunRequest, 'options' | 'state'>,
  ending: RunEnding,
): Promise<void> {
  const { proxy, embedded } = session;
  const told = await ending.end({
    // While there is a tunnel, and told when the command's children are done too.
    ask: async () => await toldSummary(session, request),
    closeProxy: (options) => proxy.close(options),
    closeGateway: embedded === undefined ? undefined : (withinMs) => embedded.close(withinMs),
    giveBack: async () => await session[Symbol.asyncDispose](),
    summary:
      embedded === undefined || request.options.quiet
        ? undefined
        : (withinMs) => ownSummary(embedded, withinMs),
  });
  process.stderr.write(told);
}

/** What the configuration of a gateway that did not start names. Throws what is wrong with it. */
async function configuredSources(config: string | undefined): Promise<SecretSources> {
  if (config === undefined) return noSources;
  const { loadGatewayConfig } = await import('../../gateway/config/config.ts');
  const { secretParts, secretSources } = await import('../gateway/gateway-protection.ts');
  return secretSources(secretParts(await loadGatewayConfig(config)));
}

/**
 * The caller's environment as far as it passes. What the configuration names as the place of a secret does not reach the command.
 * Throws jail_refused.
 */
function commandEnvironment(
  { jailOptions, passEnv, options, secrets, variables }: RunRequest,
  sources: SecretSources,
  report: JailReport | undefined,
): Environment {
  const { isolate, plan } = jailOptions;
  const readable = readableSources(sources, plan.identity, emptyPlaces(secrets, report));
  if (readable.length > 0) {
    const text = `the command can read what the configuration names as the place of a secret: ${readable.join(', ')}`;
    if (isolate === 'require') throw new ProxyError('jail_refused', text);
    process.stderr.write(
      `upstreamproxy: ${text}; run it as another user (--user), or keep the file elsewhere\n`,
    );
  }
  const own = withoutSources(workloadEnvironment(process.env), sources);
  const { environment, warning } = passedEnvironment(own, passEnv, variables?.values);
  if (!options.quiet) process.stderr.write(`${variables?.note ?? ''}${warning}`);
  return environment;
}

async function run(input: RunInput, ahead: HelperAhead | undefined): Promise<number> {
  const request = await readRequest(input, ahead);
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

/** `ahead`: a helper that was started while this was loaded. It ends with the command, whatever is wrong with the arguments. */
export function runCommand(ahead?: HelperAhead): Command {
  const command = commandOf(runDefinition, (input) => run(input, ahead));
  return {
    ...command,
    run: async (args) => {
      using _ = ahead;
      return await command.run(args);
    },
  };
}
