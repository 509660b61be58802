// A gateway of several workers: bounds that would be there once for each of them, and a workload that chooses where its connections
// go. Every arrival names its worker, as if the attacker could.

import fc from 'fast-check';

import { StrangerConnections } from '../../../src/gateway/admission/stranger-connections.ts';
import { HandedConnections } from '../../../src/gateway/workers/handed-connections.ts';
import { SessionPlaces } from '../../../src/gateway/workers/session-places.ts';
import { limitsOfWorker } from '../../../src/gateway/workers/worker-limits.ts';
import { defaultLimits, type LimitName } from '../../../src/protocol/limits.ts';
import { fakeSocket } from '../../gateway/workers/fake-socket.ts';
import type { AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

const { tunnelsPerSessionMax } = defaultLimits;

type Step =
  | { readonly does: 'open'; readonly session: number; readonly worker: number }
  | { readonly does: 'die'; readonly worker: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        does: fc.constant('open' as const),
        session: fc.integer({ min: 0, max: 2 }),
        worker: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant('die' as const), worker: fc.integer({ min: 1, max: 4 }) }),
    },
  ),
  { minLength: 10, maxLength: 120 },
);

interface Tunnel {
  readonly session: number;
  /** Where it came in, and where it is served. */
  readonly worker: number;
  readonly at: number;
}

/** Tunnels that are open at once, where each worker counts those that it serves. */
function opened(
  list: readonly Step[],
  placeOf: (session: number, worker: number) => number,
  leave: (worker: number) => void,
): Finding {
  let tunnels: Tunnel[] = [];
  for (const step of list) {
    if (step.does === 'die') {
      tunnels = tunnels.filter(({ worker, at }) => worker !== step.worker && at !== step.worker);
      leave(step.worker);
      continue;
    }
    const { session, worker } = step;
    const at = placeOf(session, worker);
    const counted = tunnels.filter((one) => one.at === at && one.session === session).length;
    if (counted < tunnelsPerSessionMax) tunnels.push({ session, worker, at });
    const open = tunnels.filter((one) => one.session === session).length;
    if (open > tunnelsPerSessionMax) return `${open} tunnels of one session`;
  }
  return undefined;
}

function placed(list: readonly Step[]): Finding {
  const places = new SessionPlaces();
  return opened(
    list,
    (session, worker) => places.place(String(session), worker),
    (worker) => places.leave(worker),
  );
}

const bounds = { strangersMax: 30, strangersPerSourceMax: 6 };

interface Crowd {
  /** Of each arrival: whether one of those before it is closed first, by its place in the row. */
  readonly arrivals: readonly { readonly closes: number | undefined }[];
  readonly workers: number;
}

/** Connections of one source that are taken at once, each by the worker that is told. */
function crowded({ arrivals, workers }: Crowd): Finding {
  const taken: { readonly worker: number; readonly connection: number }[] = [];
  let count = 0;
  const hands = new HandedConnections({
    port: 'public',
    newNumber: () => (count += 1),
    strangers: new StrangerConnections(bounds),
    waitMs: 1000,
    onLimit: () => undefined,
  });
  const takers = Array.from({ length: workers }, (_, i) => ({
    number: i + 1,
    take: (connection: number) => void taken.push({ worker: i + 1, connection }),
  }));
  for (const { closes } of arrivals) {
    const [gone] = closes === undefined ? [] : taken.splice(closes % Math.max(1, taken.length), 1);
    if (gone !== undefined) hands.closed(gone.worker, gone.connection);
    hands.hand(fakeSocket('198.51.100.9'), takers);
    if (taken.length > bounds.strangersPerSourceMax) return `${taken.length} of one source`;
  }
  return undefined;
}

/** As it would be if each worker had its own count. */
function crowdedApart({ arrivals, workers }: Crowd): Finding {
  const counts = Array.from({ length: workers }, () => new StrangerConnections(bounds));
  let taken = 0;
  for (const [i] of arrivals.entries())
    if (counts[i % workers]?.admit(String(i), '198.51.100.9') === undefined) taken += 1;
  return taken > bounds.strangersPerSourceMax ? `${taken} of one source` : undefined;
}

const shared: readonly LimitName[] = [
  'heldOctetsMax',
  'unreadOctetsMax',
  'heldBodiesBytesMax',
  'auditQueueEventsMax',
  'auditQueueBytesMax',
  'originPoolsMax',
  'originPoolsPerPrincipalMax',
  'lookupsPendingMax',
  'dialsPendingMax',
];

function multiplied(workers: number, limitsOf: (workers: number) => typeof defaultLimits): Finding {
  const name = shared.find((one) => limitsOf(workers)[one] * workers > defaultLimits[one]);
  return name === undefined ? undefined : `${name} is there more than once`;
}

export const workers: AttackTable = {
  'WORK-01': searched({
    seed: 2701,
    inputs: fc.record({ list: steps }),
    runs: 200,
    ours: ({ list }) => placed(list),
    naive: ({ list }) =>
      opened(
        list,
        (_, worker) => worker,
        () => undefined,
      ),
  }),
  'WORK-02': searched<Crowd>({
    seed: 2702,
    inputs: fc.record({
      arrivals: fc.array(fc.record({ closes: fc.option(fc.nat(20), { nil: undefined }) }), {
        minLength: 15,
        maxLength: 60,
      }),
      workers: fc.integer({ min: 2, max: 8 }),
    }),
    runs: 200,
    ours: crowded,
    naive: crowdedApart,
  }),
  'WORK-03': searched({
    seed: 2703,
    inputs: fc.record({ workers: fc.integer({ min: 2, max: 64 }) }),
    runs: 63,
    ours: (input) => multiplied(input.workers, (count) => limitsOfWorker(defaultLimits, count)),
    naive: (input) => multiplied(input.workers, () => defaultLimits),
  }),
};
