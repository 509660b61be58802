// Bodies of InvokeModel: what the family of a model bounds, and what nobody here can read.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { llmRequestIn } from '../../src/policy/llm-rule.ts';
import { modelCallOf } from '../../src/gateway/exchange/model-call.ts';
import { invokeShapeOf } from '../../src/understand/bedrock-invoke.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { access, jsonBody, nowMs, policyOf, principal } from '../policy/fixture.ts';

const budget = 'outputTokens: 64, budget: { tokens: { session: 9000 } }';

/** What a rule makes of a call: what is sent, or why it is not. */
function sent(
  [model, body]: readonly [model: string, body: object],
  terms = budget,
  fields: readonly (readonly [string, string])[] = [],
): { readonly body: Readonly<Record<string, unknown>>; readonly output: number | undefined } | string {
  // `access` makes a request of a method and a URL.
  const at = access(
    `POST https://a.example.com/model/${encodeURIComponent(model)}/invoke-with-response-stream`,
  ) as RequestAccess;
  const asked = { ...at, headers: new HeaderList(fields), body: jsonBody(JSON.stringify(body)) };
  const policy = policyOf(`rules: [{ name: r, hosts: a.example.com, llm: { api: bedrock, ${terms} } }]`);
  const decision = policy.decide(principal(), asked, nowMs);
  if (decision.effect === 'deny') return decision.reason;
  const call = modelCallOf(asked, decision, llmRequestIn(asked));
  assert.equal(call?.request.streams, true);
  assert.equal(call.request.model, model);
  const text = call.body?.toString() ?? JSON.stringify(body);
  return {
    body: JSON.parse(text) as Readonly<Record<string, unknown>>,
    output: call.worst?.output,
  };
}

const user = [{ role: 'user', content: 'hi' }];
const blocks = [{ role: 'user', content: [{ text: 'hi' }] }];

const families = {
  anthropic: {
    model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    body: { anthropic_version: 'bedrock-2023-05-31', anthropic_beta: ['x'], messages: user },
    capped: (cap: unknown) => ({ max_tokens: cap }),
    unbounded: [
      ['image', { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] }],
      ['web_search_20250305', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
      ['prompt', { prompt: 'x' }],
      ['model', { model: 'other' }],
      ['ttl', { system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }] }],
    ],
  },
  nova: {
    model: 'amazon.nova-2-lite-v1:0',
    body: { schemaVersion: 'messages-v1', system: [{ text: 'x' }], messages: blocks },
    capped: (cap: unknown) => ({ inferenceConfig: { maxTokens: cap } }),
    unbounded: [
      ['video', { messages: [{ role: 'user', content: [{ video: {} }] }] }],
      ['reasoningConfig', { inferenceConfig: { reasoningConfig: { type: 'enabled' } } }],
      ['systemTool', { toolConfig: { tools: [{ systemTool: { name: 'nova_grounding' } }] } }],
    ],
  },
  llama: {
    model: 'meta.llama3-3-70b-instruct-v1:0',
    body: { prompt: 'hi', temperature: 0.5 },
    capped: (cap: unknown) => ({ max_gen_len: cap }),
    unbounded: [['images', { images: ['x'] }]],
  },
  mistral: {
    model: 'mistral.mistral-large-2402-v1:0',
    body: { messages: user, temperature: 0.5 },
    capped: (cap: unknown) => ({ max_tokens: cap }),
    unbounded: [
      ['image_url', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] }],
      ['n', { n: 2 }],
    ],
  },
  cohere: {
    model: 'cohere.command-r-plus-v1:0',
    body: { message: 'hi', chat_history: [{ role: 'USER', message: 'x' }], documents: [{ title: 'x' }] },
    capped: (cap: unknown) => ({ max_tokens: cap }),
    unbounded: [
      ['num_generations', { num_generations: 4 }],
      ['connectors', { connectors: [{ id: 'web-search' }] }],
    ],
  },
} as const;

for (const [family, { model, body, capped, unbounded }] of Object.entries(families))
  describe(`a body of ${family}`, () => {
    test('gets the cap of its rule where it has none, and keeps one below', () => {
      assert.deepEqual(sent([model, body]), { body: { ...body, ...capped(64) }, output: 64 });
      const own = { ...body, ...capped(9) };
      assert.deepEqual(sent([model, own]), { body: own, output: 9 });
    });

    test('is refused with a cap above, with none that is a number, and with that of another family', () => {
      for (const bad of [65, 1e9])
        assert.match(String(sent([model, { ...body, ...capped(bad) }])), /above 64 tokens/);
      for (const bad of [0, -1, 1.5, '9', [9]])
        assert.match(String(sent([model, { ...body, ...capped(bad) }])), /said twice, or is no whole number/);
      const other = family === 'llama' ? 'max_tokens' : 'max_gen_len';
      const refused = String(sent([model, { ...body, ...capped(9), [other]: 9999 }]));
      assert.match(refused, family === 'nova' ? /"max_gen_len" is not bounded/ : /said twice/);
      // A rule without a budget relies on its cap as well.
      if (family !== 'nova')
        assert.equal(typeof sent([model, { ...body, [other]: 9999 }], 'outputTokens: 64'), 'string');
    });

    test('is refused for what nothing in it bounds', () => {
      for (const [name, more] of unbounded) {
        const refused = String(sent([model, { ...body, ...more }]));
        assert.match(refused, new RegExp(`"${name}" is not bounded by the budget`));
        assert.notEqual(
          typeof sent([model, { ...body, ...more }], `${budget}, unbounded: ${name}`),
          'string',
        );
      }
    });
  });

test('Nova takes two names for its cap, and both in one body are none', () => {
  const { model, body } = families.nova;
  const own = { ...body, inferenceConfig: { max_new_tokens: 9 } };
  assert.deepEqual(sent([model, own]), { body: own, output: 9 });
  const both = { ...body, inferenceConfig: { max_new_tokens: 9, maxTokens: 9 } };
  assert.match(String(sent([model, both])), /said twice/);
});

test('tools are those of the family', () => {
  const tools = {
    anthropic: { tools: [{ name: 'other', input_schema: {} }] },
    nova: { toolConfig: { tools: [{ toolSpec: { name: 'other' } }] } },
    mistral: { tools: [{ type: 'function', function: { name: 'other' } }] },
    cohere: { tools: [{ name: 'other', description: 'x' }] },
  };
  for (const [family, more] of Object.entries(tools)) {
    const { model, body } = families[family as keyof typeof tools];
    const refused = String(sent([model, { ...body, ...more }], `${budget}, tools: search`));
    assert.match(refused, /the tool "other" is none of its tools/, family);
    assert.notEqual(typeof sent([model, { ...body, ...more }], `${budget}, tools: other`), 'string');
  }
});

describe('the family is told by the name of the model', () => {
  const arn = (rest: string): string => `arn:aws:bedrock:us-east-1:${rest}`;
  const known = [
    'anthropic.claude-3-haiku-20240307-v1:0',
    'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    arn(':foundation-model/anthropic.claude-3-haiku-20240307-v1:0'),
    arn('123456789012:inference-profile/eu.amazon.nova-micro-v1:0'),
    'arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/meta.llama3-8b-instruct-v1:0',
  ];
  const unknown = [
    '',
    'ai21.jamba-1-5-large-v1:0',
    'amazon.titan-text-express-v1',
    'amazon.nova-canvas-v1:0',
    'amazon.nova-sonic-v1:0',
    'amazon.nova-2-multimodal-embeddings-v1:0',
    'cohere.embed-english-v3',
    'mistral.voxtral-mini-3b-2507',
    'xanthropic.claude-3',
    'us.us.anthropic.claude-3',
    'Anthropic.claude-3',
    arn('123456789012:application-inference-profile/anthropic.claude-3'),
    arn('123456789012:custom-model/anthropic.claude-3/abc'),
    arn('123456789012:prompt/anthropic.claude-3'),
  ];
  test('of the service itself, bare and in an ARN', () => {
    for (const model of known) assert.notEqual(invokeShapeOf(model), undefined, model);
    for (const model of unknown) assert.equal(invokeShapeOf(model), undefined, model);
  });

  test('what it does not tell is refused with what to do, with a budget and without', () => {
    for (const terms of [budget, 'models: "*"'])
      for (const model of unknown.slice(1))
        assert.match(String(sent([model, { messages: [] }], terms)), /call the model by Converse/, model);
  });

  test('and a rule that denies other models takes it', () => {
    const policy = policyOf(
      'rules: [{ name: all, hosts: a.example.com }, { name: no, hosts: a.example.com, deny: true, llm: { api: bedrock, models: "ai21.*" } }]',
    );
    const verdict = (model: string, text: string): string =>
      policy.decide(
        principal(),
        {
          ...(access(`POST https://a.example.com/model/${model}/invoke`) as RequestAccess),
          body: jsonBody(text),
        },
        nowMs,
      ).effect;
    assert.equal(verdict('ai21.jamba', '{}'), 'deny');
    assert.equal(verdict('meta.llama3-8b', '{"prompt":"x"}'), 'allow');
    assert.equal(verdict('meta.llama3-8b', '{"prompt":"x","prompt":"y"}'), 'deny');
  });
});

test('a field that asks for JSON is none of a class of service', () => {
  const { model, body } = families.anthropic;
  const name = 'X-Amzn-Bedrock-Accept';
  for (const value of ['application/json', '*/*'])
    assert.notEqual(typeof sent([model, body], budget, [[name, value]]), 'string');
  for (const field of [
    [name, 'image/png'],
    ['X_Amzn_Bedrock_Accept', 'application/json'],
    ['X-Amzn-Bedrock-Service-Tier', 'priority'],
    ['X-Amzn-Bedrock-PerformanceConfig-Latency', 'optimized'],
    ['X-Amzn-Bedrock-GuardrailIdentifier', 'g'],
  ] as const)
    assert.match(String(sent([model, body], budget, [field])), /is not bounded by the budget/, field[0]);
});

test('a body that is none of its family is not read', () => {
  const bodies: readonly (readonly [keyof typeof families, object])[] = [
    ['llama', { prompt: ['x'] }],
    ['mistral', { prompt: { text: 'x' } }],
    ['mistral', { messages: 'x' }],
    ['cohere', { message: ['x'] }],
    ['cohere', { message: 'x', tool_results: [{ call: {} }] }],
    ['llama', { prompt: 'x', maxGenLen: 9 }],
    ['anthropic', { messages: [{ role: 'user', content: 'x' }], MAX_TOKENS: 9 }],
    ['nova', { messages: [{ role: 'user', content: 'x' }] }],
  ];
  for (const [family, body] of bodies) {
    const at = access(
      `POST https://a.example.com/model/${encodeURIComponent(families[family].model)}/invoke`,
    ) as RequestAccess;
    const read = llmRequestIn({ ...at, body: jsonBody(JSON.stringify(body)) });
    assert.ok(read instanceof UnreadableBody, JSON.stringify(body));
  }
});
