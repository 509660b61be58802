// The keys of `llm`, for every-key.test.ts.

import type { Decision, RequestAccess } from '../../src/policy/decision.ts';
import { jsonBody } from './fixture.ts';

interface Row {
  readonly key: string;
  readonly with: string;
  readonly without: string;
  readonly asked?: string;
  readonly read?: Pick<RequestAccess, 'body'>;
  readonly sees?: (decision: Decision) => unknown;
  readonly expected: readonly [withKey: unknown, withoutKey: unknown];
}

const host = 'hosts: a.example.com';
const rule = (keys: string): string => `rules: [{ name: r, ${keys} }]`;
const [allowed, denied] = ['allow r', 'deny default-deny'];
const modelCall = (more: object = {}): Pick<RequestAccess, 'body'> => ({
  body: jsonBody(JSON.stringify({ model: 'gpt-5', messages: [{ role: 'user', content: 'hi' }], ...more })),
});
const chat = 'POST https://a.example.com/v1/chat/completions';
/** A call that the rule denies with the key, and without it not; or the other way round. */
const llmRow = (key: string, withKey: string, without: string, sent: object, opens = false): Row => ({
  key: `rules[].llm${key}`,
  with: rule(`${host}, llm: { api: openai-chat${withKey} }`),
  without: rule(`${host}, llm: { api: openai-chat${without} }`),
  asked: chat,
  read: modelCall(sent),
  expected: opens ? [allowed, denied] : [denied, allowed],
});
const budgetRow = (key: string, withKey: string, expected: readonly [unknown, unknown]): Row => ({
  key: `rules[].llm.budget${key}`,
  with: rule(`${host}, llm: { api: openai-chat, outputTokens: 9, budget: { ${withKey} } }`),
  without: rule(`${host}, llm: { api: openai-chat, outputTokens: 9, budget: { tokens: { session: 5 } } }`),
  asked: chat,
  read: modelCall(),
  sees: (decision) => (decision.effect === 'allow' ? decision.llm?.budget : undefined),
  expected,
});
const fiveTokens = { name: 'rule r', tokens: { session: 5 }, nanoUsd: {} };

export const llmRows: readonly Row[] = [
  {
    key: 'rules[].llm',
    with: rule(`${host}, llm: { api: openai-chat }`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].llm.api',
    with: rule(`${host}, llm: { api: openai-chat }`),
    without: rule(`${host}, llm: { api: anthropic }`),
    asked: chat,
    read: modelCall(),
    expected: [allowed, denied],
  },
  llmRow('.models', ', models: [gpt-4o, "gpt-5-*"]', '', {}),
  llmRow('.streaming', ', streaming: true', '', {}),
  llmRow('.tools', ', tools: search', '', { tools: [{ type: 'function', function: { name: 'delete' } }] }),
  llmRow('.outputTokens', ', outputTokens: 9', '', { max_completion_tokens: 10 }),
  llmRow(
    '.unbounded',
    ', outputTokens: 9, budget: { tokens: { session: 5 } }, unbounded: service_tier',
    ', outputTokens: 9, budget: { tokens: { session: 5 } }',
    { service_tier: 'priority' },
    true,
  ),
  llmRow('.budget', ', outputTokens: 9, budget: { tokens: { session: 5 } }', ', outputTokens: 9', {
    previous_response_id: 'r',
  }),
  budgetRow('.name', 'name: shared, tokens: { session: 5 }', [
    { ...fiveTokens, name: 'budget shared' },
    fiveTokens,
  ]),
  budgetRow('.tokens', 'tokens: { session: 6 }', [{ ...fiveTokens, tokens: { session: 6 } }, fiveTokens]),
  budgetRow('.tokens.session', 'tokens: { session: 7 }', [
    { ...fiveTokens, tokens: { session: 7 } },
    fiveTokens,
  ]),
  budgetRow('.tokens.day', 'tokens: { day: 7 }', [{ ...fiveTokens, tokens: { day: 7 } }, fiveTokens]),
  budgetRow('.money', 'money: { session: 0.1 }', [
    { ...fiveTokens, tokens: {}, nanoUsd: { session: 100_000_000 } },
    fiveTokens,
  ]),
  budgetRow('.money.session', 'money: { session: 2.50 }', [
    { ...fiveTokens, tokens: {}, nanoUsd: { session: 2_500_000_000 } },
    fiveTokens,
  ]),
  budgetRow('.money.day', 'money: { day: 0.000000001 }', [
    { ...fiveTokens, tokens: {}, nanoUsd: { day: 1 } },
    fiveTokens,
  ]),
];
