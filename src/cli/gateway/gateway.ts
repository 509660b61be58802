// `upstreamproxy gateway`: the gateway, outside the container, until SIGTERM.

import { accessSync, constants } from 'node:fs';

import { type Identity, parseIdentity } from '../../agent/jail/identity.ts';
import { type GatewayConfig, loadGatewayConfig } from '../../gateway/config/config.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { gatewayDefinition } from '../commands/gateway-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import type { ListeningSockets } from '../../gateway/listening-sockets.ts';
import { tellDone } from '../terminal/notes.ts';
import { commandOf } from '../terminal/command.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { activatedSockets } from './activated-sockets.ts';
import { type DrainPlace, type DrainSocket, listenForDrain, requestDrain } from './drain-socket.ts';
import { dropPrivileges, requireDroppable } from './drop-privileges.ts';
import { giveFiles, takeFiles } from './give-files.ts';
import { type GatewayLog, gatewayLog } from './gateway-log.ts';
import { forgetSecrets, openEnvironmentWarning, protectProcess, secretParts } from './gateway-protection.ts';
import { launchSigner } from './launch-signer.ts';
import { launchWorker } from './launch-worker.ts';
import { workerCount } from './worker-count.ts';
import { tuneEngine } from '../terminal/heap-setting.ts';
import { configurationWarnings } from './configuration-warnings.ts';
import type { CheckProblem } from './policy-warnings.ts';
import { openService } from './service.ts';
import { listenForReload } from '../terminal/reload-signal.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** In one step: nothing is served between the opening of the port and the change of user. */
function becomeUser(config: GatewayConfig, identity: Identity, made: readonly string[]): void {
  giveFiles(config, identity, made);
  dropPrivileges(identity);
  for (const path of config.policy.paths) {
    try {
      accessSync(path, constants.R_OK);
    } catch (error) {
      // A policy that is tightened later would not be seen.
      const message = `${path} cannot be read by the user of --user, so changes of it would not be seen`;
      throw new ProxyError('config_invalid', message, { cause: error });
    }
  }
}

/** Behind its drain a gateway writes its audit and closes its store. */
const endingMs = 15_000;
const never = new Promise<never>(() => undefined);

type GatewayInput = Input<typeof gatewayDefinition>;

async function check(file: string, json: boolean): Promise<number> {
  const { checkConfiguration } = await import('./check-configuration.ts');
  const { problemsOf, problemText } = await import('./policy-warnings.ts');
  let problems: readonly CheckProblem[];
  try {
    problems = await checkConfiguration(file, workloadEnvironment(process.env));
  } catch (error) {
    if (!json) throw error;
    process.stdout.write(jsonLine({ file, ok: false, problems: problemsOf(error) }));
    return errorTable.config_invalid.exit;
  }
  if (json) process.stdout.write(jsonLine({ file, ok: true, problems }));
  else process.stdout.write(`${[...problems.map(problemText), `${file} is good`].join('\n')}\n`);
  return 0;
}

/** A gateway that runs, in this process or in several. */
interface Running {
  readonly url: string;
  readonly reload: () => Promise<void>;
  readonly close: (options: { readonly drainMs: number }) => Promise<void>;
  /** Rejects if it ends by itself. */
  readonly failed: Promise<never>;
}

interface Start {
  readonly config: GatewayConfig;
  readonly log: GatewayLog;
  readonly workers: number;
  readonly sockets: ListeningSockets;
  /** Takes the secrets out of this process's environment. */
  readonly forget: () => void;
  /** Becomes the user of --user. */
  readonly drop: () => void;
  /** Of a signal to the process: nothing is waited for any more. */
  readonly signal: AbortSignal;
}

async function startOne({ config, log, sockets, forget, drop, signal }: Start): Promise<Running> {
  // Each form is loaded when it is used: a supervisor serves nobody.
  const { startGateway } = await import('../../gateway/gateway.ts');
  // Credentials of source `env` are what the operator set, the launcher's cleaning aside.
  const environment = workloadEnvironment(process.env);
  const running = await startGateway(config, { environment, log, sockets, signal, launchSigner });
  tuneEngine();
  forget();
  try {
    drop();
  } catch (error) {
    await running.close();
    throw error;
  }
  const reload = (): Promise<void> => running.reload();
  const failed = new Promise<never>(() => undefined);
  return { url: running.url, reload, close: (options) => running.close(options), failed };
}

/** All that the workers read, they read as the user of --user: what is to be root's alone is for a gateway of one process. */
async function startSeveral(start: Start): Promise<Running> {
  const { config, log, workers, sockets, forget, drop, signal } = start;
  const { startSupervisor } = await import('../../gateway/supervisor.ts');
  const environment = workloadEnvironment(process.env);
  forget();
  return await startSupervisor(config, {
    workers,
    launch: launchWorker,
    environment,
    log,
    sockets,
    beforeWorkers: drop,
    signal,
  });
}

/** A gateway that `gateway drain` cannot reach serves all the same. */
async function openDrainSocket(place: DrainPlace, log: GatewayLog): Promise<DrainSocket | undefined> {
  try {
    return await listenForDrain(place);
  } catch (error) {
    log('warn', asProxyError(error).message);
    return undefined;
  }
}

async function drain({ config: configFile, ...options }: GatewayInput['options']): Promise<number> {
  const { stateDirectory, limits } = await loadGatewayConfig(configFile);
  await requestDrain({ stateDirectory, configFile }, limits.drainTimeoutMs + endingMs);
  tellDone(options, 'the gateway has ended\n');
  return 0;
}

/** Undefined where it was given up by the signal. */
async function unlessEnded(starting: Promise<Running>, signal: AbortSignal): Promise<Running | undefined> {
  try {
    return await starting;
  } catch (error) {
    if (signal.aborted && error instanceof Error && error.name === 'AbortError') return undefined;
    throw error;
  }
}

async function gateway({ options: values, arguments: { drain: action } }: GatewayInput): Promise<number> {
  if (action !== undefined && action !== 'drain')
    throw new ProxyError('usage', `gateway ${action}: there is only "gateway drain"`);
  if (values.check) return await check(values.config, values.json);
  if (action !== undefined) return await drain(values);
  return await serve(values);
}

async function serve(values: GatewayInput['options']): Promise<number> {
  const config = await loadGatewayConfig(values.config);
  const workers = workerCount(config, values.workers);
  const identity = values.user === undefined ? undefined : parseIdentity(values.user);
  if (identity !== undefined) requireDroppable(identity);
  outliveStandardError();
  const log = gatewayLog(config.log);
  const warn = (message: string): void => log('warn', message);
  using service = openService(process.env, warn);
  using shutdown = listenForShutdown({ hangUpEnds: !service.isManaged });
  using reloads = listenForReload(service.isManaged ? ['SIGUSR2', 'SIGHUP'] : ['SIGUSR2']);
  const sockets = activatedSockets(service.sockets, config, workers);
  for (const warning of configurationWarnings(config)) warn(warning);
  const { forget, drop } = protect(config, identity, warn);
  const start = workers === 1 ? startOne : startSeveral;
  const { signal } = shutdown;
  const running = await unlessEnded(start({ config, log, workers, sockets, forget, drop, signal }), signal);
  if (running === undefined) return 0;
  reloads.heed(() => service.reloading(running.reload));
  const place = { stateDirectory: config.stateDirectory, configFile: values.config };
  await using socket = await openDrainSocket(place, log);
  const listening = `listening on ${running.url}`;
  log('info', listening);
  await service.ready(listening);
  const { drainTimeoutMs: drainMs } = config.limits;
  const end = async (): Promise<void> => {
    const draining = `draining for up to ${drainMs} ms`;
    log('info', draining);
    await service.stopping(draining, drainMs + endingMs);
    await running.close({ drainMs });
    socket?.tellEnded();
  };
  try {
    await Promise.race([shutdown.requested, socket?.requested ?? never, running.failed]);
  } finally {
    await end();
  }
  return 0;
}

/** Closes this process, and gives what it does once files and ports are open. */
function protect(
  config: GatewayConfig,
  identity: Identity | undefined,
  warn: (message: string) => void,
): Pick<Start, 'forget' | 'drop'> {
  const wasClosed = protectProcess(warn);
  const secrets = [...secretParts(config), config.identity];
  const open = wasClosed ? undefined : openEnvironmentWarning(secrets);
  if (open !== undefined) warn(open);
  const made = identity === undefined ? [] : takeFiles(config);
  return {
    forget: () => forgetSecrets(process.env, secrets),
    drop: () => {
      if (identity === undefined) return;
      becomeUser(config, identity, made);
      // The change of user is one of the things that make a process dumpable again (`man 2 prctl`).
      protectProcess(warn);
    },
  };
}

export const gatewayCommand = commandOf(gatewayDefinition, gateway);
