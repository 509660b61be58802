// Calls of models by the request path, before a service that keeps its own account.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Agent, fetch } from 'undici';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { type ModelServer, openModelServer } from '../../support/model-server.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const host = 'model.test';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly server: ModelServer;
  readonly taken: ReadonlyMap<string, number>;
  call(url: string, body: unknown, options?: { readonly signal?: AbortSignal }): ReturnType<typeof fetch>;
}

async function scene(llm: string, rest = ''): Promise<Scene> {
  const authority = createTestAuthority();
  const server = await openModelServer(authority, host);
  const store = memoryBudgets();
  const path = openRequestPath({
    policy: `rules: [{ name: models, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, llm: ${llm}${rest} }]`,
    hosts: [host],
    trust: [authority.caPem],
    budgetStore: store,
  });
  const at = `${host}:${server.port}`;
  const dispatcher = new Agent({
    connect: (_options, done) => {
      path.tls(at).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
  return {
    path,
    server,
    taken: store.taken,
    call: (url, body, options = {}) =>
      fetch(`https://${at}${url}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        dispatcher,
        ...options,
      }),
    [Symbol.asyncDispose]: async () => {
      await dispatcher.destroy();
      await path[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function last(path: RequestPath, count = 1): Promise<AuditEvent> {
  return (await path.events(count)).at(-1)!;
}

const said = (text: string) => [{ role: 'user', content: text }];
const chat = '/v1/chat/completions';
const small = '{ tokens: { session: 100000 } }';

describe('a call of a model', () => {
  test('goes through as its rule says, and the audit has what it took', async () => {
    await using one = await scene(
      `{ api: anthropic, models: "claude-*", outputTokens: 100, budget: ${small} }`,
    );
    const response = await one.call('/v1/messages', {
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      messages: said('say 20 cached'),
    });
    assert.equal(response.status, 200);
    await response.text();
    const { llm } = await last(one.path);
    const [billed] = one.server.billed;
    assert.deepEqual(llm, {
      api: 'anthropic',
      model: 'claude-sonnet-4-5',
      streams: false,
      inputTokens: billed?.input,
      cachedTokens: billed?.cached,
      cacheWrittenTokens: 0,
      outputTokens: 20,
      nanoUsd: billed!.input * 3000 + billed!.cached * 300 + 20 * 15_000,
    });
    const taken = billed!.input + billed!.cached + 20;
    assert.deepEqual([...one.taken], [['session-alice llm tokens rule models', taken]]);
  });

  test('gets the cap of its rule where it says none, and the stream tells what was used without the client noticing', async () => {
    await using one = await scene(`{ api: openai-chat, outputTokens: 30, budget: ${small} }`);
    const response = await one.call(chat, { model: 'gpt-5-mini', stream: true, messages: said('say 50') });
    const text = await response.text();
    assert.deepEqual(JSON.parse(one.server.bodies[0]!), {
      model: 'gpt-5-mini',
      stream: true,
      messages: said('say 50'),
      max_completion_tokens: 30,
      stream_options: { include_usage: true },
    });
    assert.equal(text.match(/word /g)?.length, 30);
    assert.ok(text.endsWith('data: [DONE]\n\n'));
    assert.doesNotMatch(text, /"choices":\[\]/);
    const { llm } = await last(one.path);
    assert.deepEqual(llm?.set, ['max_completion_tokens', 'stream_options.include_usage']);
    assert.equal(llm?.outputTokens, 30);
    assert.equal(llm?.isEstimate, undefined);
  });

  test('of a client that hangs up is read on, and costs what it took', async () => {
    await using one = await scene(`{ api: anthropic, outputTokens: 400, budget: ${small} }`);
    const leaving = new AbortController();
    const response = await one.call(
      '/v1/messages',
      { model: 'claude-sonnet-4-5', max_tokens: 400, stream: true, messages: said('say 300') },
      { signal: leaving.signal },
    );
    await response.body?.getReader().read();
    leaving.abort();
    const { llm, verdict } = await last(one.path);
    assert.deepEqual([verdict, llm?.outputTokens, llm?.isEstimate], ['error', 300, undefined]);
    assert.equal(one.server.billed[0]?.isWhole, true);
  });

  test('that breaks off costs what was read and the most that could have been written', async () => {
    await using one = await scene(`{ api: anthropic, outputTokens: 400, budget: ${small} }`);
    const response = await one.call('/v1/messages', {
      model: 'claude-sonnet-4-5',
      max_tokens: 200,
      stream: true,
      messages: said('say 100 cut 7'),
    });
    await assert.rejects(response.text());
    const { llm } = await last(one.path);
    assert.deepEqual(
      [llm?.inputTokens, llm?.outputTokens, llm?.isEstimate],
      [one.server.billed[0]?.input, 200, true],
    );
  });

  test('that the service refuses costs nothing', async () => {
    await using one = await scene(`{ api: gemini, outputTokens: 400, budget: ${small} }`);
    const response = await one.call('/v1beta/models/gemini-2.5-flash:generateContent', {
      contents: [{ role: 'user', parts: [{ text: 'fail 504' }] }],
    });
    assert.equal(response.status, 504);
    await response.text();
    const { llm } = await last(one.path);
    // Nobody knows whether the service behind the one that failed was asked.
    assert.equal(llm?.isEstimate, true);
    const refused = await one.call('/v1beta/models/gemini-2.5-flash:generateContent', {
      contents: [{ role: 'user', parts: [{ text: 'fail 429' }] }],
    });
    await refused.text();
    const { llm: second } = await last(one.path, 2);
    assert.deepEqual([second?.inputTokens, second?.outputTokens, second?.nanoUsd], [0, 0, 0]);
  });

  test('beyond the budget is refused as its service refuses, with what is left, and reaches nobody', async () => {
    await using one = await scene(
      '{ api: openai-chat, outputTokens: 30, budget: { money: { session: 0.0001, day: 5 } } }',
    );
    const response = await one.call(chat, { model: 'gpt-5-mini', messages: said('say 5') });
    assert.deepEqual([response.status, response.headers.get('x-should-retry')], [403, 'false']);
    const { error } = (await response.json()) as { error: { message: string } };
    assert.match(
      error.message,
      /has \$0\.0001 of \$0\.0001 left for this session, and this call can take up to \$0\.0006/,
    );
    assert.equal(one.server.bodies.length, 0);
    const event = await last(one.path);
    assert.deepEqual([event.verdict, event.errorCode], ['deny', 'limit_exceeded']);
  });

  test('of a model without a price is refused under a budget of money', async () => {
    await using one = await scene('{ api: openai-chat, outputTokens: 30, budget: { money: { day: 5 } } }');
    const response = await one.call(chat, { model: 'gpt-99', messages: said('say 5') });
    assert.match(await response.text(), /no price for the model \\"gpt-99\\"/);
    assert.equal(one.server.bodies.length, 0);
  });
});
