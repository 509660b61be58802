// Reads and checks policy files on a thread of its own: thousands of rules take a second, in which the gateway would serve
// nobody. The rules come back as plain data in portions, each small enough to be taken between two turns of the event loop.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { PolicyFile } from '../../policy/compiled-policy.ts';
import { discoveredTools, type KnownNames, parsePolicy } from '../../policy/parse-policy.ts';
import { type PlainRule, toPlain, weightOf } from '../../policy/plain-rule.ts';
import type { PolicyProblem } from '../../policy/problem.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { policyThreadMarker as marker, threadProgram } from '../../protocol/thread-program.ts';
import { versionOf } from './policy-version.ts';

/** Hosts, paths and the like that are taken in one turn of the event loop: about a millisecond. */
export const portionWeightMax = 256;

/** What is to be read, and which names the rules may use. */
export interface PolicyInput {
  readonly sources: readonly YamlSource[];
  readonly names: KnownNames;
}

/** Hosts by tool, or why there are none. */
type Discovered = ReadonlyMap<string, readonly string[] | string>;

/** All of a policy but its rules. */
interface PolicyFrame {
  readonly version: string;
  readonly files: readonly PolicyFile[];
  readonly warnings: readonly PolicyProblem[];
}

type Question =
  | { readonly ask: 'tools' }
  | { readonly ask: 'frame'; readonly discovered: Discovered | undefined }
  | { readonly ask: 'rules' };

/** One thread for one reading. Each question has one reply; the thread ends with its disposal. */
export class PolicyThread implements AsyncDisposable {
  readonly #worker: Worker;
  #pending: PromiseWithResolvers<unknown> | undefined;
  #end: ProxyError | undefined;

  /** An aborted signal ends the thread, and what was asked of it. */
  constructor(input: PolicyInput, signal: AbortSignal) {
    const { program, isText } = threadProgram(import.meta.url);
    this.#worker = new Worker(isText ? program : new URL(program), {
      eval: isText,
      workerData: { [marker]: input },
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: defaultLimits.policyReadMemoryBytesMax / 1024 / 1024 },
    });
    this.#worker.unref();
    this.#worker.on('message', (response: unknown) => {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(response);
    });
    this.#worker.on('error', (error: unknown) => this.#fail(reasonOf(error)));
    this.#worker.once('exit', () => this.#fail('its thread has ended'));
    const abort = (): void => {
      this.#fail('it took too long, or the gateway ends');
      void this.#worker.terminate();
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    this.#worker.once('exit', () => signal.removeEventListener('abort', abort));
  }

  /** The tools that groups name under `discover`. */
  async tools(): Promise<readonly string[]> {
    // The thread replies to `tools` with this, below.
    return (await this.#ask({ ask: 'tools' })) as readonly string[];
  }

  /** Reads and checks. */
  async frame(
    discovered: Discovered | undefined,
  ): Promise<PolicyFrame | { readonly problems: readonly PolicyProblem[] }> {
    // The thread replies to `frame` with this, below.
    return (await this.#ask({ ask: 'frame', discovered })) as
      | PolicyFrame
      | { readonly problems: readonly PolicyProblem[] };
  }

  /** The next rules in their order; an empty portion is the end. */
  async rules(): Promise<readonly PlainRule[]> {
    // The thread replies to `rules` with this, below.
    return (await this.#ask({ ask: 'rules' })) as readonly PlainRule[];
  }

  #ask(question: Question): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    this.#pending = Promise.withResolvers();
    this.#worker.postMessage(question);
    return this.#pending.promise;
  }

  #fail(reason: string): void {
    this.#end ??= new ProxyError('config_invalid', `the policy was not read: ${reason}`);
    this.#pending?.reject(this.#end);
    this.#pending = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

function reasonOf(error: unknown): string {
  const isOutOfMemory =
    error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return isOutOfMemory ? 'it takes more memory than policyReadMemoryBytesMax' : String(error);
}

/** The thread: one reading, then its rules by and by. */
function serve(input: PolicyInput): void {
  const port = parentPort;
  let rules: Iterator<readonly PlainRule[]> = [][Symbol.iterator]();
  const read = (discovered: Discovered | undefined): unknown => {
    const { sources, names } = input;
    const result = parsePolicy(sources, {
      version: versionOf(sources, discovered),
      ...names,
      ...(discovered === undefined ? {} : { discovered }),
    });
    if ('problems' in result) return { problems: result.problems.slice(0, defaultLimits.policyProblemsMax) };
    const { policy, warnings } = result;
    rules = portionsOf(policy.rules.map(toPlain));
    return {
      version: policy.version,
      files: policy.files,
      warnings: warnings.slice(0, defaultLimits.policyProblemsMax),
    };
  };
  port?.on('message', (question: Question) => {
    switch (question.ask) {
      case 'tools':
        port.postMessage([...discoveredTools(input.sources)]);
        break;
      case 'frame':
        port.postMessage(read(question.discovered));
        break;
      case 'rules':
        port.postMessage(rules.next().value ?? []);
        break;
    }
  });
}

/** Never more weight than a portion may have, but for a rule that has more by itself. */
function* portionsOf(rules: readonly PlainRule[]): Generator<readonly PlainRule[]> {
  let portion: PlainRule[] = [];
  let weight = 0;
  for (const rule of rules) {
    const own = weightOf(rule);
    if (portion.length > 0 && weight + own > portionWeightMax) {
      yield portion;
      portion = [];
      weight = 0;
    }
    portion.push(rule);
    weight += own;
  }
  if (portion.length > 0) yield portion;
}

// The module is its own thread's entry, so that its name need not be known twice.
if (!isMainThread && typeof workerData === 'object' && workerData !== null && marker in workerData) {
  // Given by the constructor above, and by nobody else.
  serve(workerData[marker] as PolicyInput);
}
