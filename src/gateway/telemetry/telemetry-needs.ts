// What receivers of telemetry need of the gateway, and the queue that each of them has.

import type { ProxyError } from '../../protocol/error.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import { DeliveryQueue, type DeliveryQueueOptions } from './delivery-queue.ts';

export interface TelemetryNeeds {
  readonly limits: Limits;
  readonly clock: () => number;
  readonly stack: AsyncDisposableStack;
  readonly log: (level: 'info' | 'warn', message: string) => void;
  readonly onLimit: (limit: LimitName) => void;
  readonly onFault: (error: ProxyError) => void;
  /** Of what each receiver took, and what was dropped. */
  readonly onCount: (receiver: string, outcome: 'sent' | 'dropped', count: number) => void;
}

export function openQueue(
  name: string,
  { limits, stack, log, onLimit, onCount }: TelemetryNeeds,
  deliver: DeliveryQueueOptions['deliver'],
): DeliveryQueue {
  return stack.use(new DeliveryQueue({ name, deliver, limits, log, onLimit, onCount }));
}
