// From the texts of a policy to what can decide, wherever the texts come from: here if they are short, else on another thread.

import {
  discoveredTools,
  type KnownNames,
  parsePolicy,
  type ParsePolicyResult,
  plainNames,
} from '../../policy/parse-policy.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { PolicyProblem } from '../../policy/problem.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type Discover, discoverAll, readPolicyAside } from './policy-reading.ts';
import { versionOf } from './policy-version.ts';

export interface PolicyLoadingOptions extends KnownNames {
  /** Asked for each tool that a group names under `discover`; absent: that is an error. */
  readonly discover?: Discover;
}

export interface Problems {
  readonly problems: readonly PolicyProblem[];
  /** It was not the fault of the texts: when asked for, the same ones are read again. */
  readonly isPassing?: boolean;
}

export interface Loaded {
  readonly policy: CompiledPolicy;
  readonly warnings: readonly PolicyProblem[];
  readonly sources: readonly YamlSource[];
}

/** A thread takes longer to start than a small policy to be read; tools of `discover` are waited for beside it. */
export function loadPolicy(
  sources: readonly YamlSource[],
  options: PolicyLoadingOptions,
  signal: AbortSignal,
): Promise<Loaded | Problems> {
  const bytes = sources.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  const isSmall = bytes <= defaultLimits.policyReadHereBytesMax && !asksTools(sources);
  return isSmall ? loadPolicyHere(sources, options) : loadAside(sources, options, signal);
}

/** Whether a group may name a tool; one that does not is only read the longer way. */
export function asksTools(sources: readonly YamlSource[]): boolean {
  return sources.some(({ text }) => text.includes('discover'));
}

async function loadAside(
  sources: readonly YamlSource[],
  options: PolicyLoadingOptions,
  signal: AbortSignal,
): Promise<Loaded | Problems> {
  const deadline = AbortSignal.timeout(defaultLimits.policyReadTimeoutMs);
  try {
    return loadedOf(sources, await readPolicyAside(sources, options, AbortSignal.any([signal, deadline])));
  } catch (error) {
    const { message } = asProxyError(error, 'config_invalid');
    const file = sources[0]?.file ?? 'policy';
    return { problems: [{ file, line: 1, column: 1, message, severity: 'error' }], isPassing: true };
  }
}

/** At once, in the thread that serves: for what is small, and for a gateway that serves nobody yet. */
export async function loadPolicyHere(
  sources: readonly YamlSource[],
  options: PolicyLoadingOptions,
): Promise<Loaded | Problems> {
  const { discover } = options;
  const discovered =
    discover === undefined ? undefined : await discoverAll(discoveredTools(sources), discover);
  const result = parsePolicy(sources, {
    version: versionOf(sources, discovered),
    ...plainNames(options),
    ...(discovered === undefined ? {} : { discovered }),
  });
  return loadedOf(sources, result);
}

function loadedOf(sources: readonly YamlSource[], result: ParsePolicyResult): Loaded | Problems {
  if ('problems' in result) return result;
  return { ...result, sources };
}
