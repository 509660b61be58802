// Where events of the audit go on to those who tell others of them. What comes before these are there waits for them.

import type { AuditEvent } from '../../api/audit-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Takes an event and its JSON as the audit has it. Never throws and never waits. */
export type EventTaker = (event: AuditEvent, json: string) => void;

export class EventTap {
  #takers: readonly EventTaker[] | undefined;
  /** Those that an earlier process left open are taken up before anything else is opened. */
  #early: (readonly [AuditEvent, string])[] = [];

  readonly take: EventTaker = (event, json) => {
    if (this.#takers !== undefined) for (const taker of this.#takers) taker(event, json);
    else if (this.#early.length < defaultLimits.telemetryBatchEventsMax) this.#early.push([event, json]);
  };

  /** Whether people are told of a question that is asked now. */
  reachesPeople: () => boolean = () => false;

  attach(takers: readonly EventTaker[], reachesPeople?: () => boolean): void {
    this.#takers = takers;
    if (reachesPeople !== undefined) this.reachesPeople = reachesPeople;
    for (const [event, json] of this.#early) this.take(event, json);
    this.#early = [];
  }
}
