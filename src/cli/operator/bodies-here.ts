// What a gateway of this machine had kept of bodies, read by whoever may read its keys. Looking is written into the audit, as by the admin API.

import { hostname } from 'node:os';
import type { AuditEvent } from '../../api/audit-event.ts';
import { whyNoBodies } from '../../gateway/captured/absent-bodies.ts';
import { recordingPage } from '../../gateway/captured/recording-page.ts';
import { viewedBody, type ViewedBody } from '../../gateway/captured/view-body.ts';
import type { CapturedBody } from '../../gateway/captured/captured-exchange.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { capturedBodies } from '../../gateway/open-captured.ts';
import { ProxyError } from '../../protocol/error.ts';
import { printableText } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import type { OperatorDesk } from './operator-audit.ts';
import type { ShownBodies } from './operator-backend.ts';

/** @throws ProxyError usage, config_invalid, audit_unavailable, store_* */
export async function bodiesHere(
  config: GatewayConfig,
  desk: OperatorDesk,
  id: string,
): Promise<ShownBodies> {
  await using captured = capturedBodies(config.captured, {
    environment: workloadEnvironment(process.env),
    clock: Date.now,
    onLimit: () => undefined,
    onFault: () => undefined,
    // What is too old is the gateway's to remove.
    isOnDuty: () => false,
  });
  const kept = await captured.read(id);
  const recording = await captured.readRecording(id);
  const event = await desk.store.audit.find(id);
  if (kept === undefined && recording === undefined)
    throw new ProxyError(
      'usage',
      event === undefined
        ? `no bodies are kept of an event ${printableText(id)} on this machine`
        : whyNoBodies(event, hostname()),
    );
  await recordLook(desk, id, event);
  const [request, response] = await Promise.all([shown(kept?.request), shown(kept?.response)]);
  return {
    ...(request === undefined ? {} : { request }),
    ...(response === undefined ? {} : { response }),
    ...(recording === undefined ? {} : { recording: recordingPage(recording, 0, Infinity) }),
  };
}

/** Nobody has seen what nobody can be told to have seen. @throws ProxyError usage, audit_unavailable, store_* */
async function recordLook(
  { store, operator, record }: OperatorDesk,
  id: string,
  event: AuditEvent | undefined,
): Promise<void> {
  if (store.actsAs !== undefined)
    throw new ProxyError(
      'usage',
      'a login of its own cannot record that it looked; ask the admin API for them',
    );
  await record({
    action: 'bodies_viewed',
    nowMs: Date.now(),
    ...(event?.sessionId === undefined ? {} : { sessionId: event.sessionId }),
    ...(event?.principal === undefined ? {} : { principal: event.principal }),
    details: { operator, event: id },
  });
}

/** As the admin API gives it. */
async function shown(body: CapturedBody | undefined): Promise<ShownBodies['request']> {
  if (body === undefined) return undefined;
  const { isWhole, ...rest }: ViewedBody = await viewedBody(body);
  return { ...rest, whole: isWhole };
}
