// `upstreamproxy gateway`: the gateway, outside the container, until SIGTERM.

import { accessSync, constants } from 'node:fs';

import { type Identity, parseIdentity } from '../../agent/jail/identity.ts';
import { type GatewayConfig, loadGatewayConfig } from '../../gateway/config/config.ts';
import { startGateway } from '../../gateway/gateway.ts';
import { openIdentity } from '../../gateway/gateway-identity.ts';
import { policyNames } from '../../gateway/policies/open-policies.ts';
import { PolicySource } from '../../gateway/policies/policy-source.ts';
import { RuleTrust } from '../../gateway/forward/rule-trust.ts';
import { ProxyError } from '../../protocol/error.ts';
import { parseOptions, type Command } from '../terminal/command.ts';
import { dropPrivileges, requireDroppable } from './drop-privileges.ts';
import { giveFiles, takeFiles } from './give-files.ts';
import { gatewayLog } from './gateway-log.ts';
import { forgetSecrets, protectProcess } from './gateway-protection.ts';
import { countBuffersInHeapLimit } from '../terminal/heap-setting.ts';
import { configurationWarnings } from './configuration-warnings.ts';
import { policyWarnings } from './policy-warnings.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

const usage = `upstreamproxy gateway --config FILE [--check] [--user USER[:GROUP]]

Serves agents on one TLS port until SIGTERM, which drains. SIGUSR2 takes the policy files again, which are also
looked at by themselves, and the certificates that rules pin.

  -c, --config FILE     configuration in YAML; see docs/reference/configuration.md
  --user USER[:GROUP]   becomes that user, by name or number, once ports and files are open; the state folder is
                        given to it. For a gateway that is started by root
  --check               checks the configuration with the files that it names, prints the warnings of its policy, and ends
`;

/** In one step: nothing is served between the opening of the port and the change of user. */
function becomeUser(config: GatewayConfig, identity: Identity): void {
  giveFiles(config, identity);
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

/** Gives the warnings. Throws `config_invalid` for what would keep the gateway from starting with these files. */
async function checkConfiguration(config: GatewayConfig): Promise<readonly string[]> {
  await RuleTrust.open(config.trust);
  if (config.tls !== 'self') await openIdentity(config, Date.now());
  const warnings = configurationWarnings(config).map((warning) => `warning: ${warning}`);
  if (config.policy.mode === 'observe') return warnings;
  const options = { ...policyNames(config), pollIntervalMs: 0 };
  await using source = await PolicySource.open(config.policy.paths, options);
  return [...warnings, ...policyWarnings(source, Date.now())];
}

async function gateway(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('gateway', args, {
    config: { type: 'string', short: 'c' },
    check: { type: 'boolean' },
    user: { type: 'string' },
  });
  if (values.config === undefined || positionals.length > 0) {
    throw new ProxyError('usage', 'name the configuration: upstreamproxy gateway --config FILE');
  }
  const config = await loadGatewayConfig(values.config);
  if (values.check === true) {
    for (const warning of await checkConfiguration(config)) process.stdout.write(`${warning}\n`);
    process.stdout.write(`${values.config} is good\n`);
    return 0;
  }
  const identity = values.user === undefined ? undefined : parseIdentity(values.user);
  if (identity !== undefined) requireDroppable(identity);
  outliveStandardError();
  using shutdown = listenForShutdown();
  const log = gatewayLog(config.log);
  const warn = (message: string): void => log('warn', message);
  for (const warning of configurationWarnings(config)) warn(warning);
  protectProcess(warn);
  if (identity !== undefined) takeFiles(config);
  // Credentials of source `env` are what the operator set, the launcher's cleaning aside.
  await using running = await startGateway(config, { environment: workloadEnvironment(process.env), log });
  countBuffersInHeapLimit();
  forgetSecrets(process.env, [config.credentials, config.upstream.proxy]);
  if (identity !== undefined) {
    becomeUser(config, identity);
    // The change of user is one of the things that make a process dumpable again (`man 2 prctl`).
    protectProcess(warn);
  }
  const reload = (): void => void running.reloadPolicy();
  process.on('SIGUSR2', reload);
  log('info', `listening on ${running.url}`);
  await shutdown.requested;
  log('info', `draining for up to ${config.limits.drainTimeoutMs} ms`);
  await running.close({ drainMs: config.limits.drainTimeoutMs });
  process.off('SIGUSR2', reload);
  return 0;
}

export const gatewayCommand: Command = { usage, run: gateway };
