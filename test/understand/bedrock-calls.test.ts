// Calls by InvokeModel with the gateway between: what each took is charged, however it ends.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Agent, fetch, type Response } from 'undici';
import { openRequestPath } from '../gateway/support/request-path.ts';
import { memoryBudgets } from '../support/budget-store.ts';
import { openModelServer } from '../support/model-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const host = 'model.test';
const authority = createTestAuthority();
const cap = 100;
const tokens = 100_000;

const bodies: Readonly<Record<string, readonly [model: string, body: (text: string) => object]>> = {
  anthropic: [
    'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    (content) => ({ anthropic_version: 'bedrock-2023-05-31', messages: [{ role: 'user', content }] }),
  ],
  nova: ['amazon.nova-pro-v1:0', (text) => ({ messages: [{ role: 'user', content: [{ text }] }] })],
  llama: ['meta.llama3-1-8b-instruct-v1:0', (prompt) => ({ prompt })],
  mistral: ['mistral.mistral-large-2402-v1:0', (prompt) => ({ prompt })],
  cohere: ['cohere.command-r-v1:0', (message) => ({ message })],
};

interface Scene extends AsyncDisposable {
  readonly server: Awaited<ReturnType<typeof openModelServer>>;
  readonly path: ReturnType<typeof openRequestPath>;
  /** Tokens that are counted as spent. */
  readonly spent: () => number;
  call(
    family: string,
    streams: boolean,
    text: string,
    chunks?: number,
  ): Promise<Pick<Response, 'status' | 'headers'> & { readonly text: string }>;
}

async function openScene(pauseMs = 0): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await openModelServer(authority, host, { pauseMs }));
  const store = memoryBudgets();
  const path = stack.use(
    openRequestPath({
      policy: `rules: [{ name: models, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, llm: { api: bedrock, outputTokens: ${cap}, budget: { tokens: { session: ${tokens} } } } }]`,
      hosts: [host],
      trust: [authority.caPem],
      budgetStore: store,
    }),
  );
  const at = `${host}:${server.port}`;
  const dispatcher = new Agent({
    connect: (_options, done) => {
      path.tls(at).then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
  stack.defer(async () => await dispatcher.destroy());
  const owned = stack.move();
  return {
    server,
    path,
    spent: () => [...store.taken.values()].reduce((all, one) => all + one, 0),
    call: async (family, streams, text, chunks = Number.POSITIVE_INFINITY) => {
      const [model, body] = bodies[family]!;
      const leaving = new AbortController();
      const response = await fetch(
        `https://${at}/model/${encodeURIComponent(model)}/${streams ? 'invoke-with-response-stream' : 'invoke'}`,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-amzn-bedrock-accept': 'application/json' },
          body: JSON.stringify(body(text)),
          signal: leaving.signal,
          dispatcher,
        },
      );
      const { status, headers } = response;
      const reader = response.body!.getReader();
      const said: Uint8Array[] = [];
      try {
        for (let read = 0; read < chunks; read += 1) {
          const { done, value } = await reader.read();
          if (done) break;
          // undici has any for it.
          said.push(value as Uint8Array);
        }
        if (chunks < Number.POSITIVE_INFINITY) leaving.abort();
      } catch {
        // The service broke off.
      }
      return { status, headers, text: Buffer.concat(said).toString() };
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** Of the rest it is looked at by `npm run test:understanding`. */
const families =
  process.env['TEST_UNDERSTANDING'] === undefined ? ['anthropic', 'cohere'] : Object.keys(bodies);

for (const family of families)
  describe(`a model of ${family}`, () => {
    for (const streams of [false, true]) {
      const way = streams ? 'a stream' : 'a whole response';
      // Of these nothing says what they took unless they stream.
      const isSaid = streams || family !== 'cohere';

      test(`${way} is charged as its service bills it`, async () => {
        await using scene = await openScene();
        const { status } = await scene.call(family, streams, 'say 12 cached');
        assert.equal(status, 200);
        const { llm } = (await scene.path.events(1))[0]!;
        const billed = scene.server.billed[0]!;
        assert.deepEqual([billed.output, billed.isWhole], [12, true]);
        assert.deepEqual([llm?.api, llm?.model, llm?.streams], ['bedrock', bodies[family]![0], streams]);
        // The rule's cap went out.
        assert.match(scene.server.bodies[0]!, /"(?:max_tokens|maxTokens|max_gen_len)":100/);
        const took = billed.input + billed.cached + billed.output;
        if (isSaid) {
          assert.equal((llm?.inputTokens ?? 0) + (llm?.cachedTokens ?? 0), billed.input + billed.cached);
          assert.deepEqual([llm?.outputTokens, llm?.isEstimate], [12, undefined]);
          assert.equal(scene.spent(), took);
        } else {
          assert.deepEqual([llm?.outputTokens, llm?.isEstimate], [cap, true]);
          assert.equal(scene.spent(), (llm?.inputTokens ?? 0) + cap);
          assert.ok(scene.spent() >= took);
        }
      });

      test(`${way} that the service breaks off is charged, by no less than it bills`, async () => {
        await using scene = await openScene();
        await scene.call(family, streams, 'say 30 cut 7');
        const { llm } = (await scene.path.events(1))[0]!;
        const billed = scene.server.billed[0]!;
        const took = billed.input + billed.cached + billed.output;
        const isInFields = !streams && family !== 'cohere';
        assert.equal(llm?.isEstimate, isInFields ? undefined : true);
        if (isInFields) assert.equal(scene.spent(), took);
        else assert.ok(scene.spent() >= took && llm?.outputTokens === cap, `${scene.spent()} of ${took}`);
      });

      test(`${way} that fails is not charged`, async () => {
        await using scene = await openScene();
        const { status } = await scene.call(family, streams, 'fail 529');
        assert.equal(status, 529);
        await scene.path.events(1);
        assert.equal(scene.spent(), 0);
      });
    }

    test('a stream whose client hangs up is read on, and charged in full', async () => {
      await using scene = await openScene(1);
      await scene.call(family, true, 'say 40', 2);
      const { llm } = (await scene.path.events(1))[0]!;
      const billed = scene.server.billed[0]!;
      assert.deepEqual([billed.output, billed.isWhole], [40, true]);
      assert.deepEqual([llm?.outputTokens, llm?.isEstimate], [40, undefined]);
      assert.equal(scene.spent(), billed.input + billed.cached + 40);
    });
  });

test('what is left is held before the call, and a refusal is one that SDKs of Bedrock show', async () => {
  await using scene = await openScene();
  const { status, headers, text } = await scene.call('anthropic', true, `say 1 ${'x'.repeat(tokens)}`);
  assert.deepEqual([status, headers.get('x-amzn-errortype')], [403, 'AccessDeniedException']);
  assert.match(text, /"message":"upstreamproxy: the budget of the rule models has 100000 tokens/);
  assert.deepEqual([scene.server.billed.length, scene.spent()], [0, 0]);
});
