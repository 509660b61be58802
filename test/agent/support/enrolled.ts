// A fake gateway with one enrolled session, and limits that make waiting short.

import { enrol, type AgentSession } from '../../../src/agent/uplink/enrol.ts';
import { openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import type { Logger } from '../../../src/system/logger.ts';
import { SessionKey } from '../../../src/agent/uplink/session-key.ts';
import { SessionToken } from '../../../src/agent/uplink/token.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import type { Posture } from '../../../src/protocol/session-messages.ts';
import { FakeGateway, type FakeGatewayOptions } from './fake-gateway.ts';
import { patienceMs } from '../../support/patience.ts';

/** All waits short, none so short that a loaded machine fails. */
export const quickLimits: Limits = {
  ...defaultLimits,
  enrolTimeoutMs: 3000,
  reconnectDelayMsInitial: 10,
  reconnectDelayMsMax: 40,
  tunnelWaitTimeoutMs: 3000,
};

const somePosture: Posture = {
  runtime: 'node',
  runtimeVersion: '26.10.0',
  platform: 'linux-x64',
  nondumpable: true,
  execOnly: false,
  untraced: true,
  coreLimitZero: true,
  inspectorClosed: true,
  environmentClean: true,
  jailed: false,
  uid: 1000,
  notes: [],
};

/** Keeps what was logged. */
export class MemoryLogger implements Logger {
  readonly lines: string[] = [];
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
}

export interface Enrolled extends AsyncDisposable {
  readonly fake: FakeGateway;
  readonly session: AgentSession;
  readonly logger: MemoryLogger;
}

export async function enrolled(options: FakeGatewayOptions = {}): Promise<Enrolled> {
  const fake = await FakeGateway.start(options);
  const gateway = openGateway(fake.url, { ca: fake.authority.caPem });
  const token = new SessionToken(Buffer.from('a.b.c'), 5);
  const key = await SessionKey.generate();
  const session = await enrol({ gateway, token, key, posture: somePosture, limits: quickLimits });
  return {
    fake,
    session,
    logger: new MemoryLogger(),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

/** Waits until something holds, and throws if it never does. */
export async function eventually(holds: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
