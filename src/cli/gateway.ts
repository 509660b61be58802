// `upstreamproxy gateway`: the gateway, outside the container, until SIGTERM.

import { loadGatewayConfig } from '../gateway/config.ts';
import { startGateway } from '../gateway/gateway.ts';
import { ProxyError } from '../protocol/error.ts';
import { parseOptions, type Command } from './command.ts';
import { gatewayLog } from './gateway-log.ts';
import { forgetSecrets, protectProcess } from './gateway-protection.ts';
import { listenForShutdown } from './shutdown-signal.ts';
import { workloadEnvironment } from './workload-environment.ts';

const usage = `upstreamproxy gateway --config FILE [--check]

Serves agents on one TLS port until SIGTERM, which drains. SIGUSR2 takes the policy files again, which are also
looked at by themselves, and the certificates that rules pin.

  -c, --config FILE     configuration in YAML; see docs/reference/configuration.md
  --check               checks the configuration and its policy, and ends
`;

async function gateway(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('gateway', args, {
    config: { type: 'string', short: 'c' },
    check: { type: 'boolean' },
  });
  if (values.config === undefined || positionals.length > 0) {
    throw new ProxyError('usage', 'name the configuration: upstreamproxy gateway --config FILE');
  }
  const config = await loadGatewayConfig(values.config);
  if (values.check === true) {
    const { RuleTrust } = await import('../gateway/rule-trust.ts');
    await RuleTrust.open(config.trust);
    if (config.policy.mode === 'files') {
      const { PolicySource } = await import('../gateway/policy-source.ts');
      const names = { credentials: Object.keys(config.credentials), trust: Object.keys(config.trust) };
      await (await PolicySource.open(config.policy.paths, { ...names, pollIntervalMs: 0 })).close();
    }
    process.stdout.write(`${values.config} is good\n`);
    return 0;
  }
  using shutdown = listenForShutdown();
  const log = gatewayLog(config.log);
  protectProcess((message) => log('warn', message));
  // Credentials of source `env` are what the operator set, the launcher's cleaning aside.
  await using running = await startGateway(config, { environment: workloadEnvironment(process.env), log });
  forgetSecrets(process.env, [config.credentials, config.upstream.proxy]);
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
