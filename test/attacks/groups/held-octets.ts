// Room that is held of sessions: whatever one or many of them take, give back or give back twice, a newcomer finds some.

import fc from 'fast-check';

import { HeldOctets, type Reservation } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

const limits = { ...defaultLimits, heldOctetsPerSessionMax: 600, heldOctetsMax: 1000 };

interface Budget {
  reserve(sessionId: string, octets: number): Reservation;
  readonly all: number;
  ofSession(sessionId: string): number;
}

/** A bound for each and one for all, and a release that believes its caller. */
class PlainBudget implements Budget {
  readonly #bySession = new Map<string, number>();
  all = 0;

  ofSession(sessionId: string): number {
    return this.#bySession.get(sessionId) ?? 0;
  }

  reserve(sessionId: string, octets: number): Reservation {
    if (
      this.all + octets > limits.heldOctetsMax ||
      this.ofSession(sessionId) + octets > limits.heldOctetsPerSessionMax
    )
      throw new ProxyError('limit_exceeded', 'full');
    const change = (by: number): void => {
      this.all += by;
      this.#bySession.set(sessionId, this.ofSession(sessionId) + by);
    };
    change(octets);
    return { octets, release: () => change(-octets) };
  }
}

function tryReserve(budget: Budget, sessionId: string, octets: number): Reservation | undefined {
  try {
    return budget.reserve(sessionId, octets);
  } catch (error) {
    if (error instanceof ProxyError) return undefined;
    throw error;
  }
}

/** Greedy sessions in turns, until none of them gets anything. */
function takeAll(budget: Budget, sessions: number, piece: number): void {
  for (let taken = true; taken;) {
    taken = false;
    for (let i = 0; i < sessions; i += 1)
      if (tryReserve(budget, `greedy ${i}`, piece) !== undefined) taken = true;
  }
}

/** What is left for the next when so many take all they can. */
function newcomer(
  budget: Budget,
  { sessions, piece }: { readonly sessions: number; readonly piece: number },
): Finding {
  takeAll(budget, sessions, piece);
  const fair = Math.floor(limits.heldOctetsMax / (sessions + 1)) - piece * sessions;
  if (fair <= 0) return undefined;
  return tryReserve(budget, 'newcomer', fair) === undefined
    ? `a newcomer finds no ${fair} octets`
    : undefined;
}

interface Step {
  readonly session: string;
  readonly octets: number;
  /** Which of the reservations so far is given back instead, and how often. */
  readonly release: number | undefined;
  readonly times: number;
}

function bounds(budget: Budget, steps: readonly Step[]): Finding {
  const given: { readonly one: Reservation; readonly session: string; isHeld: boolean }[] = [];
  for (const { session, octets, release, times } of steps) {
    const chosen = release === undefined ? undefined : given[release % Math.max(1, given.length)];
    if (chosen !== undefined) {
      chosen.isHeld = false;
      for (let i = 0; i < times; i += 1) chosen.one.release();
    } else {
      const one = tryReserve(budget, session, octets);
      if (one !== undefined) given.push({ one, session, isHeld: true });
    }
    const held = given.filter(({ isHeld }) => isHeld);
    const sum = held.reduce((total, { one }) => total + one.octets, 0);
    if (sum !== budget.all) return `${sum} octets are held, ${budget.all} are counted`;
    if (sum > limits.heldOctetsMax) return `${sum} octets are held of all`;
    for (const { session: name } of held) {
      const own = held
        .filter((other) => other.session === name)
        .reduce((total, { one }) => total + one.octets, 0);
      if (own > limits.heldOctetsPerSessionMax) return `${own} octets are held of ${name}`;
    }
  }
  return undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  session: fc.constantFrom('a', 'b', 'c'),
  octets: fc.integer({ min: 1, max: 300 }),
  release: fc.option(fc.nat(20), { nil: undefined }),
  times: fc.integer({ min: 1, max: 3 }),
});

/** A part of the room for one purpose, as bodies that are signed have it. */
function partBudget(): HeldOctets {
  const all = new HeldOctets(limits);
  return new HeldOctets(limits, { perSession: 'heldOctetsPerSessionMax', all: 'heldOctetsMax' }, all);
}

export const heldOctets: AttackTable = {
  'HELD-01': searched({
    seed: 2401,
    inputs: fc.record({ sessions: fc.integer({ min: 1, max: 9 }), piece: fc.integer({ min: 1, max: 9 }) }),
    ours: (input) => newcomer(new HeldOctets(limits), input),
    naive: (input) => newcomer(new PlainBudget(), input),
  }),
  'HELD-02': searched({
    seed: 2402,
    inputs: fc.array(step, { minLength: 2, maxLength: 40 }),
    ours: (steps) => bounds(new HeldOctets(limits), steps),
    naive: (steps) => bounds(new PlainBudget(), steps),
  }),
  'HELD-03': searched({
    seed: 2403,
    inputs: fc.array(step, { minLength: 2, maxLength: 40 }),
    ours: (steps) => bounds(partBudget(), steps),
    naive: (steps) => bounds(new PlainBudget(), steps),
  }),
};
