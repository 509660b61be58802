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
/** On a machine with two cores that move the bulk at the same time; without flow control it would be seconds. */
const latencyMsMax = 400;

let origin: Origin;
let set: Deployment;
let agent: AgentProcess;
let target: ProxyTarget;
let expected: string;

before(async () => {
  const authority = createTestAuthority();
  // It writes its pattern as fast as it is read.
  origin = await httpsOrigin({ authority });
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
  /** Ends the watch; gives the growth of each process and the latencies of the other stream. */
  stop(): Promise<{
    readonly growth: Readonly<Record<string, number>>;
    readonly latenciesMs: readonly number[];
  }>;
}

/** Watches both processes, and sends a small request on a stream of its own every 50 ms. */
async function watch(): Promise<Watch> {
  const pids = { agent: agent.pid, gateway: set.gateway.pid };
  const baseline = {
    agent: (await residentBytes(pids.agent)).now,
    gateway: (await residentBytes(pids.gateway)).now,
  };
  const highest = { ...baseline };
  const client = await agentThrough(target);
  const latenciesMs: number[] = [];
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      const started = performance.now();
      assert.equal(await text(await requestThrough(client, target, { path: '/hello' })), 'hello\n');
      latenciesMs.push(performance.now() - started);
      for (const name of ['agent', 'gateway'] as const) {
        highest[name] = Math.max(highest[name], (await residentBytes(pids[name])).now);
      }
      await delay(50);
    }
  })();
  return {
    stop: async () => {
      stopped.abort();
      await loop;
      client.destroy();
      const growth = { agent: highest.agent - baseline.agent, gateway: highest.gateway - baseline.gateway };
      return { growth, latenciesMs };
    },
  };
}

async function assertBounded(name: string, watched: Watch): Promise<void> {
  const { growth, latenciesMs } = await watched.stop();
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN);
  const megabytes = (bytes = 0): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  const facts = `${name}: agent +${megabytes(growth['agent'])}, gateway +${megabytes(growth['gateway'])}; other stream p50 ${at(0.5)} ms, p99 ${at(0.99)} ms of ${sorted.length}`;
  assert.ok(sorted.length > 10, facts);
  for (const bytes of Object.values(growth)) assert.ok(bytes < growthBytesMax, facts);
  assert.ok(at(0.99) < latencyMsMax, facts);
  console.log(facts);
}

/** Stands still for a while at the beginning and now and then, as a reader does whose disk is full. */
function pauseMs(received: number): number {
  if (received < 1024 ** 2) return 1500;
  return received % (256 * 1024 ** 2) < 64 * 1024 ? 300 : 0;
}

test(
  '1 GiB down arrives whole at a slow reader, and memory and other streams do not notice',
  { timeout: 170_000 },
  async () => {
    const watched = await watch();
    const client = await agentThrough(target);
    const answer = await requestThrough(client, target, { path: `/bytes/${bulkBytes}?seed=${seed}` });
    assert.equal(answer.statusCode, 200);
    const hash = createHash('sha256');
    let received = 0;
    let pauses = 0;
    for await (const chunk of answer) {
      hash.update(chunk as Buffer);
      received += (chunk as Buffer).length;
      if (received < 1024 ** 2 ? pauses === 0 : pauseMs(received) > 0) {
        pauses += 1;
        await delay(pauseMs(received));
      }
    }
    client.destroy();
    assert.equal(received, bulkBytes);
    assert.equal(hash.digest('hex'), expected);
    assert.ok(pauses > 0);
    await assertBounded('down', watched);
  },
);

test(
  '1 GiB up arrives whole at a slow origin, and memory and other streams do not notice',
  { timeout: 170_000 },
  async () => {
    const watched = await watch();
    const client = await agentThrough(target);
    const answer = await requestThrough(client, target, {
      method: 'POST',
      path: '/sink?pause=1500',
      // Chunked: the length is not known.
      body: (async function* () {
        yield* patternPieces(bulkBytes, seed);
      })(),
    });
    assert.equal(answer.statusCode, 200);
    assert.partialDeepStrictEqual(JSON.parse(await text(answer)), { bytes: bulkBytes, sha256: expected });
    client.destroy();
    await assertBounded('up', watched);
  },
);
