// One GiB each way through agent and gateway, with a reader that is slow, while another stream works.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, test } from 'node:test';

import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { patternHash, patternPieces } from '../support/pattern-bytes.ts';
import { residentBytes } from '../support/program.ts';
import { agentThrough, requestThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const bulkBytes = 1024 ** 3;
const seed = 7;
/** The tunnel's connection window, both socket buffers and the garbage between two collections. */
const growthBytesMax = 256 * 1024 ** 2;
/** What may be ahead of a small response: the tunnel's connection window. Without flow control it is all of the bulk. */
const behindBytesMax = 64 * 1024 ** 2;
/** So many responses come on the other stream while a reader stands still: without flow control, none. */
const responsesHeld = 20;

let origin: Origin;
let set: Deployment;
let agent: AgentProcess;
let target: ProxyTarget;
let expected: string;
let watched: Watch;

before(async () => {
  const authority = createTestAuthority();
  // It writes its pattern as fast as it is read.
  origin = await httpsOrigin({ authority, hold: () => watched.responses(responsesHeld) });
  const rule = { name: 'bulk', hosts: ['bulk.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
  set = await deploy({ rules: [rule], hosts: { 'bulk.test': '127.0.0.1' }, authority });
  agent = await set.startAgent();
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  target = { relayPort: agent.relayPort, host: 'bulk.test', port: origin.port, ca };
  expected = patternHash(bulkBytes, seed);
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
});

interface Watch {
  /** Resolves when so many questions were asked on the other stream from now on, and responded. */
  responses(count: number): Promise<void>;
  /** Ends the watch; gives the growth of each process and the latencies of the other stream. */
  stop(): Promise<{
    readonly growth: Readonly<Record<string, number>>;
    readonly latenciesMs: readonly number[];
    readonly behindBytes: readonly number[];
  }>;
}

/** Watches both processes, and sends a small request on a stream of its own every 50 ms; `moved` is the bulk so far. */
async function watch(moved: () => number): Promise<Watch> {
  const pids = { agent: agent.pid, gateway: set.gateway.pid };
  const baseline = {
    agent: (await residentBytes(pids.agent)).now,
    gateway: (await residentBytes(pids.gateway)).now,
  };
  const highest = { ...baseline };
  const client = await agentThrough(target);
  const latenciesMs: number[] = [];
  const behindBytes: number[] = [];
  const waiting = new Map<() => void, number>();
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      const [started, before] = [performance.now(), moved()];
      assert.equal(await text(await requestThrough(client, target, { path: '/hello' })), 'hello\n');
      latenciesMs.push(performance.now() - started);
      behindBytes.push(moved() - before);
      for (const [resolve, count] of waiting) if (latenciesMs.length >= count) resolve();
      for (const name of ['agent', 'gateway'] as const) {
        highest[name] = Math.max(highest[name], (await residentBytes(pids[name])).now);
      }
      await delay(50);
    }
  })();
  return {
    responses: async (count) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      // One more: a question may be on its way, asked before.
      waiting.set(resolve, latenciesMs.length + count + 1);
      await Promise.race([promise, loop]);
      waiting.delete(resolve);
    },
    stop: async () => {
      stopped.abort();
      await loop;
      client.destroy();
      const growth = { agent: highest.agent - baseline.agent, gateway: highest.gateway - baseline.gateway };
      return { growth, latenciesMs, behindBytes };
    },
  };
}

async function assertBounded(name: string): Promise<void> {
  const { growth, latenciesMs, behindBytes } = await watched.stop();
  const shareOf = (values: readonly number[], share: number): number =>
    Math.round(values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN);
  const at = (share: number): number => shareOf(latenciesMs, share);
  const behind = shareOf(behindBytes, 0.99);
  const megabytes = (bytes = 0): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  const facts = `${name}: agent +${megabytes(growth['agent'])}, gateway +${megabytes(growth['gateway'])}; other stream p50 ${at(0.5)} ms, p99 ${at(0.99)} ms of ${latenciesMs.length}, behind ${megabytes(behind)}`;
  assert.ok(latenciesMs.length > responsesHeld, facts);
  for (const bytes of Object.values(growth)) assert.ok(bytes < growthBytesMax, facts);
  // How soon is a matter of the machine; behind how much of the bulk is not.
  assert.ok(behind < behindBytesMax, facts);
  console.log(facts);
}

/** Stands still for so many responses at the beginning and now and then, as a reader does whose disk is full. */
function standsStillFor(received: number): number {
  if (received < 1024 ** 2) return responsesHeld;
  return received % (256 * 1024 ** 2) < 64 * 1024 ? 4 : 0;
}

test(
  '1 GiB down arrives whole at a slow reader, and memory and other streams do not notice',
  { timeout: 170_000 },
  async () => {
    let received = 0;
    watched = await watch(() => received);
    const client = await agentThrough(target);
    const response = await requestThrough(client, target, { path: `/bytes/${bulkBytes}?seed=${seed}` });
    assert.equal(response.statusCode, 200);
    const hash = createHash('sha256');
    let pauses = 0;
    for await (const chunk of response) {
      hash.update(chunk as Buffer);
      received += (chunk as Buffer).length;
      const responses = standsStillFor(received);
      if (received < 1024 ** 2 ? pauses === 0 : responses > 0) {
        pauses += 1;
        await watched.responses(responses);
      }
    }
    client.destroy();
    assert.equal(received, bulkBytes);
    assert.equal(hash.digest('hex'), expected);
    assert.ok(pauses > 0);
    await assertBounded('down');
  },
);

test(
  '1 GiB up arrives whole at a slow origin, and memory and other streams do not notice',
  { timeout: 170_000 },
  async () => {
    watched = await watch(() => origin.requests.find(({ method }) => method === 'POST')?.bodyBytes ?? 0);
    const client = await agentThrough(target);
    const response = await requestThrough(client, target, {
      method: 'POST',
      path: '/sink?held',
      // Chunked: the length is not known.
      body: (async function* () {
        yield* patternPieces(bulkBytes, seed);
      })(),
    });
    assert.equal(response.statusCode, 200);
    assert.partialDeepStrictEqual(JSON.parse(await text(response)), { bytes: bulkBytes, sha256: expected });
    client.destroy();
    await assertBounded('up');
  },
);
