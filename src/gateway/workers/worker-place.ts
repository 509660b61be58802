// Where a worker stands among others of its gateway.

import type { Limits } from '../../protocol/limits.ts';
import type { Passages } from './passage.ts';
import type { WorkerStart } from './worker-messages.ts';
import type { WorkerSeat } from './worker-seat.ts';

export interface WorkerPlace {
  readonly seat: WorkerSeat;
  readonly passages: Passages;
  /** Its name among the passages. */
  readonly name: string;
  /** Limits of the whole gateway. */
  readonly gatewayLimits: Limits;
  /** Of how many workers it is one. */
  readonly workers: number;
  /** From 1 on. */
  readonly number: number;
  /** Of this start of the gateway. */
  readonly gatewayName: string;
  readonly nonceKey: Uint8Array;
  /** When the gateway started. */
  readonly startedMs: number;
  /** Where the supervisor listens. */
  readonly port: number;
  /** For clients without an agent. */
  readonly proxyPort: number | undefined;
  readonly operatorPorts: WorkerStart['operatorPorts'];
  readonly identity: WorkerStart['identity'];
  readonly renewable: WorkerStart['renewable'];
}
