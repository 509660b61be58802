// How a command asks the authorization server of a credential.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { LogInSettings } from '../../gateway/credentials/kept/log-in-settings.ts';
import type { LogInWay } from '../../gateway/credentials/kept/operator-log-in.ts';
import { TokenEndpoint } from '../../gateway/credentials/kept/token-endpoint.ts';
import { openCredentialSource } from '../../gateway/credentials/sources/credential-source.ts';
import { readFiles } from '../../gateway/gateway-parts.ts';
import { openOwnUpstream } from '../../gateway/open-own-upstream.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Secret } from '../../protocol/secret.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** @throws ProxyError usage */
export function settingsOf({ credentials }: GatewayConfig, name: string): LogInSettings {
  const config = credentials[name];
  if (config?.kind === 'oauth-login') return config;
  throw new ProxyError(
    'usage',
    config === undefined
      ? `the configuration has no credential ${name}`
      : `credential ${name} is of kind ${config.kind}; only those of kind oauth-login have a log-in`,
  );
}

/** How the server of a credential is asked, until the stack ends. */
export async function openWay(
  config: GatewayConfig,
  name: string,
  stack: AsyncDisposableStack,
): Promise<
  Omit<LogInWay, 'server' | 'client'> & {
    readonly ca: readonly string[];
    readonly secret: Secret<string> | undefined;
    readonly fetch: Awaited<ReturnType<typeof openOwnUpstream>>['fetch'];
  }
> {
  const settings = settingsOf(config, name);
  const environment = workloadEnvironment(process.env);
  const clock = Date.now;
  const { fetch } = await openOwnUpstream({ config, environment, clock, stack });
  return {
    settings,
    clock,
    fetch,
    endpoint: new TokenEndpoint(fetch),
    ca: await readFiles(settings.ca),
    secret: await secretOf(name, settings, environment),
  };
}

async function secretOf(
  name: string,
  { source }: LogInSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Secret<string> | undefined> {
  if (source === undefined) return undefined;
  if ('vault' in source)
    throw new ProxyError(
      'config_invalid',
      `credential ${name}: for a log-in the secret of the client comes from env, file or command`,
    );
  return await openCredentialSource(name, source, environment).read(Date.now());
}
