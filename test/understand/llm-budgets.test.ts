// Fifty calls at once, over two gateways on one store, cut by their clients and by the service at moments that a seed chooses: no more is
// taken than the budget has, and the audit says what the service bills.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Agent, fetch } from 'undici';
import type { LlmFacts } from '../../src/api/audit-facts.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { openStore } from '../../src/store/open-store.ts';
import { seeded } from '../support/seeded.ts';
import { newSession } from '../conformance/new-session.ts';
import { openRequestPath, type RequestPath } from '../gateway/support/request-path.ts';
import { openModelServer } from '../support/model-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const host = 'model.test';
const rounds = process.env['TEST_UNDERSTANDING'] === undefined ? 1 : 5;
const calls = 50;

/** Whole numbers below one, as a seed decides. */
function chance(seed: number): (below: number) => number {
  const random = seeded(seed);
  return (below) => Math.floor(random() * below);
}

const inInvoke = (model: string): string => `/model/${model}/invoke-with-response-stream`;

/** By the API, and what of it is meant. */
const requests: Readonly<
  Record<string, (text: string, cap: number) => readonly [path: string, body: object]>
> = {
  'openai-chat': (content, cap) => [
    '/v1/chat/completions',
    { model: 'gpt-5-mini', stream: true, max_completion_tokens: cap, messages: [{ role: 'user', content }] },
  ],
  'openai-responses': (input, cap) => [
    '/v1/responses',
    { model: 'gpt-5-mini', stream: true, max_output_tokens: cap, input },
  ],
  anthropic: (content, cap) => [
    '/v1/messages',
    { model: 'claude-sonnet-5', stream: true, max_tokens: cap, messages: [{ role: 'user', content }] },
  ],
  gemini: (text, cap) => [
    '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    { contents: [{ role: 'user', parts: [{ text }] }], generationConfig: { maxOutputTokens: cap } },
  ],
  bedrock: (text, cap) => [
    '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream',
    { messages: [{ role: 'user', content: [{ text }] }], inferenceConfig: { maxTokens: cap } },
  ],
  'bedrock anthropic': (content, cap) => [
    inInvoke('us.anthropic.claude-sonnet-4-5-20250929-v1%3A0'),
    {
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: cap,
      messages: [{ role: 'user', content }],
    },
  ],
  'bedrock nova': (text, cap) => [
    inInvoke('amazon.nova-pro-v1%3A0'),
    { messages: [{ role: 'user', content: [{ text }] }], inferenceConfig: { max_new_tokens: cap } },
  ],
  'bedrock llama': (prompt, cap) => [
    inInvoke('meta.llama3-1-8b-instruct-v1%3A0'),
    { prompt, max_gen_len: cap },
  ],
  'bedrock cohere': (message, cap) => [inInvoke('cohere.command-r-v1%3A0'), { message, max_tokens: cap }],
};
const kinds = Object.keys(requests);
const apis = kinds.filter((kind) => !kind.includes(' '));

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
const tokensIn = (facts: LlmFacts | undefined): number =>
  sum(
    [facts?.inputTokens, facts?.cachedTokens, facts?.cacheWrittenTokens, facts?.outputTokens].map(
      (one) => one ?? 0,
    ),
  );

function agentOf(path: RequestPath, at: string, principal: string): Agent {
  return new Agent({
    connect: (_options, done) => {
      path.tls(at, { principal }).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
}

/** Reads so many chunks, and hangs up. Gives the status. */
async function call(
  dispatcher: Agent,
  [url, body]: readonly [string, object],
  chunks: number,
): Promise<number> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: leaving.signal,
    dispatcher,
  });
  if (response.status !== 200) {
    await response.text();
    return response.status;
  }
  const reader = response.body?.getReader();
  try {
    for (let at = 0; at < chunks; at += 1) if ((await reader?.read())?.done === true) break;
  } catch {
    // The service broke off.
  }
  leaving.abort();
  return 200;
}

describe('fifty calls at once, cut at random', () => {
  for (let round = 0; round < rounds; round += 1)
    for (const breaks of [false, true])
      test(`seed ${round}, ${breaks ? 'by the service too' : 'by clients alone'}`, async () => {
        const random = chance(1000 * round + Number(breaks));
        const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-llm-'));
        const authority = createTestAuthority();
        await using server = await openModelServer(authority, host, { pauseMs: 1 });
        await using store = await openStore(`sqlite:${join(folder, 'state.db')}`);
        for (const [at, id] of ['session-one', 'session-two'].entries())
          await store.sessions.enrol(newSession(id, { tokenKey: `t${at}`, principalId: 'issuer|alice' }), {
            enrolmentsPerTokenMax: 1,
          });
        const budget = 60_000 + random(60_000);
        const rules = apis.map(
          (api) =>
            `{ name: ${api}, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, llm: { api: ${api}, outputTokens: 400, budget: { name: all, tokens: { day: ${budget} }, money: { day: 50 } } } }`,
        );
        const open = (): RequestPath =>
          openRequestPath({
            policy: `rules: [${rules.join(', ')}]`,
            hosts: [host],
            trust: [authority.caPem],
            budgetStore: store.budgets,
            // Fifty handshakes at once take longer where others want the processor too.
            limits: { ...defaultLimits, connectTimeoutMs: 120_000, handshakeTimeoutMs: 120_000 },
          });
        await using one = open();
        await using two = open();
        const at = `${host}:${server.port}`;
        const agents = [one, two].flatMap((path) =>
          ['alice/one', 'alice/two'].map((principal) => agentOf(path, at, principal)),
        );
        try {
          const statuses = await Promise.all(
            Array.from({ length: calls }, () => {
              const [path, body] = requests[kinds[random(kinds.length)]!]!(
                `say ${1 + random(300)} ${random(2) === 0 ? 'cached' : ''} ${breaks && random(3) === 0 ? `cut ${random(80)}` : ''} ${'x'.repeat(random(2000))}`,
                50 + random(350),
              );
              const isWhole = random(3) === 0;
              return call(
                agents[random(agents.length)]!,
                [`https://${at}${path}`, body],
                isWhole ? 1e9 : random(60),
              );
            }),
          );
          await waitFor(() => one.audit.length + two.audit.length >= calls);
          const events = [...one.audit, ...two.audit];
          const served = events.filter(({ verdict }) => verdict !== 'deny');
          assert.equal(served.length, statuses.filter((status) => status === 200).length);
          assert.ok(served.length > 5 && served.length < calls, `${served.length} served`);
          const billed = sum(server.billed.map(({ input, cached, output }) => input + cached + output));
          const audited = sum(served.map(({ llm }) => tokensIn(llm)));
          assert.equal(server.billed.length, served.length);
          assert.ok(billed <= budget && audited <= budget, `${billed} billed, ${audited} told, of ${budget}`);
          if (breaks) assert.ok(audited >= billed, `${audited} told, ${billed} billed`);
          else {
            assert.equal(audited, billed);
            assert.ok(served.every(({ llm }) => llm?.isEstimate === undefined));
          }
          // What is left is what the service has not billed: another call of that size fits, and none that is larger.
          const day = new Date().toISOString().slice(0, 10);
          const owner = { sessionId: 'session-one', principalId: 'issuer|alice' };
          const share = { of: 'principal', budget: `llm tokens ${day} budget all`, max: budget } as const;
          const outcome = await store.budgets.reserve(owner, [{ ...share, amount: budget }], {
            budgetsPerSessionMax: 10,
          });
          assert.deepEqual(outcome, { kind: 'short', share: 0, left: budget - audited });
        } finally {
          await Promise.all(agents.map((agent) => agent.destroy()));
          await rm(folder, { recursive: true, force: true });
        }
      });
});

async function waitFor(isThere: () => boolean): Promise<void> {
  while (!isThere()) await new Promise((resolve) => void setImmediate(resolve));
}
