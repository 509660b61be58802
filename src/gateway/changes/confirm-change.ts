// Who has taken a change: each gateway says in the store how far it is.

import { setTimeout as wait } from 'node:timers/promises';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayPresence } from '../../store/gateway-store.ts';
import type { Store } from '../../store/store.ts';

const lookIntervalMs = 50;
/** Processes of one gateway have the first half of their names in common. */
export const gatewayNameDigits = 16;

/** One gateway, which is all processes of one start of it. */
export interface ConfirmingGateway {
  readonly gateway: string;
  /** `host:port` at which others reach it. */
  readonly address?: string;
}

export interface ChangeConfirmation {
  /** The newest change as it was asked for: the one that is meant, or a later one. */
  readonly change: number;
  readonly confirmed: readonly ConfirmingGateway[];
  /** Those that serve, and had not said that they have it. */
  readonly missing: readonly ConfirmingGateway[];
  readonly tookMs: number;
}

export interface ConfirmingOptions {
  readonly deadlineMs?: number;
  /** Whoever asks has gone. */
  readonly signal?: AbortSignal;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
}

/**
 * Waits until all gateways have taken what is in the store now, or for the deadline. Call it when the change is committed.
 * @throws ProxyError store_unavailable
 */
export async function confirmChange(
  { changes, gateways }: Pick<Store, 'changes' | 'gateways'>,
  options: ConfirmingOptions = {},
): Promise<ChangeConfirmation> {
  const { deadlineMs = defaultLimits.changeConfirmMs, signal, ticks = () => performance.now() } = options;
  const beganMs = ticks();
  const change = await changes.newest();
  for (;;) {
    const said = confirmationOf(change, await gateways.current(defaultLimits.peersKnownMax));
    const tookMs = ticks() - beganMs;
    const isOver = tookMs + lookIntervalMs > deadlineMs || signal?.aborted === true;
    if (said.missing.length === 0 || isOver) return { ...said, tookMs: Math.round(tookMs) };
    await wait(lookIntervalMs);
  }
}

function confirmationOf(
  change: number,
  processes: readonly GatewayPresence[],
): Omit<ChangeConfirmation, 'tookMs'> {
  const confirmed: ConfirmingGateway[] = [];
  const missing: ConfirmingGateway[] = [];
  const byGateway = Map.groupBy(processes, ({ incarnation }) => incarnation.slice(0, gatewayNameDigits));
  for (const [gateway, own] of byGateway) {
    const late = own.find(({ changeSeen }) => changeSeen < change);
    const address = (late ?? own[0])?.peerAddress;
    const one = { gateway, ...(address === undefined ? {} : { address }) };
    if (late === undefined) confirmed.push(one);
    else missing.push(one);
  }
  return { change, confirmed, missing };
}

/** One line for people. */
export function confirmationText({ confirmed, missing, tookMs }: ChangeConfirmation): string {
  const all = confirmed.length + missing.length;
  if (all === 0) return 'no gateway serves now; each takes it before it serves';
  const of = `${confirmed.length} of ${all} ${all === 1 ? 'gateway' : 'gateways'}`;
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  if (missing.length === 0) return `confirmed by ${of} in ${took}`;
  const names = missing.map(({ gateway, address }) =>
    address === undefined ? gateway : `${gateway} at ${address}`,
  );
  return `confirmed by ${of}; within ${took} not by ${names.join(', ')}`;
}
