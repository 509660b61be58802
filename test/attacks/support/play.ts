// Plays one case beside a neighbour and holds it against the five oracles.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get as httpGet, Agent } from 'node:http';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { findCanary } from '../../support/canary.ts';
import { Arena, nextTurn } from './arena.ts';
import { CannotPlayHere, type Attack, type AttackTable, type NotApplicable, type Scale } from './attack.ts';
import { patienceMs } from '../../support/patience.ts';

export interface Outcome {
  readonly verdict: 'passed' | 'failed' | 'n/a';
  readonly detail: string;
  readonly milliseconds: number;
  readonly hasControl: boolean;
}

/** Longest response to the neighbour: all of it runs in this one process, so this is no measure of a deployment. */
const neighbourMsMaxUsual = 750;

export async function playCase(entry: AttackTable[string], scale: Scale): Promise<Outcome> {
  const started = performance.now();
  const outcome = (verdict: Outcome['verdict'], detail: string, hasControl = false): Outcome => ({
    verdict,
    detail,
    milliseconds: performance.now() - started,
    hasControl,
  });
  if (typeof entry !== 'function' && 'notApplicable' in entry)
    return outcome('n/a', (entry satisfies NotApplicable).notApplicable);
  const attack: Attack = typeof entry === 'function' ? { run: entry } : entry;
  try {
    await attack.control?.();
    await playAttack(attack, scale);
    return outcome('passed', '', attack.control !== undefined);
  } catch (error) {
    if (error instanceof CannotPlayHere) return outcome('n/a', error.message);
    // With its cause.
    return outcome('failed', inspect(error));
  }
}

async function playAttack(attack: Attack, scale: Scale): Promise<void> {
  const limits = { ...attack.limits, ...(scale === 'short' ? attack.shortLimits : {}) };
  await using arena = await Arena.open({ ...attack, limits });
  const neighbour = await Neighbour.move(arena, attack);
  try {
    await attack.run(arena, scale);
    await arena.events(arena.attempts);
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  } finally {
    await neighbour.stop();
  }
  for (let turn = 0; turn < 1000 && arena.openExchanges > 0; turn += 1) await nextTurn();
  assert.equal(arena.openExchanges, 0, 'an exchange did not end, so it has no event');
  checkForbidden(arena);
  checkLogs(arena);
  checkSecret(arena);
  assert.equal(
    arena.ownEvents.length,
    arena.attempts,
    `verdicts and attempts differ: ${JSON.stringify(arena.ownEvents.map(brief))}`,
  );
  neighbour.check(attack.neighbourMsMax ?? neighbourMsMaxUsual);
}

function brief({ kind, verdict, method, host, path, errorCode, message }: AuditEvent): unknown {
  return {
    kind,
    verdict,
    method,
    host,
    path: path?.slice(0, 60),
    errorCode,
    message: message?.slice(0, 120),
  };
}

/** First oracle: forbidden listeners, metadata and everything else that is not an allowed origin saw nothing. */
function checkForbidden(arena: Arena): void {
  assert.deepEqual(arena.sentry.violations, [], 'a forbidden place was dialled');
}

/** Second oracle: what origins saw is what the audit says, one to one, and their own parsers had no complaint. */
export function checkLogs(arena: Arena, concerns: (event: AuditEvent) => boolean = () => true): void {
  assert.deepEqual(arena.origins.faults, [], 'an origin got bytes that are not HTTP');
  const left = arena.origins.seen.filter(({ host }) => host !== 'probe.test');
  const take = (event: AuditEvent, withBody: boolean): boolean => {
    const index = left.findIndex(
      (seen) =>
        seen.method === event.method &&
        seen.host === event.host &&
        seen.path === event.path &&
        (!withBody || seen.bodyBytes === (event.requestBytes ?? 0)),
    );
    if (index !== -1) left.splice(index, 1);
    return index !== -1;
  };
  const exchanges = arena.ownEvents.filter((event) => event.kind === 'exchange' && concerns(event));
  for (const event of exchanges.filter(({ verdict }) => verdict === 'allow')) {
    const isUpgrade = event.status === 101;
    assert.ok(
      take(event, !isUpgrade),
      `no origin saw ${JSON.stringify(brief(event))}; left: ${JSON.stringify(left)}`,
    );
  }
  // An exchange that failed on the way may or may not have reached its origin.
  for (const event of exchanges.filter(({ verdict }) => verdict !== 'allow')) take(event, false);
  assert.deepEqual(left, [], 'an origin saw what the audit does not have');
}

/** Third oracle: the credential is in no byte of a client and in no audit event. */
function checkSecret(arena: Arena): void {
  for (const bytes of arena.received)
    assert.deepEqual(findCanary(bytes, arena.secret), [], 'a client got the secret');
  assert.deepEqual(findCanary(JSON.stringify(arena.audit), arena.secret), [], 'the audit has the secret');
}

type NeighbourOptions = Pick<Attack, 'withoutAudit' | 'neighbourPauseMs'>;

/** Fifth oracle: another principal, on a tunnel of its own, asks all the time and is always responded. */
export class Neighbour {
  readonly #arena: Arena;
  #socket: TLSSocket;
  readonly #withoutAudit: boolean;
  readonly #agent: Agent;
  readonly #latencies: number[] = [];
  readonly #running: Promise<void>;
  readonly #pauseMs: number;
  #failure: Error | undefined;
  #stopped = false;

  private constructor(arena: Arena, attack: NeighbourOptions, socket: TLSSocket) {
    this.#arena = arena;
    this.#withoutAudit = attack.withoutAudit === true;
    this.#pauseMs = attack.neighbourPauseMs ?? 5;
    this.#socket = socket;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    Object.assign(this.#agent, { createConnection: () => this.#socket });
    this.#running = this.#ask();
  }

  static async move(arena: Arena, attack: NeighbourOptions): Promise<Neighbour> {
    return new Neighbour(arena, attack, await connectionOf(arena));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.#socket.destroy();
    // A connection made after the attack is served as well.
    const last = await this.#arena.send(
      this.#arena.at('probe.test'),
      `GET /last HTTP/1.1\r\nHost: ${this.#arena.at('probe.test')}\r\nConnection: close\r\n\r\n`,
      { principal: 'neighbour', events: 0 },
    );
    if (last.status !== 200) this.#failure ??= new Error(`after the attack the neighbour got ${last.status}`);
  }

  check(millisecondsMax: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    const worst = Math.max(...this.#latencies);
    assert.ok(worst <= millisecondsMax, `the neighbour waited ${Math.round(worst)} ms`);
  }

  async #ask(): Promise<void> {
    let responded = unscheduledMs();
    do {
      const [started, unscheduled] = [performance.now(), unscheduledMs()];
      try {
        const request = httpGet({
          agent: this.#agent,
          host: 'probe.test',
          path: '/probe',
          headers: { host: this.#arena.at('probe.test') },
        });
        const [response] = (await once(request, 'response', { signal: AbortSignal.timeout(patienceMs) })) as [
          IncomingMessage,
        ];
        const body = await text(response);
        if (response.statusCode === 503 && this.#withoutAudit) continue;
        if (response.statusCode !== 200 || body !== 'hello\n')
          throw new Error(`${response.statusCode}: ${body.slice(0, 200)}`);
      } catch (error) {
        if (unscheduledMs() - responded > starvedMs(this.#arena)) {
          responded = unscheduledMs();
          const again = await connectionOf(this.#arena).catch(() => undefined);
          if (again !== undefined) {
            this.#socket = again;
            continue;
          }
        }
        this.#failure = new Error('the neighbour got no response', { cause: error });
        return;
      }
      // A machine that had no processor for us is no effect of the attack.
      responded = unscheduledMs();
      this.#latencies.push(performance.now() - started - (responded - unscheduled));
      await new Promise((resolve) => {
        setTimeout(resolve, this.#pauseMs);
      });
    } while (!this.#stopped);
  }
}

function connectionOf(arena: Arena): Promise<TLSSocket> {
  return arena.tls(arena.at('probe.test'), { principal: 'neighbour' });
}

/** Limits of time pass while this thread has no processor, and end the neighbour's connection: that is no effect of an attack. */
function starvedMs({ limits }: Arena): number {
  return Math.min(limits.idleTimeoutMs, limits.headTimeoutMs, limits.responseHeadTimeoutMs) / 2;
}

/** How long this thread was ready and had no processor, in all (sched-stats of Linux); 0 where it is not told. */
function unscheduledMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1] ?? 0) / 1e6;
  } catch {
    return 0;
  }
}
