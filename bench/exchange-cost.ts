// What one exchange costs between a client's bytes and its origin's response: parsing, decision, heads, metrics and audit, in one process and
// with an origin that responds at once. Processor time of the main thread and of the others, in windows: the quietest counts.
// usage: node bench/exchange-cost.ts [--windows N] [--requests N] [--unchained]: without the chain of the audit

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { type AuditLog, openAuditLog } from '../src/gateway/audit/audit-log.ts';
import { CredentialSet } from '../src/gateway/credentials/credential-set.ts';
import { LearnedIds } from '../src/gateway/exchange/learned-ids.ts';
import { ListedTools } from '../src/gateway/exchange/listed-tools.ts';
import { ModelBudgets } from '../src/gateway/exchange/model-budgets.ts';
import { SessionBudgets } from '../src/gateway/exchange/session-budgets.ts';
import type { Forwarder } from '../src/gateway/forward/forwarder.ts';
import { RuleTrust } from '../src/gateway/forward/rule-trust.ts';
import { HttpFront } from '../src/gateway/front/http-front.ts';
import { countingSink, Metrics } from '../src/gateway/metrics.ts';
import { createSigningKey } from '../src/gateway/sessions/signing-key.ts';
import { PublishTimes } from '../src/gateway/packages/publish-times.ts';
import { SeenVersions } from '../src/gateway/packages/seen-versions.ts';
import { memoryFirstSeen } from '../test/support/first-seen-store.ts';
import { LiveGrants } from '../src/gateway/policies/live-grants.ts';
import { encodeRequestHead } from '../src/http/request-writer.ts';
import { parsePolicy } from '../src/policy/parse-policy.ts';
import { HeldOctets, unreadBounds } from '../src/protocol/held-octets.ts';
import { LlmPrices } from '../src/understand/llm-prices.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import { openStore } from '../src/store/open-store.ts';

const { values } = parseArgs({
  options: {
    windows: { type: 'string', default: '300' },
    requests: { type: 'string', default: '320' },
    unchained: { type: 'boolean', default: false },
  },
});
const connections = 16;
const windows = Number(values.windows);
const requests = Math.ceil(Number(values.requests) / connections) * connections;
const host = 'origin.test';
const head = `GET /small HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: curl/8.1\r\nAccept: */*\r\n\r\n`;
const body = Buffer.alloc(1024, 0x63);
const responseFields = [
  'content-length',
  '1024',
  'Date',
  'Thu, 01 Jan 2026 00:00:00 GMT',
  'Connection',
  'keep-alive',
  'Keep-Alive',
  'timeout=60',
];

/** An origin that responds at once; the head of the request is made, as it would be sent. */
const forwarder: Forwarder = {
  forward: async (request, receiver) => {
    encodeRequestHead(request.head, 'none');
    request.onConnection?.({ address: '192.0.2.1', isKept: true });
    receiver.onHead(200, responseFields);
    receiver.onData(body, () => undefined);
    receiver.onComplete?.();
    return { protocol: 'http/1.1' };
  },
  upgrade: () => Promise.reject(new Error('nothing is upgraded')),
  [Symbol.asyncDispose]: async () => undefined,
};

/** A client that sends its next request when it has the response. */
class Client extends Duplex {
  #left = 0;
  readonly #onDone: () => void;

  constructor(onDone: () => void) {
    super();
    this.#onDone = onDone;
  }

  begin(count: number): void {
    this.#left = count;
    this.#ask();
  }

  #ask(): void {
    this.push(head, 'latin1');
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#next(callback);
  }

  override _writev(_chunks: unknown, callback: () => void): void {
    this.#next(callback);
  }

  #next(callback: () => void): void {
    callback();
    this.#left -= 1;
    if (this.#left > 0) setImmediate(() => this.#ask());
    else this.#onDone();
  }
}

function quiet(list: readonly number[]): string {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1);
  return `least ${at(0)}, tenth ${at(0.1)}, quarter ${at(0.25)}, median ${at(0.5)}`;
}

/** What one window took of the main thread and of the others, in microseconds an exchange. */
type Took = readonly [main: number, others: number];

async function openFront(stack: AsyncDisposableStack): Promise<{ front: HttpFront; audit: AuditLog }> {
  const directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const store = stack.use(await openStore(`sqlite:${join(directory, 'state.db')}`));
  if (!values.unchained) await store.audit.chain.begin(createSigningKey());
  const limits = { ...defaultLimits, auditEventsPerSecondMax: 1e6, auditBytesPerSecondMax: 2e9 };
  const audit = stack.use(await openAuditLog({ store: store.audit, limits }));
  const result = parsePolicy([{ file: 'policy', text: `rules: [{ name: bench, hosts: ${host} }]` }]);
  if ('problems' in result) throw new Error(result.problems[0]?.message);
  const { policy } = result;
  const front = new HttpFront({
    policy: () => policy,
    credentials: stack.use(new CredentialSet({}, {}, () => Promise.reject(new Error('no service')))),
    audit: countingSink(audit, new Metrics()),
    forwarder,
    budgets: stack.use(new SessionBudgets(store.budgets, { limits })),
    tools: new ListedTools(),
    ids: new LearnedIds(new HeldOctets(limits)),
    models: new ModelBudgets(store.budgets, { prices: new LlmPrices([]), clock: Date.now }),
    held: new HeldOctets(limits),
    unread: new HeldOctets(limits, unreadBounds),
    live: new LiveGrants(),
    publishTimes: new PublishTimes(defaultLimits, Date.now),
    seenVersions: new SeenVersions(memoryFirstSeen(), Date.now),
    ruleTrust: new RuleTrust({}, new Map()),
    limits,
    clock: Date.now,
  });
  stack.defer(() => front.close());
  return { front, audit };
}

async function measured(work: () => Promise<void>): Promise<Took> {
  const [all, own] = [process.cpuUsage(), process.threadCpuUsage()];
  await work();
  const [allAfter, ownAfter] = [process.cpuUsage(all), process.threadCpuUsage(own)];
  const ownUs = ownAfter.user + ownAfter.system;
  return [ownUs / requests, (allAfter.user + allAfter.system - ownUs) / requests];
}

async function main(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { front, audit } = await openFront(stack);
  const destination = { scheme: 'https', host, port: 443 } as const;
  let waiting = 0;
  let done = Promise.withResolvers<void>();
  const clients = Array.from({ length: connections }, (_, i) => {
    const client = new Client(() => {
      waiting -= 1;
      if (waiting === 0) done.resolve();
    });
    const principal = { id: 'bench', sessionId: `session-${i}`, claims: {}, posture: [] };
    const scene = { principal, destination, protocol: 'TLSv1.3' };
    front.serve(client, { scene, abort: () => client.destroy() });
    return client;
  });
  const took: Took[] = [];
  for (let window = 0; window < windows; window += 1) {
    const one = await measured(async () => {
      waiting = connections;
      done = Promise.withResolvers<void>();
      for (const client of clients) client.begin(requests / connections);
      await done.promise;
      await audit.flush();
      await nextTurn();
    });
    // The first third warms up.
    if (window * 3 >= windows) took.push(one);
  }
  console.log(`main thread, µs an exchange: ${quiet(took.map(([main]) => main))}`);
  console.log(`other threads:               ${quiet(took.map(([, others]) => others))}`);
}

await main();
