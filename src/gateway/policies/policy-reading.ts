// A policy of a running gateway from its files: read and checked on another thread, taken in portions, in force at once.

import { setImmediate } from 'node:timers/promises';
import { CompiledPolicy, RulesByHost } from '../../policy/compiled-policy.ts';
import { conditionCompiler } from '../../policy/condition.ts';
import { type KnownNames, type ParsePolicyResult, plainNames } from '../../policy/parse-policy.ts';
import { fromPlain } from '../../policy/plain-rule.ts';
import type { Rule } from '../../policy/rule.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { asProxyError } from '../../protocol/error.ts';
import { type PolicyInput, PolicyThread } from './policy-thread.ts';

/** Asks a tool for its hosts. */
export type Discover = (tool: string) => Promise<readonly string[]>;

export interface PolicyReadingOptions extends KnownNames {
  readonly discover?: Discover;
}

/** Lets the event loop turn between two portions of rules. Throws ProxyError `config_invalid` if the signal aborts. */
export async function readPolicyAside(
  sources: readonly YamlSource[],
  options: PolicyReadingOptions,
  signal: AbortSignal,
): Promise<ParsePolicyResult> {
  const { discover } = options;
  const input: PolicyInput = { sources, names: plainNames(options) };
  await using thread = new PolicyThread(input, signal);
  const discovered = discover === undefined ? undefined : await discoverAll(await thread.tools(), discover);
  const frame = await thread.frame(discovered);
  if ('problems' in frame) return frame;
  const compile = conditionCompiler();
  const index = new RulesByHost();
  const rules: Rule[] = [];
  for (;;) {
    const portion = await thread.rules();
    if (portion.length === 0) break;
    for (const plain of portion) {
      const rule = fromPlain(plain, compile);
      rules.push(rule);
      index.add(rule);
    }
    // Messages of the thread alone would not do: several of them can be handled in one turn of the loop.
    await setImmediate();
  }
  const { version, files, warnings } = frame;
  return { policy: new CompiledPolicy({ version, rules, files, index }), warnings };
}

/** The hosts of each tool, or why there are none. */
export async function discoverAll(
  tools: Iterable<string>,
  discover: Discover,
): Promise<ReadonlyMap<string, readonly string[] | string>> {
  const entries = [...tools].map(async (tool): Promise<[string, readonly string[] | string]> => {
    const found = await discover(tool).catch((error: unknown) => asProxyError(error).message);
    return [tool, found];
  });
  return new Map(await Promise.all(entries));
}
