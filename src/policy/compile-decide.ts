// `decide` of a rule as it is written, to what is asked.

import { isForwardable } from '../http/hop-by-hop.ts';
import { changingWhat, fieldKey, tellingWho } from '../http/request-field-table.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { RuleDecide } from './decide-rule.ts';
import type { RuleDocument } from './policy-schema.ts';
import type { Rule } from './rule.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

interface DecideContext {
  /** Names of the known deciders; undefined if they are not known here. */
  readonly deciders: ReadonlySet<string> | undefined;
  readonly mode: Rule['mode'];
  readonly report: Report;
}

export function compileDecide({ decide }: RuleDocument, context: DecideContext): RuleDecide | undefined {
  if (decide === undefined) return undefined;
  const { by, timeoutMs, body, cacheMs } = decide;
  const { deciders, report, mode } = context;
  if (deciders !== undefined && !deciders.has(by)) {
    const remedy =
      deciders.size === 0 ? 'define it under "deciders" there' : `it has ${[...deciders].join(', ')}`;
    report(
      ['decide', 'by'],
      `there is no decider ${JSON.stringify(by)} in the gateway's configuration; ${remedy}`,
    );
  }
  return {
    by,
    timeoutMs: timeoutMs ?? defaultLimits.deciderTimeoutMs,
    body: body ?? 'whole',
    cacheMs: cacheMs ?? 0,
    mayAdd: fieldsOf('mayAdd', decide.mayAdd, report),
    mayRemove: fieldsOf('mayRemove', decide.mayRemove, report),
    isOnTrial: mode === 'observe',
  };
}

function fieldsOf(
  key: 'mayAdd' | 'mayRemove',
  written: string | readonly string[] | undefined,
  report: Report,
): readonly string[] {
  const { deciderFieldsMax } = defaultLimits;
  const names = [...new Set(asList(written).map((name) => name.toLowerCase()))];
  const path = ['decide', key];
  if (names.length > deciderFieldsMax)
    report(path, `at most ${String(deciderFieldsMax)} fields may stand here (deciderFieldsMax)`);
  for (const name of names) {
    const problem = key === 'mayAdd' ? addingProblem(name) : removingProblem(name);
    if (problem !== undefined) report(path, `${name} ${problem}; remove it`);
  }
  return names;
}

/** They say who asks, or how the body is to be read: a decider that sets one gives more than it was asked about. */
const notToAdd: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'origin',
  'referer',
  'range',
  'x-amz-target',
  'soapaction',
]);
/** Names under which services take a credential. */
const credentialName = /(?:^|-)(?:api-?key|key|token|auth|secret|password|signature)$/;

function addingProblem(name: string): string | undefined {
  if (notToAdd.has(name) || credentialName.test(name))
    return 'says who asks, or for what; a credential comes by "inject"';
  const key = fieldKey(name);
  if (tellingWho.has(key)) return 'says who asks to many origins, which only proxies say';
  if (changingWhat.has(key) || methodOverrides.test(key))
    return 'changes what is asked, which the rule decided about';
  return removingProblem(name);
}

/** Some origins take the method from these. */
const methodOverrides = /^(?:x-)?(?:http-)?method(?:-override)?$/;

/** Without them a request means something else, or the message is another one. */
function removingProblem(name: string): string | undefined {
  if (!isForwardable(name)) return 'is of one connection, or says a way, and never goes on as it came';
  const bounds = /^(?:host|content-.*|expect|range|if-.*|sec-.*|upstreamproxy-.*|trace(?:parent|state)|via)$/;
  return bounds.test(name) ? 'says what the message is, or on which condition it is asked for' : undefined;
}
