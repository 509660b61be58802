// One who takes what is for all: connections of strangers, addresses that are many for one, rows of the store, lines of the log, octets
// behind the end of a coding. Each share is bounded by whose it is, and others find theirs.

import {
  brotliCompressSync,
  brotliDecompressSync,
  gzipSync,
  gunzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';

import fc from 'fast-check';

import { gatewayLog } from '../../../src/cli/gateway/gateway-log.ts';
import { EnrolmentFailures, FailureRate } from '../../../src/gateway/admission/enrolment-failures.ts';
import { sourceKey } from '../../../src/gateway/admission/source-key.ts';
import { StrangerConnections } from '../../../src/gateway/admission/stranger-connections.ts';
import { ResponseDecoder } from '../../../src/gateway/scrub/response-decoder.ts';
import { senderAddress } from '../../../src/http/forwarded.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { TokenBucket } from '../../../src/protocol/token-bucket.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { accessRequest } from '../../conformance/store.ts';
import { newSession } from '../../conformance/new-session.ts';
import type { AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

const bounds = { strangersMax: 40, strangersPerSourceMax: 5 };

interface Arrivals {
  readonly attacker: number;
  readonly known: number;
}

/** Connections of one source, beside those of sessions that come, show themselves and stay. */
function crowded(
  { attacker, known }: Arrivals,
  release: (strangers: StrangerConnections, id: string) => void,
): Finding {
  const strangers = new StrangerConnections(bounds);
  for (let i = 0; i < known; i += 1) {
    const id = `known ${i}`;
    if (strangers.admit(id, '203.0.113.7') !== undefined) return `session ${i} found no room`;
    release(strangers, id);
  }
  let taken = 0;
  for (let i = 0; i < attacker; i += 1)
    if (strangers.admit(`attacker ${i}`, '198.51.100.9') === undefined) taken += 1;
  if (taken > bounds.strangersPerSourceMax) return `${taken} of one source`;
  return strangers.admit('new', '203.0.113.7') === undefined ? undefined : 'a newcomer found no room';
}

const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 });
/** Addresses of one who has a /64, or one address of IPv4 in its two forms. */
const ofOne = fc.oneof(
  fc
    .tuple(groups, fc.array(groups, { minLength: 10, maxLength: 20 }))
    .map(([net, hosts]) => hosts.map((host) => [...net, ...host].map((one) => one.toString(16)).join(':'))),
  fc
    .tuple(fc.integer({ min: 1, max: 200 }), fc.array(fc.boolean(), { minLength: 10, maxLength: 20 }))
    .map(([last, mapped]) => mapped.map((isMapped) => `${isMapped ? '::ffff:' : ''}192.0.2.${last}`)),
);

function sources(addresses: readonly string[], keyOf: (address: string) => string): Finding {
  const keys = new Set(addresses.map(keyOf));
  return keys.size === 1 ? undefined : `${keys.size} sources for one`;
}

/** How often one source hears why its token failed, within a moment. */
async function guessed(addresses: readonly string[], spread: (address: string) => string): Promise<Finding> {
  const failures = new EnrolmentFailures(
    new FailureRate({ perSecondMax: 3, sourcesMax: 100, clock: () => 0 }),
    0,
  );
  const refusal = new ProxyError('token_invalid', 'no');
  let heard = 0;
  for (const address of addresses)
    if ((await failures.told(spread(address), refusal)) === refusal) heard += 1;
  return heard > 3 ? `${heard} guesses in a moment` : undefined;
}

const trusted = (address: string): boolean => address.startsWith('10.');
const forged = fc.constantFrom('203.0.113.1', '10.9.9.9', '[2001:db8::1]', 'unknown', '_hidden', '');

interface Hops {
  readonly forged: readonly string[];
  /** Of balancers, behind the one that the client reached. */
  readonly balancers: readonly string[];
  readonly field: 'forwarded' | 'xForwardedFor';
}

const hops: fc.Arbitrary<Hops> = fc.record({
  forged: fc.array(forged, { maxLength: 4 }),
  balancers: fc.array(fc.constantFrom('10.0.0.1', '10.0.0.2'), { maxLength: 2 }),
  field: fc.constantFrom('forwarded', 'xForwardedFor'),
});

/** The real client is 198.51.100.9; what stands left of it, it wrote itself. */
function believed(
  { forged: written, balancers, field }: Hops,
  read: (values: readonly string[], hopsOf: Hops) => string,
): Finding {
  const entries = [...written, '198.51.100.9', ...balancers];
  const form = (entry: string): string => (field === 'forwarded' ? `for="${entry}";proto=https` : entry);
  const sender = read(entries.map(form), { forged: written, balancers, field });
  return sender === '198.51.100.9' ? undefined : `${sender} was believed`;
}

const codings = {
  gzip: [gzipSync, gunzipSync],
  br: [brotliCompressSync, brotliDecompressSync],
  zstd: [zstdCompressSync, zstdDecompressSync],
} as const;

interface Behind {
  readonly coding: keyof typeof codings;
  readonly text: string;
  readonly more: number;
  readonly isApart: boolean;
}

async function decoded({ coding, text, more, isApart }: Behind): Promise<Finding> {
  const decoder = new ResponseDecoder({
    coding,
    host: 'origin.test',
    signal: AbortSignal.timeout(20_000),
    take: () => true,
    onDrain: () => undefined,
  });
  const [encode] = codings[coding];
  const [body, rest] = [encode(Buffer.from(text)), Buffer.alloc(more, 'x')];
  try {
    for (const piece of isApart ? [body, rest] : [Buffer.concat([body, rest])]) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (!decoder.push(piece, resolve)) await promise;
    }
    await decoder.end();
  } catch (error) {
    return error instanceof ProxyError && error.code === 'origin_malformed' ? undefined : String(error);
  }
  return 'octets behind the end were taken';
}

/** Some decoders of the runtime stop at the end, and never say what is behind it. */
function runtimeTakes({ coding, text, more }: Behind): Finding {
  const [encode, decode] = codings[coding];
  try {
    decode(Buffer.concat([encode(Buffer.from(text)), Buffer.alloc(more, 'x')]));
    return 'octets behind the end were taken';
  } catch {
    return undefined;
  }
}

const accessBounds = {
  accessPendingPerSessionMax: 3,
  accessRequestsPerSessionMax: 5,
  accessPendingPerPrincipalMax: 8,
  accessRequestsPerPrincipalMax: 12,
  accessRequestsMax: 40,
};

interface Filings {
  readonly sessions: number;
  readonly each: number;
}

/** Many sessions of one principal file what they can; another principal files once. */
async function filed({ sessions, each }: Filings, limits: typeof accessBounds): Promise<Finding> {
  await using store = await openStore('sqlite::memory:');
  const open = async (id: string, principalId: string): Promise<void> => {
    await store.sessions.enrol(newSession(id, { tokenKey: id, principalId }), { enrolmentsPerTokenMax: 10 });
    await store.sessions.commit(id, 1500);
  };
  let taken = 0;
  for (let i = 0; i < sessions; i += 1) {
    const sessionId = `greedy ${i}`;
    await open(sessionId, 'issuer|greedy');
    for (let n = 0; n < each; n += 1) {
      const request = accessRequest(`${i}-${n}`, { sessionId, principalId: 'issuer|greedy' });
      if ((await store.access.file(request, limits)).kind === 'filed') taken += 1;
    }
  }
  if (taken > accessBounds.accessPendingPerPrincipalMax) return `${taken} requests of one principal wait`;
  await open('other', 'issuer|other');
  const own = accessRequest('own', { sessionId: 'other', principalId: 'issuer|other' });
  const { kind } = await store.access.file(own, limits);
  return kind === 'filed' ? undefined : `the other principal: ${kind}`;
}

interface Proofs {
  readonly keys: readonly number[];
}

async function proved({ keys }: Proofs, proofsPerKeyMax: number): Promise<Finding> {
  await using store = await openStore('sqlite::memory:');
  const remember = (keyThumbprint: string, jti: string): Promise<string> =>
    store.proofs.remember(
      { keyThumbprint, jti, expiresMs: 2000 },
      { nowMs: 1000, proofsPerKeyMax, proofsMax: 40 },
    );
  for (const [i, count] of keys.entries())
    for (let n = 0; n < count; n += 1) await remember(`key ${i}`, String(n));
  const outcome = await remember('another', '1');
  return outcome === 'new' ? undefined : `the proof of another key is ${outcome}`;
}

interface Flood {
  readonly lines: number;
  readonly seconds: number;
}

function logged({ lines, seconds }: Flood, linesPerSecondMax: number): Finding {
  const written: string[] = [];
  let nowMs = 0;
  const log = gatewayLog(
    { level: 'info', format: 'text' },
    { write: (line) => written.push(line), clock: () => nowMs, linesPerSecondMax },
  );
  for (let second = 0; second < seconds; second += 1) {
    for (let i = 0; i < lines; i += 1) log('error', `a stranger ${i}\r\nforged`);
    nowMs += 1000;
  }
  if (written.some((line) => line.trimEnd().includes('\n'))) return 'a line was forged';
  return written.length > 12 * seconds ? `${written.length} lines in ${seconds} s` : undefined;
}

interface Clock {
  readonly steps: readonly number[];
}

/** A clock that is set back and forth by whoever sets it: no more tokens than time went by. */
function refilled({ steps }: Clock, take: (nowMs: number) => boolean): Finding {
  let nowMs = 0;
  let taken = 0;
  for (const step of steps) {
    nowMs = Math.max(0, nowMs + step);
    while (take(nowMs)) taken += 1;
  }
  const forward = steps.reduce((sum, step) => sum + Math.max(0, step), 0);
  return taken > 10 + (forward * 10) / 1000 ? `${taken} tokens in ${forward} ms` : undefined;
}

const bucket = (): ((nowMs: number) => boolean) => {
  const tokens = new TokenBucket(10, 0);
  return (nowMs) => tokens.take(10, nowMs) === 0;
};

/** Refills by any change of the clock. */
const naiveBucket = (): ((nowMs: number) => boolean) => {
  let [tokens, lastMs] = [10, 0];
  return (nowMs) => {
    tokens = Math.min(10, tokens + (Math.abs(nowMs - lastMs) * 10) / 1000);
    lastMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
};

interface Life {
  /** Of two gateways: what each does, one step after the other. */
  readonly steps: readonly { readonly gateway: 0 | 1; readonly does: 'spend' | 'end' | 'kill' }[];
  readonly block: number;
}

/** A budget of 100 that two gateways borrow from, which end and are killed as they please. */
async function spent({ steps, block }: Life, isLeaseBelieved: boolean): Promise<Finding> {
  await using store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a'), { enrolmentsPerTokenMax: 10 });
  const name = { sessionId: 'a', budget: 'rule' };
  const left = [0, 0];
  let total = 0;
  for (const { gateway, does } of steps) {
    const own = left[gateway] ?? 0;
    if (does === 'spend') {
      const has =
        own > 0 ? own : await store.budgets.borrow(name, block, { max: 100, budgetsPerSessionMax: 10 });
      if (has > 0) total += 1;
      left[gateway] = Math.max(0, has - 1);
      continue;
    }
    left[gateway] = 0;
    if (does === 'end') await store.budgets.giveBack(name, own);
    // A lease that runs out is given back as it was granted: nobody says how much of it was spent.
    else if (isLeaseBelieved && own > 0) await store.budgets.giveBack(name, block);
  }
  return total > 100 ? `${total} of 100 were spent` : undefined;
}

export const fairShares: AttackTable = {
  'FAIR-01': searched({
    seed: 2601,
    inputs: fc.record({ attacker: fc.integer({ min: 0, max: 100 }), known: fc.integer({ min: 0, max: 60 }) }),
    ours: (input) => crowded(input, (strangers, id) => strangers.release(id)),
    // A cap that counts everybody who is connected.
    naive: (input) => crowded(input, () => undefined),
  }),
  'FAIR-02': searched({
    seed: 2602,
    inputs: ofOne,
    ours: (addresses) => sources(addresses, sourceKey),
    naive: (addresses) => sources(addresses, (address) => address),
  }),
  'FAIR-03': searched({
    seed: 2603,
    inputs: ofOne,
    runs: 50,
    ours: (addresses) => guessed(addresses, (address) => address),
    // By the address: each is a source of its own.
    naive: (addresses) =>
      guessed(
        addresses.map((_, i) => `192.0.2.${i}`),
        (address) => address,
      ),
  }),
  'FAIR-04': searched({
    seed: 2604,
    inputs: hops,
    ours: (input) =>
      believed(input, (values, { field }) =>
        senderAddress('10.0.0.9', { forwarded: [], xForwardedFor: [], [field]: values }, trusted),
      ),
    // The first that is written is the client, says the documentation of many.
    naive: (input) => believed(input, (values) => values[0] ?? ''),
  }),
  'FAIR-05': searched<Behind>({
    seed: 2605,
    inputs: fc.record({
      coding: fc.constantFrom('gzip', 'br', 'zstd'),
      text: fc.string({ maxLength: 2000 }),
      more: fc.integer({ min: 1, max: 100_000 }),
      isApart: fc.boolean(),
    }),
    runs: 100,
    ours: decoded,
    naive: runtimeTakes,
  }),
  'FAIR-06': searched({
    seed: 2606,
    inputs: fc.record({ sessions: fc.integer({ min: 1, max: 14 }), each: fc.integer({ min: 1, max: 5 }) }),
    runs: 20,
    ours: (input) => filed(input, accessBounds),
    // Bounded by session and in all.
    naive: (input) =>
      filed(input, {
        ...accessBounds,
        accessPendingPerPrincipalMax: 1000,
        accessRequestsPerPrincipalMax: 1000,
      }),
  }),
  'FAIR-07': searched({
    seed: 2607,
    inputs: fc.record({ keys: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 3 }) }),
    runs: 40,
    ours: (input) => proved(input, 10),
    naive: (input) => proved(input, 1000),
  }),
  'FAIR-08': searched({
    seed: 2608,
    inputs: fc.record({ lines: fc.integer({ min: 1, max: 200 }), seconds: fc.integer({ min: 1, max: 5 }) }),
    runs: 200,
    ours: (input) => logged(input, 10),
    naive: (input) => logged(input, 1_000_000),
  }),
  'FAIR-10': searched<Life>({
    seed: 2610,
    inputs: fc.record({
      steps: fc.array(
        fc.record({
          gateway: fc.constantFrom(0, 1),
          does: fc.constantFrom('spend', 'spend', 'spend', 'spend', 'end', 'kill'),
        }),
        { minLength: 300, maxLength: 600 },
      ),
      block: fc.integer({ min: 2, max: 20 }),
    }),
    runs: 50,
    ours: (life) => spent(life, false),
    naive: (life) => spent(life, true),
  }),
  'FAIR-09': searched({
    seed: 2609,
    inputs: fc.record({
      steps: fc.array(fc.integer({ min: -5000, max: 5000 }), { minLength: 1, maxLength: 30 }),
    }),
    ours: (input) => refilled(input, bucket()),
    naive: (input) => refilled(input, naiveBucket()),
  }),
};
