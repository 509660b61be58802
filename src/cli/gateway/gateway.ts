// `upstreamproxy gateway`: the gateway, outside the container, until SIGTERM.

import { accessSync, constants } from 'node:fs';

import { type Identity, parseIdentity } from '../../agent/jail/identity.ts';
import { type GatewayConfig, loadGatewayConfig } from '../../gateway/config/config.ts';
import { startGateway } from '../../gateway/gateway.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { gatewayDefinition } from '../commands/gateway-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { dropPrivileges, requireDroppable } from './drop-privileges.ts';
import { giveFiles, takeFiles } from './give-files.ts';
import { gatewayLog } from './gateway-log.ts';
import { forgetSecrets, openEnvironmentWarning, protectProcess } from './gateway-protection.ts';
import { countBuffersInHeapLimit } from '../terminal/heap-setting.ts';
import { checkConfiguration } from './check-configuration.ts';
import { configurationWarnings } from './configuration-warnings.ts';
import { type CheckProblem, problemsOf, problemText } from './policy-warnings.ts';
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

type GatewayInput = Input<typeof gatewayDefinition>;

async function check(file: string, json: boolean): Promise<number> {
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

async function gateway({ options: values }: GatewayInput): Promise<number> {
  if (values.check) return await check(values.config, values.json);
  const config = await loadGatewayConfig(values.config);
  const identity = values.user === undefined ? undefined : parseIdentity(values.user);
  if (identity !== undefined) requireDroppable(identity);
  outliveStandardError();
  using shutdown = listenForShutdown();
  const log = gatewayLog(config.log);
  const warn = (message: string): void => log('warn', message);
  for (const warning of configurationWarnings(config)) warn(warning);
  const wasClosed = protectProcess(warn);
  const secrets = [config.credentials, config.upstream.proxy];
  const open = wasClosed ? undefined : openEnvironmentWarning(secrets);
  if (open !== undefined) warn(open);
  const made = identity === undefined ? [] : takeFiles(config);
  // Credentials of source `env` are what the operator set, the launcher's cleaning aside.
  await using running = await startGateway(config, { environment: workloadEnvironment(process.env), log });
  countBuffersInHeapLimit();
  forgetSecrets(process.env, secrets);
  if (identity !== undefined) {
    becomeUser(config, identity, made);
    // The change of user is one of the things that make a process dumpable again (`man 2 prctl`).
    protectProcess(warn);
  }
  const reload = (): void => void running.reload();
  process.on('SIGUSR2', reload);
  log('info', `listening on ${running.url}`);
  await shutdown.requested;
  log('info', `draining for up to ${config.limits.drainTimeoutMs} ms`);
  await running.close({ drainMs: config.limits.drainTimeoutMs });
  process.off('SIGUSR2', reload);
  return 0;
}

export const gatewayCommand = commandOf(gatewayDefinition, gateway);
