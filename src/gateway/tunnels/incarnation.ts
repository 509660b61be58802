// The name of a process that serves agents, which stands at the start of the ids of its tunnels: it says which process has the tunnel.

import { randomBytes } from 'node:crypto';

/** Of the start of a gateway, and of the process in it. */
const halfBytes = 8;
const incarnationBytes = 2 * halfBytes;

/** Those of one gateway have the first half in common. */
export function newGatewayName(): string {
  return randomBytes(halfBytes).toString('hex');
}

/** 32 hexadecimal digits, never used again. */
export function newIncarnation(gatewayName: string): string {
  return gatewayName + randomBytes(halfBytes).toString('hex');
}

/** Of the gateway that the process is of. */
export function gatewayNameOf(incarnation: string): string {
  return incarnation.slice(0, incarnationBytes);
}

/** The process that made the id. */
export function holderOf(tunnelId: Uint8Array): string {
  return Buffer.from(tunnelId.subarray(0, incarnationBytes)).toString('hex');
}

/** Whether both are processes of one start of a gateway. */
export function areSiblings(one: string, other: string): boolean {
  return gatewayNameOf(one) === gatewayNameOf(other);
}
