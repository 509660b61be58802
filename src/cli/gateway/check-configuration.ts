// What `gateway --check` finds: whatever would keep the gateway from serving with these files here and now, each at its place.

import { type GatewayConfig, loadWithPlaces } from '../../gateway/config/config.ts';
import { peerHostOf } from '../../gateway/config/peers-settings.ts';
import { policyNames } from '../../gateway/policies/open-policies.ts';
import { PolicySource } from '../../gateway/policies/policy-source.ts';
import { InvalidFilesError, type PolicyProblem, sortProblems } from '../../policy/problem.ts';
import { asProxyError } from '../../protocol/error.ts';
import { certificateFindings } from './certificate-findings.ts';
import { configurationWarnings } from './configuration-warnings.ts';
import { type Finding, placeFindings } from './place-findings.ts';
import { type CheckProblem, policyWarnings, problemsOf } from './policy-warnings.ts';
import { secretFindings } from './secret-findings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Gives the warnings. Throws `config_invalid` with every error. Nothing is started, made, or asked of another machine. */
export async function checkConfiguration(
  file: string,
  environment: Environment,
): Promise<readonly CheckProblem[]> {
  const { config, locate } = await loadWithPlaces(file);
  const findings: readonly Finding[] = [
    ...(await certificateFindings(config, Date.now())),
    ...(await secretFindings(config, environment)),
    ...(await placeFindings(config)),
    ...peerFindings(config, environment),
  ];
  const problems = [
    ...findings.map(({ at, message, severity = 'error' }) => {
      const { line, column } = locate(at);
      return { file, line, column, message, severity };
    }),
    ...(await policyProblems(config)),
  ];
  const placed = problems.filter(
    (one): one is PolicyProblem => one.line !== undefined && one.column !== undefined,
  );
  if (placed.some(({ severity }) => severity === 'error')) throw new InvalidFilesError(sortProblems(placed));
  const warnings = configurationWarnings(config).map((message) => ({
    severity: 'warning' as const,
    message,
  }));
  return [...warnings, ...problems];
}

/** Whether this gateway knows by what others reach it. */
function peerFindings({ peers }: GatewayConfig, environment: Environment): readonly Finding[] {
  if (peers === undefined) return [];
  try {
    peerHostOf(peers, environment);
    return [];
  } catch (error) {
    return [{ at: ['peers', 'host'], message: asProxyError(error).message }];
  }
}

/** All that is wrong, not the first of it. Throws what is no fault of the files. */
async function policyProblems(config: GatewayConfig): Promise<readonly CheckProblem[]> {
  if (config.policy.mode !== 'files') return [];
  try {
    const options = { ...policyNames(config), pollIntervalMs: 0 };
    await using source = await PolicySource.open(config.policy.paths, options);
    return policyWarnings(source, { nowMs: Date.now(), names: config.certificateAuthority.names });
  } catch (error) {
    return problemsOf(error);
  }
}
