// The command lines of `upstreamproxy` that follow from the inputs.

import type { Inputs } from './inputs.ts';
import type { Places } from './places.ts';
import { required, type Variables } from './runner.ts';

function repeated(option: string, values: readonly string[]): readonly string[] {
  return values.map((value) => `${option}=${value}`);
}

function optional(option: string, value: string | undefined): readonly string[] {
  return value === undefined ? [] : [`${option}=${value}`];
}

/** Who decides. The token comes on descriptor 3. */
function deciding({ gateway, gatewayCa, policies, config }: Inputs): readonly string[] {
  if (gateway !== undefined)
    return [`--gateway=${gateway}`, ...optional('--gateway-ca', gatewayCa), '--token-fd=3'];
  return [...repeated('--policy', policies), ...optional('--config', config)];
}

/** `parent`: the process whose end is that of the job. */
export function beginArguments(inputs: Inputs, { state }: Places, parent: number): readonly string[] {
  return [
    'job',
    'begin',
    `--state=${state}`,
    '--format=github',
    // In a container the runner is another place's process, and the end of the container that of all of this.
    ...(parent > 1 ? [`--while=${parent}`] : []),
    ...(inputs.mode === 'observe' ? ['--observe'] : []),
    ...deciding(inputs),
  ];
}

/** The commands of `script`, which can write to what is `writable`. */
export function runArguments(
  inputs: Inputs,
  { state }: Places,
  { writable, script }: { readonly writable: readonly string[]; readonly script: string },
): readonly string[] {
  return [
    'run',
    `--state=${state}`,
    ...(inputs.mode === 'observe' ? ['--observe'] : []),
    ...deciding(inputs),
    `--isolate=${inputs.isolate}`,
    ...repeated('--fs-write', writable),
    // As the runner starts bash, but that the script is read from the file and not changed before.
    '--',
    'bash',
    '--noprofile',
    '--norc',
    '-eo',
    'pipefail',
    script,
  ];
}

/** `variables`: of the step that ends the job, whose files get the report. */
export function endArguments(inputs: Inputs, { state }: Places, variables: Variables): readonly string[] {
  return [
    'job',
    'end',
    `--state=${state}`,
    '--annotations=github',
    `--give-back=${required(variables, 'GITHUB_ENV')}`,
    ...(inputs.summary ? optional('--summary', variables['GITHUB_STEP_SUMMARY']) : []),
    ...optional('--about', inputs.policies.length > 0 ? undefined : workflowFile(variables)),
    ...optional('--sarif', inputs.sarif),
    ...optional('--audit', inputs.audit),
    ...(inputs.failOnDenial ? ['--fail-on-denial'] : []),
  ];
}

/** The file of this workflow, of OWNER/REPOSITORY/PATH@REF. */
function workflowFile(variables: Variables): string | undefined {
  return /^[^/]+\/[^/]+\/([^@]+)@/.exec(variables['GITHUB_WORKFLOW_REF'] ?? '')?.[1];
}
