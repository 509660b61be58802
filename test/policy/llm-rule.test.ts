// What `llm` of a rule takes and refuses, and what cannot be written.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { allowWithin } from '../../src/policy/within-ceiling.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { access, jsonBody, nowMs, policyOf, principal } from './fixture.ts';

const host = 'hosts: a.example.com';
const rule = (llm: string, more = ''): string => `rules: [{ name: r, ${host}, llm: { ${llm} }${more} }]`;
const chat = 'POST https://a.example.com/v1/chat/completions';
const budget = 'outputTokens: 9, budget: { tokens: { session: 99 } }';
const user = [{ role: 'user', content: 'hi' }];

interface Asked {
  readonly at?: string;
  readonly body?: unknown;
}

function decide(text: string, { at = chat, body = { model: 'm', messages: user } }: Asked): string {
  const read: Pick<RequestAccess, 'body'> =
    body === 'none'
      ? { body: { kind: 'none' } }
      : { body: jsonBody(typeof body === 'string' ? body : JSON.stringify(body)) };
  // `access` makes a request of a method and a URL.
  const [url = at, query] = at.split('?');
  const asked = { ...(access(url) as RequestAccess), query: query === undefined ? '' : `?${query}`, ...read };
  const decision = policyOf(text).decide(principal(), asked, nowMs);
  return decision.effect === 'allow' ? 'allow' : decision.reason;
}

function problems(text: string): readonly string[] {
  const result = parsePolicy([{ file: 'p', text }]);
  return 'problems' in result ? result.problems.map(({ message }) => message) : [];
}

describe('a rule that allows calls of models', () => {
  const cases: readonly (readonly [what: string, llm: string, asked: Asked, expected: 'allow' | RegExp])[] = [
    ['a call', 'api: openai-chat', {}, 'allow'],
    [
      'another method',
      'api: openai-chat',
      { at: chat.replace('POST', 'PUT') },
      /does not allow it|none that it counts/,
    ],
    [
      'a list of models',
      'api: openai-chat',
      { at: 'GET https://a.example.com/v1/models', body: 'none' },
      'allow',
    ],
    [
      'one model of the list',
      'api: openai-chat',
      { at: 'GET https://a.example.com/v1/models/m', body: 'none' },
      'allow',
    ],
    [
      'files',
      'api: openai-chat',
      { at: 'GET https://a.example.com/v1/files', body: 'none' },
      /none that it counts/,
    ],
    ['batches', 'api: openai-chat', { at: 'POST https://a.example.com/v1/batches' }, /none that it counts/],
    [
      'another API of the host',
      'api: openai-chat',
      { at: 'POST https://a.example.com/v1/responses' },
      /none that it counts/,
    ],
    [
      'the API below another path',
      'api: openai-chat',
      { at: 'POST https://a.example.com/x/v1/chat/completions' },
      /none that it counts/,
    ],
    ['a parameter', 'api: openai-chat', { at: `${chat}?n=5` }, /parameters in its URL/],
    [
      'two readings of the model',
      'api: openai-chat',
      { body: '{"model":"m","Model":"x","messages":[]}' },
      /"Model", which some services take for "model"/,
    ],
    ['no model', 'api: openai-chat', { body: { messages: user } }, /a model that is no text/],
    ['another model', 'api: openai-chat, models: gpt-*', {}, /the model "m" is none of its models/],
    [
      'a tool of the service',
      'api: openai-responses, tools: search',
      {
        at: 'POST https://a.example.com/v1/responses',
        body: { model: 'm', input: 'x', tools: [{ type: 'web_search' }] },
      },
      /the tool "web_search" is none of its tools/,
    ],
    [
      'an old kind of tool',
      'api: openai-chat, tools: search',
      { body: { model: 'm', messages: user, functions: [{ name: 'rm' }] } },
      /the tool "rm"/,
    ],
    [
      'a stream',
      'api: openai-chat, streaming: false',
      { body: { model: 'm', messages: user, stream: true } },
      /may not be a stream/,
    ],
    [
      'both names of the cap',
      'api: openai-chat, outputTokens: 9',
      { body: { model: 'm', messages: user, max_tokens: 1, max_completion_tokens: 1 } },
      /said twice/,
    ],
    [
      'a cap that some round',
      'api: openai-chat, outputTokens: 9',
      { body: '{"model":"m","messages":[],"max_tokens":9007199254740993}' },
      /no whole number/,
    ],
    [
      'a cap of 0',
      'api: gemini, outputTokens: 9',
      {
        at: 'POST https://a.example.com/v1/models/m:generateContent',
        body: { contents: [], generationConfig: { maxOutputTokens: 0 } },
      },
      /no whole number/,
    ],
    [
      'a cap that is text',
      'api: openai-chat, outputTokens: 9',
      { body: { model: 'm', messages: user, max_tokens: '5' } },
      /no whole number/,
    ],
    [
      'a cap of nothing',
      'api: openai-chat, outputTokens: 9',
      { body: { model: 'm', messages: user, max_tokens: null } },
      'allow',
    ],
  ];
  for (const [what, llm, asked, expected] of cases)
    test(what, () => {
      const said = decide(rule(llm), asked);
      if (expected === 'allow') assert.equal(said, 'allow');
      else assert.match(said, expected);
    });

  test('takes the API below other paths where it names them', () => {
    const azure = rule('api: openai-chat', ', paths: /openai/*');
    assert.equal(decide(azure, { at: 'POST https://a.example.com/openai/v1/chat/completions' }), 'allow');
    assert.notEqual(decide(azure, {}), 'allow');
  });

  test('does not take a path for the API that names another model than the body', () => {
    const azure = rule('api: openai-chat', ', paths: /openai/*');
    const at = 'POST https://a.example.com/openai/deployments/gpt-99/chat/completions';
    assert.match(decide(azure, { at }), /none that it counts/);
  });

  test('is not sure before the body is read, and says so', () => {
    const decision = policyOf(rule('api: openai-chat')).decide(principal(), access(chat), nowMs);
    assert.deepEqual([decision.effect, decision.awaits], ['allow', 'body']);
  });
});

describe('what no budget bounds is refused by its name, until the rule names it', () => {
  const on = (at: string) => `POST https://a.example.com${at}`;
  const cases: readonly (readonly [api: string, name: string, at: string, body: object])[] = [
    ['openai-chat', 'n', '/v1/chat/completions', { model: 'm', messages: user, n: 2 }],
    [
      'openai-chat',
      'service_tier',
      '/v1/chat/completions',
      { model: 'm', messages: user, service_tier: 'priority' },
    ],
    [
      'openai-chat',
      'image_url',
      '/v1/chat/completions',
      {
        model: 'm',
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x' } }] }],
      },
    ],
    [
      'openai-chat',
      'web_search_options',
      '/v1/chat/completions',
      { model: 'm', messages: user, web_search_options: {} },
    ],
    ['openai-chat', 'prediction', '/v1/chat/completions', { model: 'm', messages: user, prediction: {} }],
    [
      'openai-chat',
      'audio',
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'assistant', audio: { id: 'x' } }] },
    ],
    [
      'openai-responses',
      'previous_response_id',
      '/v1/responses',
      { model: 'm', input: 'x', previous_response_id: 'r' },
    ],
    ['openai-responses', 'conversation', '/v1/responses', { model: 'm', input: 'x', conversation: 'c' }],
    ['openai-responses', 'prompt', '/v1/responses', { model: 'm', prompt: { id: 'p' } }],
    ['openai-responses', 'background', '/v1/responses', { model: 'm', input: 'x', background: true }],
    [
      'openai-responses',
      'item_reference',
      '/v1/responses',
      { model: 'm', input: [{ type: 'item_reference', id: 'i' }] },
    ],
    [
      'openai-responses',
      'input_file',
      '/v1/responses',
      { model: 'm', input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }] },
    ],
    [
      'openai-responses',
      'reasoning',
      '/v1/responses',
      { model: 'm', input: [{ type: 'reasoning', id: 'r', summary: [] }] },
    ],
    [
      'openai-responses',
      'code_interpreter',
      '/v1/responses',
      { model: 'm', input: 'x', tools: [{ type: 'code_interpreter' }] },
    ],
    [
      'anthropic',
      'mcp_servers',
      '/v1/messages',
      { model: 'm', max_tokens: 1, messages: user, mcp_servers: [] },
    ],
    [
      'anthropic',
      'image',
      '/v1/messages',
      { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: [{ type: 'image' }] }] },
    ],
    [
      'anthropic',
      'document',
      '/v1/messages',
      {
        model: 'm',
        max_tokens: 1,
        messages: [{ role: 'user', content: [{ type: 'tool_result', content: [{ type: 'document' }] }] }],
      },
    ],
    [
      'anthropic',
      'web_search_20250305',
      '/v1/messages',
      {
        model: 'm',
        max_tokens: 1,
        messages: user,
        tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      },
    ],
    [
      'anthropic',
      'ttl',
      '/v1/messages',
      {
        model: 'm',
        max_tokens: 1,
        messages: [
          {
            role: 'user',
            content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }],
          },
        ],
      },
    ],
    ['anthropic', 'speed', '/v1/messages', { model: 'm', max_tokens: 1, messages: user, speed: 'fast' }],
    ['gemini', 'cachedContent', '/v1beta/models/m:generateContent', { contents: [], cachedContent: 'c' }],
    [
      'gemini',
      'candidateCount',
      '/v1beta/models/m:generateContent',
      { contents: [], generation_config: { candidate_count: 2 } },
    ],
    ['gemini', 'fileData', '/v1beta/models/m:generateContent', { contents: [{ parts: [{ fileData: {} }] }] }],
    [
      'gemini',
      'inline_data',
      '/v1beta/models/m:generateContent',
      { contents: [{ parts: [{ inline_data: {} }] }] },
    ],
    [
      'gemini',
      'parts',
      '/v1beta/models/m:generateContent',
      { contents: [{ parts: [{ functionResponse: { parts: [] } }] }] },
    ],
    [
      'gemini',
      'googleSearch',
      '/v1beta/models/m:generateContent',
      { contents: [], tools: [{ googleSearch: {} }] },
    ],
    [
      'bedrock',
      'additionalModelRequestFields',
      '/model/m/converse',
      { messages: [], additionalModelRequestFields: {} },
    ],
    ['bedrock', 'guardrailConfig', '/model/m/converse', { messages: [], guardrailConfig: {} }],
    [
      'bedrock',
      'image',
      '/model/m/converse',
      { messages: [{ role: 'user', content: [{ toolResult: { content: [{ image: {} }] } }] }] },
    ],
    [
      'bedrock',
      'systemTool',
      '/model/m/converse',
      { messages: [], toolConfig: { tools: [{ systemTool: {} }] } },
    ],
  ];
  for (const [api, name, at, body] of cases)
    test(`${api}: ${name}`, () => {
      const asked = { at: on(at), body };
      assert.match(
        decide(rule(`api: ${api}, ${budget}`), asked),
        new RegExp(`"${name}" is not bounded by the budget`),
      );
      assert.equal(decide(rule(`api: ${api}, ${budget}, unbounded: ${name}`), asked), 'allow');
      assert.equal(decide(rule(`api: ${api}, outputTokens: 9`), asked), 'allow');
    });
});

test('a request field that chooses a class of service, and a stored prompt in place of a model, are named too', () => {
  const text = rule(`api: bedrock, ${budget}`);
  const said = (at: string, fields: [string, string][]): string => {
    const decision = policyOf(text).decide(
      principal(),
      {
        ...(access(at) as RequestAccess),
        headers: new HeaderList(fields),
        body: jsonBody('{"messages":[]}'),
      },
      nowMs,
    );
    return decision.effect === 'allow' ? 'allow' : decision.reason;
  };
  const at = 'POST https://a.example.com/model/m/converse';
  assert.equal(said(at, [['x-amzn-trace-id', 'x']]), 'allow');
  assert.match(
    said(at, [['X-Amzn_Bedrock-Service-Tier', 'priority']]),
    /"x-amzn-bedrock-service-tier" is not bounded/,
  );
  const stored = 'arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt%2FX';
  assert.match(said(`POST https://a.example.com/model/${stored}/converse`, []), /"prompt" is not bounded/);
});

describe('a rule that denies calls of models', () => {
  const text = `rules: [{ name: all, ${host} }, { name: no, ${host}, deny: true, llm: { api: openai-chat, models: "gpt-5*" } }]`;
  test('takes its models in any letter case, and what it cannot read', () => {
    assert.match(decide(text, { body: { model: 'GPT-5-mini', messages: user } }), /The rule no refuses/);
    assert.match(decide(text, { body: '{"model":"m","model":"gpt-5"}' }), /a second time/);
    assert.match(
      decide(text, {
        at: 'POST https://a.example.com/x/chat/completions',
        body: { model: 'gpt-5', messages: [] },
      }),
      /refuses/,
    );
    assert.equal(decide(text, {}), 'allow');
    assert.equal(decide(text, { at: 'POST https://a.example.com/other', body: { model: 'gpt-5' } }), 'allow');
  });
});

describe('what cannot be written', () => {
  const cases: readonly (readonly [text: string, problem: RegExp])[] = [
    [rule('api: openai'), /write the API of the service/],
    [rule('api: gemini, budget: { tokens: { session: 5 } }'), /without a cap could write without end/],
    [rule('api: gemini, outputTokens: 5, budget: {}'), /write how much it is/],
    [
      rule('api: gemini, outputTokens: 5, budget: { money: { session: 0.0000000001 } }'),
      /at most nine decimals/,
    ],
    [rule('api: gemini, outputTokens: 5, budget: { money: { week: 1 } }'), /week/],
    [rule('api: gemini, unbounded: x'), /without a budget all of it goes on/],
    [rule('api: gemini', ', methods: POST'), /"llm" says the methods/],
    [rule('api: gemini', ', mcp: { tools: x }, paths: /x'), /write two rules/],
    [rule('api: gemini, outputTokens: 5', ', deny: true'), /"outputTokens" has no meaning/],
    [
      `rules: [{ name: a, ${host}, llm: { api: openai-chat, ${budget} } }, { name: b, ${host} }]`,
      /the budget of "a" .* would not count; name other paths/,
    ],
    [
      `rules: [{ name: a, ${host}, llm: { api: openai-chat, ${budget} } }, { name: b, hosts: "*.example.com", paths: /v1/* }]`,
      /would not count/,
    ],
    [
      `rules: [{ name: a, ${host}, llm: { api: openai-chat, ${budget} } }, { name: b, ${host}, llm: { api: anthropic } }]`,
      /give it a budget, or name its models/,
    ],
    [
      `rules: [{ name: a, ${host}, llm: { api: openai-chat, ${budget} } }, { name: b, ${host}, tls: passthrough }]`,
      /would not count/,
    ],
  ];
  for (const [text, problem] of cases)
    test(text.slice(8, 100), () => assert.match(problems(text).join('\n'), problem));

  const beside: readonly (readonly [llm: string, paths: string, other: string])[] = [
    ['bedrock', '', 'paths: "/model/anthropic.*/converse"'],
    ['bedrock', '', 'paths: "/model/*/invoke"'],
    ['bedrock', '', 'paths: "/model/*/invoke-with-bidirectional-stream"'],
    ['bedrock', '', 'paths: /async-invoke'],
    ['gemini', '', String.raw`paths: '/v1beta/models/gemini-2.5-pro\:generateContent'`],
    ['anthropic', '', 'paths: /v1/messages/batches'],
    ['openai-chat', ', paths: "/openai/v1/chat/completions"', 'paths: "/openai/**"'],
    ['openai-chat', ', paths: "/openai/**"', 'paths: "/openai/v1/chat/completions"'],
    ['openai-chat', '', 'llm: { api: openai-chat, models: "*" }'],
  ];
  for (const [api, paths, other] of beside)
    test(`beside a budget of ${api}${paths}: ${other}`, () => {
      const text = `rules: [{ name: a, ${host}, llm: { api: ${api}, ${budget} }${paths} }, { name: b, ${host}, ${other} }]`;
      assert.match(problems(text).join('\n'), /would not count/);
    });
  for (const [paths, other] of [
    [', paths: "/openai/**"', 'paths: "/openai/files"'],
    ['', 'paths: "/model/*/list"'],
    ['', 'paths: "/v1/messages/count_tokens"'],
    ['', 'llm: { api: openai-chat, models: our-model }'],
  ])
    test(`beside a budget may stand ${other}`, () => {
      const text = `rules: [{ name: a, ${host}, llm: { api: openai-chat, ${budget} }${paths} }, { name: b, ${host}, ${other} }]`;
      assert.deepEqual(problems(text), []);
    });

  test('beside a budget other paths, other methods and other hosts may be allowed', () => {
    const others = ['paths: /v1/files/*', 'methods: GET'].map(
      (key, at) => `{ name: o${at}, ${host}, ${key} }`,
    );
    const text = `rules: [{ name: a, ${host}, llm: { api: openai-chat, ${budget} } }, ${others.join(', ')}, { name: c, hosts: b.example.com }]`;
    assert.deepEqual(problems(text), []);
  });
});

test('a ceiling without a budget lowers the cap, and one with a budget is refused when it is read', () => {
  const of = (cap: number) => {
    const decision = policyOf(rule(`api: openai-chat, outputTokens: ${cap}`)).decide(
      principal(),
      { ...(access(chat) as RequestAccess), body: jsonBody(JSON.stringify({ model: 'm', messages: user })) },
      nowMs,
    );
    assert.ok(decision.effect === 'allow');
    return decision;
  };
  const both = allowWithin(of(50), of(20));
  assert.equal(both.effect === 'allow' && both.llm?.outputTokens, 20);
});
