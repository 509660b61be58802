// The policy files of a running gateway: read, checked, and swapped whole when they change. The last good one stays.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Policy } from '../../policy/decision.ts';
import { formatProblem, InvalidFilesError, type PolicyProblem } from '../../policy/problem.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { readRegularFile } from '../../system/regular-file.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import {
  asksTools,
  type Loaded,
  loadPolicy,
  loadPolicyHere,
  type PolicyLoadingOptions,
  type Problems,
} from './policy-loading.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** What a changed policy no longer allows ends within 5 s; one look is a few calls of stat(2). */
export const policyLookIntervalMs = 1000;

/** Tools are asked for their hosts whenever the files are read. */
export interface PolicySourceOptions extends PolicyLoadingOptions {
  /** How often the files are looked at; 0 for never. By default `policyLookIntervalMs`, which also sees files that are replaced by renaming. */
  readonly pollIntervalMs?: number;
  readonly clock?: () => number;
  /** Told of each failed reload once, and of warnings of each policy that is taken. */
  readonly onProblems?: (problems: readonly PolicyProblem[]) => void;
  /** Told once of each failed reload, after its problems: what stays in force. */
  readonly onKept?: (state: PolicyState) => void;
}

/** What is in force, since when, and what is wrong with what is in the files now. */
export interface PolicyState {
  readonly version: string;
  readonly loadedAtMs: number;
  readonly files: readonly string[];
  readonly warnings: readonly PolicyProblem[];
  /** Set while the files hold something that cannot be taken; the policy in force is older than it. */
  readonly failure?: { readonly sinceMs: number; readonly problems: readonly PolicyProblem[] };
}

export type ReloadOutcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'replaced'; readonly version: string }
  | { readonly kind: 'kept'; readonly problems: readonly PolicyProblem[] };

/** What the files hold, or why they cannot be read. */
type Sources = readonly YamlSource[] | Problems;

/** Keeps the policy of files or folders. Reloads run one after the other; listeners hear of each swap. */
export class PolicySource implements AsyncDisposable {
  readonly #paths: readonly string[];
  readonly #options: PolicySourceOptions;
  readonly #clock: () => number;
  readonly #listeners = new Set<(policy: Policy) => void>();
  #loaded: Loaded;
  #loadedAtMs: number;
  #failure: (Problems & { readonly sources: Sources; readonly sinceMs: number }) | undefined;
  readonly #looking: RepeatedLook;
  #busy: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  private constructor(paths: readonly string[], options: PolicySourceOptions, loaded: Loaded) {
    this.#paths = paths;
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#loaded = loaded;
    this.#loadedAtMs = this.#clock();
    const { pollIntervalMs = policyLookIntervalMs } = options;
    this.#looking = new RepeatedLook({
      look: async () => {
        await this.#enqueue(false);
      },
      intervalMs: pollIntervalMs,
      onFault: ({ message }) => {
        const file = paths[0] ?? 'policy';
        options.onProblems?.([{ file, line: 1, column: 1, message, severity: 'error' }]);
      },
    });
    if (pollIntervalMs > 0) this.#looking.start();
  }

  /** Reads the files for the first time. Throws ProxyError `config_invalid` with every problem on a line of its own. */
  static async open(
    paths: string | readonly string[],
    options: PolicySourceOptions = {},
  ): Promise<PolicySource> {
    const list = typeof paths === 'string' ? [paths] : [...paths];
    const sources = await readSources(list);
    const result = 'problems' in sources ? sources : await loadPolicyHere(sources, options);
    if ('problems' in result) throw new InvalidFilesError(result.problems);
    if (result.warnings.length > 0) options.onProblems?.(result.warnings);
    return new PolicySource(list, options, result);
  }

  /** The policy in force. Ask again for each decision: it changes. */
  get current(): Policy {
    return this.#loaded.policy;
  }

  /** The files of the policy in force. */
  get sources(): readonly YamlSource[] {
    return this.#loaded.sources;
  }

  get state(): PolicyState {
    const { policy, sources, warnings } = this.#loaded;
    const files = sources.map(({ file }) => file);
    const state = { version: policy.version, loadedAtMs: this.#loadedAtMs, files, warnings };
    if (this.#failure === undefined) return state;
    const { sinceMs, problems } = this.#failure;
    return { ...state, failure: { sinceMs, problems } };
  }

  /** Calls the listener after each swap; the result takes it off again. */
  onChange(listener: (policy: Policy) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Reads the files now, and asks tools for their hosts again. What cannot be taken leaves the policy in force as it is;
   * never rejects for bad files.
   */
  reload(): Promise<ReloadOutcome> {
    return this.#enqueue(true);
  }

  #enqueue(isAsked: boolean): Promise<ReloadOutcome> {
    const run = this.#busy.then(() => this.#reload(isAsked));
    this.#busy = run;
    return run;
  }

  /** Stops looking at the files, and gives up a policy that is being read. Harmless when repeated. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#listeners.clear();
    await this.#looking.close();
    await this.#busy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #reload(isAsked: boolean): Promise<ReloadOutcome> {
    if (this.#closing.signal.aborted) return { kind: 'unchanged' };
    const sources = await readSources(this.#paths);
    // Tools are asked when the files change or an operator wants it, not once a second.
    const askAgain = isAsked && !('problems' in sources) && asksTools(sources);
    if (isSame(sources, this.#loaded.sources) && !askAgain) {
      this.#failure = undefined;
      return { kind: 'unchanged' };
    }
    // The same bad files again: told already.
    const failure = this.#failure;
    const readsAgain = askAgain || (isAsked && failure?.isPassing === true);
    if (failure !== undefined && isSame(sources, failure.sources) && !readsAgain)
      return { kind: 'kept', problems: failure.problems };
    const { signal } = this.#closing;
    const result = 'problems' in sources ? sources : await loadPolicy(sources, this.#options, signal);
    if (signal.aborted) return { kind: 'unchanged' };
    if ('problems' in result) {
      const sinceMs = failure?.sinceMs ?? this.#clock();
      this.#failure = { ...result, sources, sinceMs };
      this.#options.onProblems?.(result.problems);
      this.#options.onKept?.(this.state);
      return { kind: 'kept', problems: result.problems };
    }
    this.#failure = undefined;
    const isSamePolicy = result.policy.version === this.#loaded.policy.version;
    // The same rules from files of other names: their places are others.
    this.#loaded = result;
    if (isSamePolicy) return { kind: 'unchanged' };
    this.#loadedAtMs = this.#clock();
    if (result.warnings.length > 0) this.#options.onProblems?.(result.warnings);
    for (const listener of this.#listeners) listener(result.policy);
    return { kind: 'replaced', version: result.policy.version };
  }
}

/** Of what stands in the files; a hash would take longer than to compare, and this is asked once a second. */
function isSame(a: Sources, b: Sources | undefined): boolean {
  if (b === undefined) return false;
  if ('problems' in a || 'problems' in b) {
    if (!('problems' in a && 'problems' in b)) return false;
    return a.problems.map(formatProblem).join('\n') === b.problems.map(formatProblem).join('\n');
  }
  return a.length === b.length && a.every(({ file, text }, i) => file === b[i]?.file && text === b[i]?.text);
}

/** Files as they are named; of a folder its `.yaml` and `.yml` files by name, hidden ones left out. */
async function readSources(paths: readonly string[]): Promise<Sources> {
  const sources: YamlSource[] = [];
  const problems: PolicyProblem[] = [];
  for (const path of paths) {
    const problem = (message: string): void => {
      problems.push({ file: path, line: 1, column: 1, message, severity: 'error' });
    };
    try {
      const files = (await stat(path)).isDirectory() ? await policyFiles(path) : [path];
      if (files.length === 0) problem('the folder has no .yaml file; put the policy there, or name a file');
      if (files.length > defaultLimits.policyFilesMax)
        problem(`the folder has more than ${defaultLimits.policyFilesMax} files; is it the right one?`);
      else for (const file of files) sources.push({ file, text: await readPolicyFile(file) });
    } catch (error) {
      problem(`the policy cannot be read: ${faultReason(error)}; give the path of a readable file or folder`);
    }
  }
  return problems.length > 0 ? { problems } : sources;
}

async function policyFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
    .toSorted()
    .map((name) => join(directory, name));
}

async function readPolicyFile(file: string): Promise<string> {
  const text = await readRegularFile(file, defaultLimits.policyBytesMax * 2);
  // The reader reports the length with its place; what is longer is not read into memory for that.
  return text ?? ' '.repeat(defaultLimits.policyBytesMax + 1);
}
