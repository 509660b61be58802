// The policy that commands check, explain and replay: of files, or of a configuration.

import { type GatewayConfig, loadGatewayConfig } from '../../gateway/config/config.ts';
import { hostDiscovery } from '../../gateway/policies/discover-hosts.ts';
import { policyNames } from '../../gateway/policies/open-policies.ts';
import { PolicySource } from '../../gateway/policies/policy-source.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import { type CheckProblem, policyWarnings } from '../gateway/policy-warnings.ts';

export interface OpenedPolicy {
  readonly policy: CompiledPolicy;
  readonly warnings: readonly CheckProblem[];
}

/** The policy of the files, or of the configuration. Throws `config_invalid` with every problem. */
export async function openPolicy(
  files: readonly string[],
  configFile: string | undefined,
): Promise<OpenedPolicy> {
  return await openFiles(files, configFile === undefined ? undefined : await loadGatewayConfig(configFile));
}

/** The same of a configuration that is loaded. */
export async function openFiles(
  files: readonly string[],
  config: GatewayConfig | undefined,
): Promise<OpenedPolicy> {
  const paths = files.length > 0 ? files : (config?.policy.paths ?? []);
  if (paths.length === 0)
    throw new ProxyError(
      'usage',
      config?.policy.mode === 'store'
        ? 'which policy? that of the configuration is in its store: policy show > policy.yaml, and name that file'
        : 'which policy? name a file or folder, a --config that has one, or a gateway elsewhere by --server or --context',
    );
  const names = config === undefined ? { discover: hostDiscovery() } : policyNames(config);
  await using source = await PolicySource.open(paths, { ...names, pollIntervalMs: 0 });
  const policy = source.current;
  if (!(policy instanceof CompiledPolicy))
    throw new ProxyError('internal', 'a policy of files is a compiled one');
  return {
    policy,
    warnings: policyWarnings(source, { nowMs: Date.now(), names: config?.certificateAuthority.names }),
  };
}
