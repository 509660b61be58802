// Why a rule is not for a call of a model, in words.

import { UnreadableBody } from '../understand/json-value.ts';
import type { AccessRequest } from './decision.ts';
import { llmProblem, llmRequestIn, llmText } from './llm-rule.ts';
import type { Mismatch, Rule } from './rule.ts';

/** Which condition of a rule a call does not meet, as the end of a sentence. */
export function callNote({ llm }: Rule, access: AccessRequest): string {
  const call = llmRequestIn(access);
  if (llm === undefined || call === undefined || call instanceof UnreadableBody) return '';
  const problem = call.api === llm.api ? llmProblem(llm, call) : undefined;
  return problem === undefined ? '' : `: ${problem}`;
}

/** What of a call the first rule about calls does not allow. */
export function callRemedy(
  misses: readonly { readonly rule: Rule; readonly mismatch: Mismatch | undefined }[],
  access: AccessRequest,
): string | undefined {
  const rule = misses.find(({ mismatch }) => mismatch === 'llm')?.rule;
  if (rule === undefined) return undefined;
  const { llm, paths, reference } = rule;
  const { name } = reference;
  const call = llmRequestIn(access);
  const isOther = call === undefined || call instanceof UnreadableBody;
  if (llm === undefined || isOther || call.api !== llm.api || (paths === undefined && !call.isStandard))
    return `The rule ${name} allows calls of models, and this is none that it counts.`;
  return `The rule ${name} does not allow it: ${llmProblem(llm, call) ?? `it is for ${llmText(llm)}`}.`;
}
