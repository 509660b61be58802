// Bodies and shells that rules had kept: who looks at them is written into the audit.

import { hostname } from 'node:os';
import type { OutputOf } from '../../api/admin/routes.ts';
import { ProxyError } from '../../protocol/error.ts';
import { whyNoBodies } from '../captured/absent-bodies.ts';
import type { CapturedBody } from '../captured/captured-exchange.ts';
import { recordingPage } from '../captured/recording-page.ts';
import { viewedBody } from '../captured/view-body.ts';
import { given, type Handlers } from './admin-parts.ts';
import { VisibleEvents } from './visible-events.ts';

type Viewed = NonNullable<OutputOf<'exchangeBodies'>['request']>;

export const capturedOperations: Handlers<'exchangeBodies'> = {
  exchangeBodies: async ({ store, captured, record }, { id, query, operator, nowMs }) => {
    const event = await store.audit.find(id);
    const visible = new VisibleEvents(operator, store);
    if (event === undefined || !(await visible.sees(event)))
      throw new ProxyError('operation_unknown', 'there is no event of that id');
    const kept = await captured?.read(id);
    const recording = await captured?.readRecording(id);
    if (kept === undefined && recording === undefined)
      throw new ProxyError('operation_unknown', whyNoBodies(event, hostname()));
    // First the record: nobody has seen what nobody can be told to have seen.
    await record({
      action: 'bodies_viewed',
      nowMs,
      ...given('sessionId', event.sessionId),
      ...given('principal', event.principal),
      details: { operator: operator.name, event: id },
    });
    const [request, response] = await Promise.all([shown(kept?.request), shown(kept?.response)]);
    return {
      ...given('request', request),
      ...given('response', response),
      ...given('recording', recording === undefined ? undefined : recordingPage(recording, query.from)),
    };
  },
};

async function shown(body: CapturedBody | undefined): Promise<Viewed | undefined> {
  if (body === undefined) return undefined;
  const { type, coding, bytes, isWhole, redacted, text, base64, note } = await viewedBody(body);
  return {
    bytes,
    whole: isWhole,
    redacted,
    ...given('type', type),
    ...given('coding', coding),
    ...given('text', text),
    ...given('base64', base64),
    ...given('note', note),
  };
}
