// Which form of capture a session has: in the workload's own network, else on loopback where that is asked for.

import type { RelayContext } from '../relay/relay-connection.ts';
import { type Capture, type CaptureStarter, startCapture } from './capture.ts';
import type { EntrancePorts } from './entrances.ts';

export interface OpenCaptureOptions {
  readonly ports: EntrancePorts;
  readonly context: RelayContext;
  /** Of a workload in a network of its own. */
  readonly entrances: CaptureStarter | undefined;
  readonly onLoopback: boolean;
  /** The workload's environment without us. */
  readonly base: Readonly<Record<string, string | undefined>>;
}

/** Undefined where there is none: not asked for, or refused, which is told in one line. Disposing the result ends it. */
export async function openCapture(options: OpenCaptureOptions): Promise<Capture | undefined> {
  const { ports, context, onLoopback, base } = options;
  const inside = await options.entrances?.(ports);
  if (inside !== undefined) return startCapture(inside, context);
  if (!onLoopback) return undefined;
  // Loaded where it is asked for, which is seldom.
  const { openLoopbackCapture } = await import('./loopback.ts');
  const opened = await openLoopbackCapture({ captured: ports.captured, base, context });
  if (!('refused' in opened)) return opened;
  context.logger.warn(
    `no capture on loopback, so only clients that take a proxy are served: ${opened.refused}`,
  );
  return undefined;
}
