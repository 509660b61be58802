// `upstreamproxy audit body`: what a rule had kept of the bodies of an exchange. Looking is written into the audit, as by the admin API.

import { viewedBody, type ViewedBody } from '../../gateway/captured/view-body.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { openCaptured } from '../../gateway/open-captured.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { harmlessText, jsonLine, printableText } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { openOperatorDesk } from './operator-audit.ts';

export async function bodyCommand({
  arguments: { ID },
  options,
}: Input<(typeof auditDefinition)['actions'][3]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  await using captured = openCaptured(config.captured, {
    environment: workloadEnvironment(process.env),
    clock: Date.now,
    onLimit: () => undefined,
    onFault: () => undefined,
    // What is too old is the gateway's to remove.
    isOnDuty: () => false,
  });
  const kept = await captured.read(ID);
  if (kept === undefined)
    throw new ProxyError('usage', `no bodies are kept of an event ${printableText(ID)} on this machine`);
  await recordLook(config, ID);
  const [request, response] = await Promise.all(
    [kept.request, kept.response].map((body) => (body === undefined ? undefined : viewedBody(body))),
  );
  if (options.json) process.stdout.write(jsonLine({ request: shown(request), response: shown(response) }));
  else process.stdout.write(textOf('request', request) + textOf('response', response));
  return 0;
}

/** Nobody has seen what nobody can be told to have seen. @throws ProxyError usage, audit_unavailable, store_* */
async function recordLook(config: GatewayConfig, id: string): Promise<void> {
  await using desk = await openOperatorDesk(config);
  const { store, operator, record } = desk;
  if (store.actsAs !== undefined)
    throw new ProxyError(
      'usage',
      'a login of its own cannot record that it looked; ask the admin API for them',
    );
  const event = await store.audit.find(id);
  await record({
    action: 'bodies_viewed',
    nowMs: Date.now(),
    ...(event?.sessionId === undefined ? {} : { sessionId: event.sessionId }),
    ...(event?.principal === undefined ? {} : { principal: event.principal }),
    details: { operator, event: id },
  });
}

/** As the admin API gives it. */
function shown(body: ViewedBody | undefined): object | undefined {
  if (body === undefined) return undefined;
  const { isWhole, ...rest } = body;
  return { ...rest, whole: isWhole };
}

function textOf(name: string, body: ViewedBody | undefined): string {
  if (body === undefined) return `${name}: none is kept\n`;
  const { type = 'no type', coding, bytes, isWhole, redacted, text, base64, note } = body;
  const facts = [
    printableText(type),
    ...(coding === undefined ? [] : [printableText(coding)]),
    `${bytes} bytes${isWhole ? '' : ', cut off'}`,
    ...(redacted === 0 ? [] : [`${redacted} values left out`]),
  ];
  const lines = (text ?? base64 ?? '').split('\n').map(harmlessText);
  return `${name}: ${facts.join(', ')}\n${note === undefined ? '' : `${note}\n`}${lines.join('\n')}\n`;
}
