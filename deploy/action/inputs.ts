// The inputs of the action, checked.

import { statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

import { ActionError, required, type Variables } from './runner.ts';

export interface Inputs {
  readonly mode: 'observe' | 'enforce';
  /** Absolute paths, as all paths here. */
  readonly policies: readonly string[];
  readonly config: string | undefined;
  /** Commands for bash. */
  readonly run: string | undefined;
  readonly write: readonly string[];
  /** How much of the jail there must be. */
  readonly isolate: 'auto' | 'require';
  readonly gateway: string | undefined;
  readonly gatewayCa: string | undefined;
  readonly audience: string;
  readonly failOnDenial: boolean;
  readonly summary: boolean;
  readonly sarif: string | undefined;
  readonly audit: string | undefined;
  readonly version: string | undefined;
  readonly program: string | undefined;
  /** A package-lock.json that has the program and all that it needs. */
  readonly lock: string | undefined;
}

/** Throws ActionError for a value that is none. */
export function readInputs(variables: Variables): Inputs {
  const workspace = required(variables, 'GITHUB_WORKSPACE');
  // As the runner makes the names: upper case, and nothing else but for blanks.
  const text = (name: string): string | undefined => {
    const value = variables[`INPUT_${name.toUpperCase()}`]?.trim();
    return value === '' ? undefined : value;
  };
  const path = (one: string): string => (isAbsolute(one) ? one : join(workspace, one));
  const placed = (name: string): string | undefined => {
    const given = text(name);
    return given === undefined ? undefined : path(given);
  };
  const policies = linesOf(text('policy')).map(path);
  const gateway = text('gateway');
  const mode = modeOf(text('mode'), policies.length > 0, gateway);
  const inputs: Inputs = {
    mode,
    policies,
    config: placed('config'),
    run: text('run'),
    write: linesOf(text('write')).map(path),
    isolate: isolateOf(text('isolate'), mode),
    gateway,
    gatewayCa: placed('gateway-ca'),
    audience: text('audience') ?? 'upstreamproxy',
    failOnDenial: flagOf('fail-on-denial', text('fail-on-denial'), mode === 'enforce'),
    summary: flagOf('summary', text('summary'), true),
    sarif: placed('sarif'),
    audit: placed('audit'),
    version: text('version'),
    program: text('program'),
    lock: placed('lock'),
  };
  return inputs;
}

function linesOf(value: string | undefined): readonly string[] {
  return (value ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function modeOf(given: string | undefined, hasPolicy: boolean, gateway: string | undefined): Inputs['mode'] {
  if (given === undefined) return hasPolicy || gateway !== undefined ? 'enforce' : 'observe';
  if (given === 'observe' || given === 'enforce') return given;
  throw new ActionError(`mode is observe or enforce, not ${JSON.stringify(given)}`);
}

/** What is to be enforced is not left to what the machine happens to have. */
function isolateOf(given: string | undefined, mode: Inputs['mode']): Inputs['isolate'] {
  if (given === undefined) return mode === 'enforce' ? 'require' : 'auto';
  if (given === 'auto' || given === 'require') return given;
  throw new ActionError(`isolate is auto or require, not ${JSON.stringify(given)}`);
}

function flagOf(name: string, given: string | undefined, otherwise: boolean): boolean {
  if (given === undefined) return otherwise;
  // YAML 1.2, core schema, as the runner's own actions take it.
  if (/^(?:true|True|TRUE)$/.test(given)) return true;
  if (/^(?:false|False|FALSE)$/.test(given)) return false;
  throw new ActionError(`${name} is true or false, not ${JSON.stringify(given)}`);
}

/** Throws ActionError for inputs that do not go together, and for files that are not there. */
export function checkInputs(inputs: Inputs): void {
  const { mode, policies, config, gateway, gatewayCa, run, write, lock } = inputs;
  if (gateway !== undefined && (policies.length > 0 || config !== undefined))
    throw new ActionError(
      'policy and config are for a gateway of the job; with gateway, that one decides: leave them away',
    );
  if (gateway !== undefined && mode === 'observe')
    throw new ActionError('the gateway decides whether it observes: with gateway, leave mode away');
  if (gateway === undefined && gatewayCa !== undefined)
    throw new ActionError('gateway-ca is of a gateway elsewhere, and none is named: gateway');
  if (gateway === undefined && mode === 'enforce' && policies.length === 0 && config === undefined)
    throw new ActionError('mode enforce needs a policy, or a gateway');
  if (run === undefined && write.length > 0) throw new ActionError('write is for the commands of run');
  checkWhatRuns(inputs);
  for (const file of [...policies, config, gatewayCa, lock]) {
    if (file === undefined || statSync(file, { throwIfNoEntry: false }) !== undefined) continue;
    throw new ActionError(`${file} is not there; has actions/checkout run before this step?`);
  }
}

function checkWhatRuns({ version, program, lock }: Inputs): void {
  // It becomes a part of what npm is asked for.
  if (version !== undefined && !/^[\w.+-]+$/.test(version))
    throw new ActionError(`version is one of the npm package, such as 1.2.3, not ${JSON.stringify(version)}`);
  if (lock !== undefined && (version !== undefined || program !== undefined))
    throw new ActionError('lock says which package is installed: leave version and program away');
}
