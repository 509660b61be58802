// Takes up what operators did by logins of their own in the database, so that the audit has it, in its order and with its proofs.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventVersion } from '../../api/audit-event-version.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ActStore, OperatorAct } from '../../store/act-store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { DurableAuditSink } from './audit-log.ts';
import { newTraceId } from './event-identity.ts';

export interface ActRecorderOptions {
  readonly acts: ActStore;
  readonly audit: DurableAuditSink;
  /** Names this process to the store. */
  readonly taker: string;
  readonly isOnDuty: () => boolean;
  readonly onFault: (error: ProxyError) => void;
}

export class ActRecorder implements AsyncDisposable {
  readonly #options: ActRecorderOptions;
  readonly #looks: RepeatedLook;

  /** Looks from now on. */
  constructor(options: ActRecorderOptions) {
    this.#options = options;
    this.#looks = new RepeatedLook({
      look: () => this.#look(),
      intervalMs: defaultLimits.actLookIntervalMs,
      firstMs: 0,
      onFault: options.onFault,
    });
    this.#looks.start();
  }

  /** Something may have been done. */
  soon(): void {
    this.#looks.soon();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#looks.close();
  }

  async #look(): Promise<void> {
    const { acts, audit, taker, isOnDuty } = this.#options;
    while (isOnDuty() && audit.healthy) {
      const taken = await acts.take(taker, defaultLimits.actsTakenMax);
      if (taken.length === 0) return;
      for (const act of taken) audit.append(eventOf(act));
      await audit.flush();
      // Of a process that is killed before, another one takes them up: the event has the id of the act, and is stored once.
      await acts.recorded(taken.map(({ id }) => id));
    }
  }
}

function eventOf({
  id,
  atMs,
  action,
  message,
  sessionId,
  principal,
  details,
  isDamaged,
}: OperatorAct): AuditEvent {
  return {
    v: auditEventVersion,
    id,
    time: new Date(atMs).toISOString(),
    kind: isDamaged === true ? 'alarm' : 'session',
    action,
    traceId: newTraceId(),
    verdict: 'info',
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(principal === undefined ? {} : { principal }),
    message,
    details,
  };
}
