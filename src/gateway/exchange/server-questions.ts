// What a server of MCP asks its client for, on its way there: a question that the client may not respond to does not reach it, so that neither its user nor
// its model reads it. In its place comes what makes the client say at once that it does not do that, so that no server waits.

import type { Policy, Principal, RequestAccess } from '../../policy/decision.ts';
import type { JsonValue } from '../../understand/json-value.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import type { McpInput, McpMessage } from '../../understand/mcp-message.ts';
import { type McpQuestion, questionIn, withheldQuestion } from '../../understand/mcp-questions.ts';
import { deniedCode } from './mcp-denial.ts';

export interface QuestionOptions {
  readonly access: RequestAccess;
  readonly principal: Principal;
  readonly policy: () => Policy;
  readonly clock: () => number;
  /** The message whose response it is; undefined: it is the stream of what the server says. */
  readonly message: McpMessage | undefined;
  readonly onWithheld: (inputs: readonly McpInput[]) => void;
}

/** The message in place of one that asks for what the client may not say; undefined: it goes on as it is. */
export function withheldText(
  value: JsonValue,
  options: QuestionOptions,
): string | UnreadableBody | undefined {
  const question = questionIn(value);
  if (question === undefined || question instanceof UnreadableBody) return question;
  const withheld = question.inputs.filter((one) => !mayBeGiven([one], question, options));
  if (withheld.length === 0 && mayBeGiven(question.inputs, question, options)) return undefined;
  const told = withheld.length === 0 ? question.inputs : withheld;
  options.onWithheld(told);
  const why = `The server asks for ${told.join(', ')}, which no rule lets this client give.`;
  return withheldQuestion(value, question, { code: deniedCode, why });
}

/** Its arguments were judged when it was sent. */
function withAnyInput(message: McpMessage): McpMessage {
  const { target } = message;
  return target?.kind === 'tool' ? { ...message, target: { ...target, input: 'any' } } : message;
}

/** Whether the policy would let the client send it: the policy itself is asked, so that it is asked by all of its rules. */
function mayBeGiven(
  inputs: readonly McpInput[],
  { kind }: McpQuestion,
  { access, principal, policy, clock, message }: QuestionOptions,
): boolean {
  const asked = kind === 'message' || message === undefined ? undefined : withAnyInput(message);
  const response = { kind: 'response', method: '', id: 0, target: undefined, goesOn: false } as const;
  const body = { kind: 'message', message: { ...(asked ?? response), inputs } } as const;
  return policy().decide(principal, { ...access, method: 'POST', body }, clock()).effect === 'allow';
}
